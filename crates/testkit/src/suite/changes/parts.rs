//! That a client can ask about its chats part by part.

use std::collections::{BTreeMap, BTreeSet};

use mango_domain::model::{ChatId, SyncPage, SyncRequest, UserId, Version};

use crate::Stores;
use crate::build::{group, message, moment, users};

/// Asks about the chats above `after` and up to `until`, of which these are known.
async fn sync_part(
    stores: &Stores,
    user: UserId,
    known: &BTreeMap<ChatId, Version>,
    (after, until): (Option<ChatId>, Option<ChatId>),
    limit: Option<i64>,
) -> SyncPage {
    let mut known = known.clone();
    known.retain(|chat, _| after.is_none_or(|after| *chat > after) && until.is_none_or(|until| *chat <= until));
    let request = SyncRequest::parse(known, None, limit).expect("a valid request").with_part(after, until);
    stores.changes.since(user, request.expect("chats of that part")).await.expect("sync")
}

fn ids(page: &SyncPage) -> Vec<ChatId> {
    page.chats.iter().map(|chat| chat.id).collect()
}

/// Chats that are not asked about are neither told nor gone, and those above one are told in order of id.
pub async fn a_part_of_the_chats_is_told_alone(stores: Stores) {
    let users = users(&stores, 2).await;
    let mut chats = Vec::new();
    // The last one is the least recently active.
    for n in (0..5).rev() {
        chats.push(group(users[0], &users).at(moment(n)).add(&stores).await);
    }
    let [first, second, third, fourth, fifth] = chats[..] else { panic!("five chats") };
    let none = BTreeMap::new();
    for (part, expected) in [
        ((None, None), vec![first, second, third, fourth, fifth]),
        ((None, Some(second)), vec![first, second]),
        ((Some(ChatId::new(0)), None), vec![first, second, third, fourth, fifth]),
        ((Some(second), Some(fourth)), vec![third, fourth]),
        ((Some(fourth), None), vec![fifth]),
        ((Some(fifth), None), vec![]),
        ((Some(third), Some(second)), vec![]),
    ] {
        let page = sync_part(&stores, users[0], &none, part, None).await;
        assert_eq!(ids(&page), expected, "{part:?}");
        assert_eq!(page.member_of.iter().copied().collect::<BTreeSet<_>>(), expected.into_iter().collect(), "{part:?}");
        assert!(page.gone.is_empty() && !page.more, "{part:?}");
    }
    for _ in 0..3 {
        message(first, users[1]).at(moment(9)).add(&stores).await;
    }
    let theirs = group(users[1], &[]).add(&stores).await;
    message(third, users[1]).at(moment(10)).add(&stores).await;
    let known = chats.iter().chain([&theirs]).map(|chat| (*chat, Version::new(1))).collect();
    let page = sync_part(&stores, users[0], &known, (None, None), None).await;
    assert_eq!((ids(&page), page.gone), (vec![third, first], vec![theirs]), "most recently active first");
    let page = sync_part(&stores, users[0], &known, (Some(ChatId::new(0)), Some(fifth)), None).await;
    assert_eq!((ids(&page), page.gone), (vec![first, third], vec![]), "in order of id");
    let page = sync_part(&stores, users[0], &known, (Some(first), None), None).await;
    assert_eq!((ids(&page), page.gone), (vec![third], vec![theirs]));
}

/// Who goes on behind the last chat of an answer comes to every chat, in as many answers as there are chats at the most, also when some
/// of them have more to tell each time than an answer holds.
pub async fn every_chat_is_reached_while_others_change(stores: Stores) {
    const LIMIT: i64 = 3;
    let users = users(&stores, 2).await;
    let mut chats = Vec::new();
    for n in 0..6 {
        chats.push(group(users[0], &users).at(moment(n)).add(&stores).await);
        message(chats[chats.len() - 1], users[1]).at(moment(n)).add(&stores).await;
    }
    let busy = [chats[0], chats[2], chats[5]];
    let (mut known, mut after, mut answers) = (BTreeMap::new(), ChatId::new(0), 0);
    loop {
        for (n, chat) in busy.iter().cycle().take(15).enumerate() {
            message(*chat, users[1]).at(moment(100 + i64::try_from(n).expect("a small number"))).add(&stores).await;
        }
        let page = sync_part(&stores, users[0], &known, (Some(after), None), Some(LIMIT)).await;
        known.extend(page.chats.iter().map(|chat| (chat.id, chat.version)));
        answers += 1;
        if !page.more {
            break;
        }
        after = page.chats.last().map(|chat| chat.id).expect("it leads on");
        assert!(answers <= chats.len(), "it goes round in circles");
    }
    assert_eq!(known.keys().copied().collect::<Vec<_>>(), chats);
    for chat in [chats[1], chats[3], chats[4]] {
        assert_eq!(known[&chat].get(), 2, "all of a chat that nothing happened in");
    }
}
