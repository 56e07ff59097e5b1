//! What [`Likes`](mango_domain::ports::Likes) promises.

use std::sync::Arc;

use mango_domain::model::{ChatId, LikeToggle, MessageId, PageRequest, UserId, Version};

use super::together;
use crate::Stores;
use crate::build::{group, message, moment, unheard, users};

/// Toggling gives a like, then takes it back, and counts those of all users.
pub async fn a_like_is_given_and_taken_back(stores: Stores) {
    let (ids, chat, said) = scene(&stores, 3).await;
    let toggles = [(0, true, 1), (1, true, 2), (2, true, 3), (1, false, 2), (0, false, 1), (0, true, 2), (2, false, 1)];
    // The chat and its message have the versions before.
    for ((user, liked, likes), version) in toggles.into_iter().zip((3..).map(Version::new)) {
        let expected = LikeToggle { chat, message: said, user: ids[user], liked, likes, version };
        assert_eq!(toggle(&stores, said, ids[user]).await, Some(expected));
    }
    assert_eq!(likers(&stores, chat, ids[0]).await, [ids[0]]);
}

/// `toggle` is `None` for a message that is not there and for one in a chat of others, and then nothing is counted.
pub async fn likes_are_for_members_alone(stores: Stores) {
    let (ids, chat, said) = scene(&stores, 2).await;
    let another = group(ids[0], &[]).add(&stores).await;
    let private = message(another, ids[0]).add(&stores).await.id;
    let unknown = MessageId::new(private.get().max(said.get()) + 1);
    for (message, user) in [(private, ids[1]), (said, UserId::new(1_000_000)), (unknown, ids[0])] {
        assert_eq!(toggle(&stores, message, user).await, None);
    }
    assert_eq!(likers(&stores, chat, ids[0]).await, []);
    assert_eq!(likers(&stores, another, ids[0]).await, []);
    assert_eq!(toggle(&stores, private, ids[0]).await.map(|toggle| toggle.likes), Some(1));
}

/// A user's likes of two messages have nothing to do with each other.
pub async fn likes_of_different_messages_do_not_mix(stores: Stores) {
    let (ids, chat, first) = scene(&stores, 2).await;
    let second = message(chat, ids[1]).add(&stores).await.id;
    let toggles =
        [(first, 0, true, 1), (second, 0, true, 1), (second, 1, true, 2), (first, 0, false, 0), (second, 0, false, 1)];
    for ((message, user, liked, likes), version) in toggles.into_iter().zip((4..).map(Version::new)) {
        let expected = LikeToggle { chat, message, user: ids[user], liked, likes, version };
        assert_eq!(toggle(&stores, message, ids[user]).await, Some(expected));
    }
}

/// Likes of many users at the same time are decided one after the other: every count from 1 on comes out once.
pub async fn concurrent_likes_are_counted_one_after_the_other(stores: Stores) {
    let (ids, chat, said) = scene(&stores, 12).await;
    let mut counts: Vec<u64> = toggle_together(&stores, said, &ids).await.iter().map(|toggle| toggle.likes).collect();
    counts.sort_unstable();
    assert_eq!(counts, (1..=12).collect::<Vec<_>>());
    assert_eq!(likers(&stores, chat, ids[0]).await, ids);
    let mut counts: Vec<u64> = toggle_together(&stores, said, &ids).await.iter().map(|toggle| toggle.likes).collect();
    counts.sort_unstable();
    assert_eq!(counts, (0..12).collect::<Vec<_>>());
}

/// Toggles of one user at the same time alternate, so that an even number of them leaves nothing.
pub async fn concurrent_toggles_of_one_user_alternate(stores: Stores) {
    let (ids, chat, said) = scene(&stores, 1).await;
    let toggles = toggle_together(&stores, said, &[ids[0]; 10]).await;
    let mut outcomes: Vec<(bool, u64)> = toggles.iter().map(|toggle| (toggle.liked, toggle.likes)).collect();
    outcomes.sort_unstable();
    assert_eq!(outcomes, [vec![(false, 0); 5], vec![(true, 1); 5]].concat());
    assert_eq!(likers(&stores, chat, ids[0]).await, []);
}

/// Likes are shown in order of the likers' ids, not of time.
pub async fn likes_are_shown_in_order_of_user(stores: Stores) {
    let (ids, chat, said) = scene(&stores, 5).await;
    for user in [3, 0, 4, 2, 1] {
        toggle(&stores, said, ids[user]).await;
    }
    assert_eq!(likers(&stores, chat, ids[4]).await, ids);
}

/// A group of so many users in which the first has said something.
async fn scene(stores: &Stores, count: u32) -> (Vec<UserId>, ChatId, MessageId) {
    let ids = users(stores, count).await;
    let chat = group(ids[0], &ids).add(stores).await;
    let said = message(chat, ids[0]).add(stores).await.id;
    (ids, chat, said)
}

async fn toggle(stores: &Stores, message: MessageId, user: UserId) -> Option<LikeToggle> {
    stores.likes.toggle(message, user, moment(1), unheard()).await.expect("toggle like")
}

async fn toggle_together(stores: &Stores, message: MessageId, users: &[UserId]) -> Vec<LikeToggle> {
    together(
        users.iter().copied().map(|user| {
            let store = Arc::clone(&stores.likes);
            async move {
                store.toggle(message, user, moment(1), unheard()).await.expect("toggle like").expect("a member likes")
            }
        }),
    )
    .await
}

/// Who likes the newest message of a chat, as shown.
async fn likers(stores: &Stores, chat: ChatId, reader: UserId) -> Vec<UserId> {
    let request = PageRequest::parse(Some(1), None, None).expect("a valid request");
    let page = stores.messages.page(chat, reader, request).await.expect("page").expect("a member reads");
    page.messages[0].likes.iter().map(|liker| liker.id).collect()
}
