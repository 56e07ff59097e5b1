//! What [`Chats::list`](mango_domain::ports::Chats::list) promises.

use mango_domain::model::{ChatId, UserId};

use super::{find, list};
use crate::Stores;
use crate::build::{brief, direct, group, message, moment, photo, unheard, user, users};

/// The list has the chat with the newest message, or that was created last, first.
pub async fn the_list_is_ordered_by_activity(stores: Stores) {
    let ids = users(&stores, 2).await;
    let (me, other) = (ids[0], ids[1]);
    let mut chats = Vec::new();
    for second in [10, 20, 30, 40] {
        chats.push(group(me, &[other]).at(moment(second)).add(&stores).await);
    }
    let [a, b, c, d] = chats[..] else { return assert_eq!(chats.len(), 4) };
    check_list(&stores, me, &[d, c, b, a]).await;
    message(a, other).at(moment(50)).add(&stores).await;
    check_list(&stores, me, &[a, d, c, b]).await;
    message(c, me).at(moment(60)).add(&stores).await;
    check_list(&stores, me, &[c, a, d, b]).await;
    message(b, me).at(moment(35)).add(&stores).await;
    check_list(&stores, me, &[c, a, d, b]).await;
    message(a, me).at(moment(70)).add(&stores).await;
    check_list(&stores, me, &[a, c, d, b]).await;
    check_list(&stores, other, &[a, c, d, b]).await;
    let new = direct(other, me).at(moment(65)).add(&stores).await;
    check_list(&stores, me, &[a, new, c, d, b]).await;
}

/// Chats that were active at the same moment stand by id, highest first.
pub async fn chats_of_one_moment_are_ordered_by_id(stores: Stores) {
    let ids = users(&stores, 1).await;
    let mut chats = Vec::new();
    for _ in 0..4 {
        chats.push(group(ids[0], &[]).at(moment(10)).add(&stores).await);
    }
    chats.sort();
    chats.reverse();
    check_list(&stores, ids[0], &chats).await;
    for chat in &chats {
        message(*chat, ids[0]).at(moment(20)).add(&stores).await;
    }
    check_list(&stores, ids[0], &chats).await;
}

/// Each chat of the list is as `find` gives it: members, newest message with its likes, the user's own pin.
pub async fn the_list_shows_members_last_messages_likes_and_pins(stores: Stores) {
    let ann = user(1).name("Ann").photo(photo(1)).add(&stores).await;
    let bob = user(2).name("Bob").add(&stores).await;
    let busy = group(ann.id, &[bob.id]).at(moment(1)).add(&stores).await;
    let quiet = group(ann.id, &[]).at(moment(2)).add(&stores).await;
    let old = message(busy, ann.id).text("old").at(moment(3)).add(&stores).await;
    let last = message(busy, bob.id).text("last").at(moment(4)).add(&stores).await;
    for (liked, liker) in [(old.id, ann.id), (last.id, bob.id), (last.id, ann.id)] {
        stores.likes.toggle(liked, liker, moment(5), unheard()).await.expect("like");
    }
    stores.chats.toggle_pin(busy, ann.id, moment(6), unheard()).await.expect("pin");

    for (viewer, expected_pin, expected_chats) in [(ann.id, true, &[busy, quiet][..]), (bob.id, false, &[busy])] {
        let listed = list(&stores, viewer).await;
        assert_eq!(listed.iter().map(|chat| chat.record.id).collect::<Vec<_>>(), expected_chats);
        assert_eq!(listed[0].pinned, expected_pin);
        let posted = listed[0].last_message.clone().expect("a last message");
        assert_eq!(posted.message.id, last.id);
        let briefs = [&ann, &bob].map(brief);
        assert_eq!(posted.likes, briefs);
        assert_eq!(listed[0].members, briefs);
        for chat in listed {
            assert_eq!(find(&stores, chat.record.id, viewer).await, Some(chat));
        }
    }
    assert_eq!(list(&stores, ann.id).await[1].last_message, None);
}

/// Nobody's list has a chat of others.
pub async fn the_list_has_only_chats_of_the_user(stores: Stores) {
    let ids = users(&stores, 3).await;
    let shared = group(ids[0], &[ids[1]]).at(moment(1)).add(&stores).await;
    let own = group(ids[1], &[]).at(moment(2)).add(&stores).await;
    check_list(&stores, ids[0], &[shared]).await;
    check_list(&stores, ids[1], &[own, shared]).await;
    check_list(&stores, ids[2], &[]).await;
}

/// With `pinned_only` the list has what the user, not another, has pinned, in the same order.
pub async fn the_pinned_list_has_only_the_pinned(stores: Stores) {
    let ids = users(&stores, 2).await;
    let mut chats = Vec::new();
    for second in [10, 20, 30] {
        chats.push(group(ids[0], &[ids[1]]).at(moment(second)).add(&stores).await);
    }
    for (chat, pinner) in [(2, 0), (0, 0), (1, 1)] {
        stores.chats.toggle_pin(chats[chat], ids[pinner], moment(40), unheard()).await.expect("pin");
    }
    check_pinned(&stores, ids[0], &[chats[2], chats[0]]).await;
    check_pinned(&stores, ids[1], &[chats[1]]).await;
    check_list(&stores, ids[0], &[chats[2], chats[1], chats[0]]).await;
    stores.chats.toggle_pin(chats[2], ids[0], moment(41), unheard()).await.expect("pin");
    check_pinned(&stores, ids[0], &[chats[0]]).await;
}

async fn check_list(stores: &Stores, user: UserId, expected: &[ChatId]) {
    let ids: Vec<ChatId> = list(stores, user).await.iter().map(|chat| chat.record.id).collect();
    assert_eq!(ids, expected);
}

async fn check_pinned(stores: &Stores, user: UserId, expected: &[ChatId]) {
    let listed = stores.chats.list(user, true).await.expect("list pinned chats");
    assert!(listed.iter().all(|chat| chat.pinned));
    let ids: Vec<ChatId> = listed.iter().map(|chat| chat.record.id).collect();
    assert_eq!(ids, expected);
}
