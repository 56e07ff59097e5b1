//! What [`Chats::list`](mango_domain::ports::Chats::list) promises.

use mango_domain::model::{ChatId, UserId};
use mango_domain::ports::{ChatPage, ChatSelection};

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

/// [`Pinned`](ChatSelection::Pinned) means that the list has what the user, not another, has pinned, in the same order.
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

/// A list that is too large for one page comes in several: each chat once, in the order that it had when the first page was
/// read, unless the user is no longer in it, and as it is when its page is read.
pub async fn a_large_list_comes_in_pages(stores: Stores) {
    let ids = users(&stores, 40).await;
    let me = ids[0];
    let mut chats = Vec::new();
    for second in 0..300 {
        let others = if second < 290 { &ids[..0] } else { &ids[1..] };
        chats.push(group(me, others).at(moment(second)).add(&stores).await);
    }
    let others = group(ids[1], &[ids[2]]).at(moment(0)).add(&stores).await;
    chats.reverse();
    let first = stores.chats.list(me, ChatSelection::All).await.expect("list chats");
    assert!((1..=ChatPage::MAX_CHATS).contains(&first.chats.len()), "{} chats", first.chats.len());
    let told = |page: &ChatPage| page.chats.iter().map(|chat| chat.record.id).collect::<Vec<_>>();
    assert_eq!([told(&first), first.rest.clone()].concat(), chats);

    // A chat that becomes active, or another's that somebody slips in, changes nothing about the others.
    let late = *first.rest.last().expect("a rest");
    let said = message(late, me).at(moment(400)).add(&stores).await;
    let asked = [first.rest.clone(), vec![others]].concat();
    let mut told_later = Vec::new();
    let mut rest = asked;
    while !rest.is_empty() {
        let page = stores.chats.list(me, ChatSelection::These(rest.clone())).await.expect("list chats");
        assert!(page.rest.len() < rest.len());
        if let Some(chat) = page.chats.iter().find(|chat| chat.record.id == late) {
            assert_eq!(chat.last_message.as_ref().map(|last| last.message.id), Some(said.id));
        }
        told_later.extend(told(&page));
        rest = page.rest;
    }
    assert_eq!(told_later, first.rest);
}

/// A page has no more content of last messages than [`ChatPage::MAX_BYTES`], unless a single message is larger.
pub async fn a_page_of_chats_has_a_size(stores: Stores) {
    let me = users(&stores, 1).await[0];
    let mut chats = Vec::new();
    for (second, kilobytes) in (0_i64..).zip([300, 1500, 500, 400, 300]) {
        let chat = group(me, &[]).add(&stores).await;
        message(chat, me).text(&"x".repeat(kilobytes << 10)).at(moment(second)).add(&stores).await;
        chats.push(chat);
    }
    let mut pages = Vec::new();
    let mut selection = ChatSelection::All;
    loop {
        let page = stores.chats.list(me, selection).await.expect("list chats");
        pages.push(page.chats.len());
        if page.rest.is_empty() {
            break;
        }
        selection = ChatSelection::These(page.rest);
    }
    assert_eq!(pages, [2, 1, 1, 1], "300 and 400, then 500, then 1500, then 300 KiB");
}

async fn check_list(stores: &Stores, user: UserId, expected: &[ChatId]) {
    let ids: Vec<ChatId> = list(stores, user).await.iter().map(|chat| chat.record.id).collect();
    assert_eq!(ids, expected);
}

async fn check_pinned(stores: &Stores, user: UserId, expected: &[ChatId]) {
    let ChatPage { chats: listed, rest } =
        stores.chats.list(user, ChatSelection::Pinned).await.expect("list pinned chats");
    assert_eq!(rest, []);
    assert!(listed.iter().all(|chat| chat.pinned));
    let ids: Vec<ChatId> = listed.iter().map(|chat| chat.record.id).collect();
    assert_eq!(ids, expected);
}
