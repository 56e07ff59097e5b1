//! What [`Chats`](mango_domain::ports::Chats) promises.

mod lists;

use std::sync::Arc;

use mango_domain::model::{ChatId, ChatKind, ChatName, UserId};
use mango_domain::ports::{CreateChatError, StoredChat};

pub use lists::*;

use super::together;
use crate::Stores;
use crate::build::{brief, direct, group, message, moment, photo, unheard, user, users};

/// `create` gives the new chat with its members in order of id, without messages and without a pin.
pub async fn a_new_group_is_as_its_creator_sees_it(stores: Stores) {
    let ann = user(1).name("Ann").photo(photo(1)).add(&stores).await;
    let bob = user(2).add(&stores).await;
    let cat = user(3).name("Cat").add(&stores).await;
    let created =
        group(cat.id, &[bob.id, ann.id, bob.id]).name("Three \"friends\" 🥭").at(moment(7)).create(&stores).await;
    assert!(created.is_new);
    let chat = created.chat;
    assert_eq!(chat.record.name, Some(ChatName::parse("Three \"friends\" 🥭").expect("a name")));
    assert_eq!((chat.record.kind, chat.record.created_at), (ChatKind::Group, moment(7)));
    let briefs = [ann, bob, cat].map(|user| brief(&user));
    assert_eq!(chat.members, briefs);
    assert_eq!((&chat.last_message, chat.pinned), (&None, false));
    for brief in briefs {
        assert_eq!(find(&stores, chat.record.id, brief.id).await, Some(chat.clone()));
    }
}

/// A group of one is fine.
pub async fn a_group_has_its_creator_alone_if_so_asked(stores: Stores) {
    let ids = users(&stores, 1).await;
    let chat = group(ids[0], &[]).create(&stores).await.chat;
    assert_eq!(member_ids(&chat), ids);
}

/// Members who do not exist are named, all of them, and nothing is created, for groups and direct chats alike.
pub async fn unknown_members_create_nothing(stores: Stores) {
    let ids = users(&stores, 2).await;
    let nobody: Vec<UserId> = (1_000_000..1_009_998).map(UserId::new).collect();
    let members: Vec<UserId> = ids.iter().chain(&nobody).copied().collect();
    for (chat, expected) in [
        (group(ids[0], &members), &nobody[..]),
        (group(ids[0], &[nobody[3], ids[1], nobody[1]]), &[nobody[1], nobody[3]]),
        (direct(ids[0], nobody[0]), &[nobody[0]]),
        (direct(nobody[0], ids[0]), &[nobody[0]]),
        (group(nobody[5], &[]), &[nobody[5]]),
    ] {
        match stores.chats.create(chat.build(), unheard()).await {
            Err(CreateChatError::UnknownMembers(mut unknown)) => {
                unknown.sort();
                assert_eq!(unknown, expected);
            }
            other => assert!(matches!(other, Err(CreateChatError::UnknownMembers(_))), "{other:?}"),
        }
    }
    for id in ids {
        assert_eq!(stores.chats.ids_of(id).await.expect("ids"), []);
        assert_eq!(list(&stores, id).await, []);
    }
}

/// A large group is created whole and every member has it.
pub async fn a_group_may_have_many_members(stores: Stores) {
    let mut ids = together((1..=300).map(|n| {
        let stores = stores.clone();
        async move { user(n).add(&stores).await.id }
    }))
    .await;
    ids.sort();
    let chat = group(ids[150], &ids).create(&stores).await.chat;
    assert_eq!(member_ids(&chat), ids);
    assert_eq!(find(&stores, chat.record.id, ids[299]).await, Some(chat.clone()));
    assert_eq!(list(&stores, ids[0]).await, [chat]);
}

/// Only direct chats are unique for their members.
pub async fn equal_groups_are_different_chats(stores: Stores) {
    let ids = users(&stores, 2).await;
    let mut chats = Vec::new();
    for chat in [group(ids[0], &ids), group(ids[0], &ids), direct(ids[0], ids[1])] {
        let created = chat.create(&stores).await;
        assert!(created.is_new);
        chats.push(created.chat.record.id);
    }
    chats.sort();
    chats.dedup();
    assert_eq!(chats.len(), 3);
}

/// A direct chat is created once for its pair, whoever asks and whatever name they give; other pairs have their own.
pub async fn a_pair_has_one_direct_chat(stores: Stores) {
    let ids = users(&stores, 3).await;
    let first = direct(ids[1], ids[0]).name("First").at(moment(1)).create(&stores).await;
    assert!(first.is_new);
    assert_eq!(first.chat.record.kind, ChatKind::Direct);
    assert_eq!(member_ids(&first.chat), ids[..2]);
    for (creator, other) in [(0, 1), (1, 0)] {
        let again = direct(ids[creator], ids[other]).name("Again").at(moment(2)).create(&stores).await;
        assert!(!again.is_new);
        assert_eq!(again.chat, first.chat);
    }
    for (creator, other) in [(0, 2), (2, 1)] {
        let another = direct(ids[creator], ids[other]).create(&stores).await;
        assert!(another.is_new);
        assert_eq!(another.chat.record.name, None);
    }
    assert_eq!(stores.chats.ids_of(ids[0]).await.expect("ids").len(), 2);
}

/// A direct chat that exists comes with its last message, likes and the caller's own pin.
pub async fn an_existing_direct_chat_is_as_the_caller_sees_it(stores: Stores) {
    let ids = users(&stores, 2).await;
    let chat = direct(ids[0], ids[1]).add(&stores).await;
    let last = message(chat, ids[0]).add(&stores).await;
    stores.likes.toggle(last.id, ids[1], moment(1), unheard()).await.expect("like");
    stores.chats.toggle_pin(chat, ids[1], moment(1), unheard()).await.expect("pin");
    for (caller, other, pinned) in [(0, 1, false), (1, 0, true)] {
        let seen = direct(ids[caller], ids[other]).create(&stores).await.chat;
        assert_eq!(seen.pinned, pinned);
        let posted = seen.last_message.expect("a last message");
        assert_eq!(posted.message.id, last.id);
        assert_eq!(posted.likes.iter().map(|liker| liker.id).collect::<Vec<_>>(), [ids[1]]);
    }
}

/// When both of a pair open their chat at the same time they get the same one, created once.
pub async fn concurrent_creations_from_both_sides_give_one_chat(stores: Stores) {
    let ids = users(&stores, 2).await;
    let (a, b) = (ids[0], ids[1]);
    let created = together((0..12).map(|n| {
        let stores = stores.clone();
        let chat = if n % 2 == 0 { direct(a, b) } else { direct(b, a) };
        async move { chat.create(&stores).await }
    }))
    .await;
    assert_eq!(created.iter().filter(|created| created.is_new).count(), 1);
    for one in &created {
        assert_eq!(one.chat, created[0].chat);
    }
    assert_eq!(stores.chats.ids_of(a).await.expect("ids"), [created[0].chat.record.id]);
}

/// `find` is `None` for a chat that is not there and for one of others.
pub async fn a_chat_is_found_by_its_members_alone(stores: Stores) {
    let ids = users(&stores, 3).await;
    let chat = direct(ids[0], ids[1]).create(&stores).await.chat;
    let id = chat.record.id;
    assert_eq!(find(&stores, id, ids[0]).await, Some(chat.clone()));
    assert_eq!(find(&stores, id, ids[1]).await, Some(chat));
    assert_eq!(find(&stores, id, ids[2]).await, None);
    assert_eq!(find(&stores, id, UserId::new(1_000_000)).await, None);
    assert_eq!(find(&stores, ChatId::new(id.get() + 1), ids[0]).await, None);
}

/// `ids_of` gives all chats of the user, direct and group, created by themselves or others.
pub async fn ids_are_those_of_all_chats_of_the_user(stores: Stores) {
    let ids = users(&stores, 3).await;
    let mut expected = vec![
        group(ids[0], &[]).add(&stores).await,
        group(ids[1], &[ids[0]]).add(&stores).await,
        direct(ids[2], ids[0]).add(&stores).await,
    ];
    group(ids[1], &[ids[2]]).add(&stores).await;
    expected.sort();
    let mut found = stores.chats.ids_of(ids[0]).await.expect("ids");
    found.sort();
    assert_eq!(found, expected);
    assert_eq!(stores.chats.ids_of(UserId::new(1_000_000)).await.expect("ids"), []);
}

/// A pin is set, taken away and set again by a member for themselves, and by nobody else.
pub async fn pins_are_toggled_by_members_alone(stores: Stores) {
    let ids = users(&stores, 3).await;
    let chat = group(ids[0], &[ids[1]]).add(&stores).await;
    for (user, expected) in [(0, Some(true)), (1, Some(true)), (0, Some(false)), (0, Some(true)), (2, None)] {
        let toggled = stores.chats.toggle_pin(chat, ids[user], moment(1), unheard()).await.expect("pin");
        assert_eq!(toggled.map(|toggled| toggled.pinned), expected, "user {user}");
        let seen = find(&stores, chat, ids[user]).await.map(|chat| chat.pinned);
        assert_eq!(seen, expected, "user {user}");
    }
    let unknown = ChatId::new(chat.get() + 1);
    assert_eq!(stores.chats.toggle_pin(unknown, ids[0], moment(1), unheard()).await.expect("pin"), None);
}

/// As many concurrent toggles set the pin as take it away when their number is even.
pub async fn concurrent_pin_toggles_are_decided_one_after_the_other(stores: Stores) {
    let ids = users(&stores, 1).await;
    let me = ids[0];
    let chat = group(me, &[]).add(&stores).await;
    let toggled = together((0..8).map(|_| {
        let store = Arc::clone(&stores.chats);
        async move { store.toggle_pin(chat, me, moment(1), unheard()).await.expect("pin") }
    }))
    .await;
    assert_eq!(toggled.iter().flatten().filter(|toggled| toggled.pinned).count(), 4, "{toggled:?}");
    assert_eq!(toggled.iter().flatten().filter(|toggled| !toggled.pinned).count(), 4, "{toggled:?}");
    assert_eq!(find(&stores, chat, me).await.map(|chat| chat.pinned), Some(false));
}

fn member_ids(chat: &StoredChat) -> Vec<UserId> {
    chat.members.iter().map(|member| member.id).collect()
}

async fn find(stores: &Stores, chat: ChatId, user: UserId) -> Option<StoredChat> {
    stores.chats.find(chat, user).await.expect("find chat")
}

async fn list(stores: &Stores, user: UserId) -> Vec<StoredChat> {
    stores.chats.list(user, false).await.expect("list chats")
}
