//! How many queries there are, however much they are about.

use std::collections::{BTreeMap, BTreeSet};

use mango_domain::model::{PageRequest, SyncRequest, Version};
use mango_domain::ports::ChatSelection;
use mango_persistence::Options;
use mango_testkit::build::{group, message, moment, unheard, users};

use crate::support::{Backend, queue, stores, until_writing};
use crate::workload::fill;
use crate::{TURN, listen, sent_by};

/// A list takes as many queries for a hundred chats as for one.
async fn a_list_is_a_bounded_number_of_queries<B: Backend>() {
    let _turn = TURN.lock().await;
    listen();
    let backend = B::with(Options::default()).await;
    let stores = stores(backend.database());
    let ids = users(&stores, 3).await;
    let mut counts = Vec::new();
    for chats in [1, 99] {
        for _ in 0..chats {
            let chat = group(ids[0], &ids).add(&stores).await;
            let said = message(chat, ids[1]).add(&stores).await;
            stores.likes.toggle(said.id, ids[2], moment(1), unheard()).await.unwrap();
            stores.chats.toggle_pin(chat, ids[0], moment(1), unheard()).await.unwrap();
        }
        for selection in [ChatSelection::All, ChatSelection::Pinned] {
            counts.push(sent_by(async { stores.chats.list(ids[0], selection).await.unwrap() }).await.len());
        }
    }
    assert_eq!(stores.chats.list(ids[0], ChatSelection::Pinned).await.unwrap().chats.len(), 100);
    assert_eq!(
        counts,
        [4, 4, 6, 6],
        "chats, members, last messages, likes; of several the two sizes of the answer too"
    );
}

/// To catch up takes as many queries for a hundred chats as for one.
async fn a_sync_is_a_bounded_number_of_queries<B: Backend>() {
    let _turn = TURN.lock().await;
    listen();
    let backend = B::with(Options::default()).await;
    let stores = stores(backend.database());
    let ids = users(&stores, 3).await;
    let mut counts = Vec::new();
    for chats in [1, 99] {
        for _ in 0..chats {
            let chat = group(ids[0], &ids).add(&stores).await;
            let said = message(chat, ids[1]).add(&stores).await;
            stores.likes.toggle(said.id, ids[2], moment(1), unheard()).await.unwrap();
        }
        let request = SyncRequest::parse([].into(), None, None).unwrap();
        stores.changes.epoch().await.unwrap();
        counts.push(sent_by(async { stores.changes.since(ids[0], request).await.unwrap() }).await.len());
    }
    let all = "BEGIN, versions, pins, profiles, members to be, messages, last messages and likes to be, chats with members, last messages and \
               likes, messages, likes, COMMIT";
    for likes in [20, 1] {
        let chat = group(ids[0], &ids).add(&stores).await;
        let said = message(chat, ids[1]).add(&stores).await;
        for _ in 0..likes {
            stores.likes.toggle(said.id, ids[2], moment(1), unheard()).await.unwrap();
        }
    }
    let request = SyncRequest::parse([].into(), None, Some(10)).unwrap();
    counts.push(sent_by(async { stores.changes.since(ids[0], request).await.unwrap() }).await.len());
    assert_eq!(
        counts,
        [14, 15, 16],
        "{all}, where one chat can have no more members than an answer; messages of chats with more changes than the limit apart"
    );
}

/// A page takes as many queries for two hundred messages as for one; those with large contents are read in another.
async fn a_page_is_a_bounded_number_of_queries<B: Backend>() {
    let _turn = TURN.lock().await;
    listen();
    let backend = B::with(Options::default()).await;
    let stores = stores(backend.database());
    let ids = users(&stores, 1).await;
    let chat = group(ids[0], &[]).add(&stores).await;
    let request = PageRequest::parse(Some(200), None, None).unwrap();
    let mut counts = Vec::new();
    for (messages, content) in [(1, "hi"), (199, "hi"), (1, &"x".repeat(64 * 1024))] {
        for _ in 0..messages {
            message(chat, ids[0]).text(content).add(&stores).await;
        }
        counts.push(sent_by(async { stores.messages.page(chat, ids[0], request).await.unwrap() }).await.len());
    }
    assert_eq!(counts, [2, 2, 3], "messages, likes, and contents that are large");
}

/// Statements are kept prepared on every connection, so there are few of them, whatever the number of chats or of duplicates.
async fn statements_do_not_grow_in_number<B: Backend>() {
    let _turn = TURN.lock().await;
    listen();
    let backend = B::with(Options { writers: 1, ..Options::default() }).await;
    let stores = stores(backend.database());
    let ids = users(&stores, 1).await;
    let (mut syncs, mut finds) = (BTreeSet::new(), BTreeSet::new());
    let mut known = BTreeMap::new();
    let mut outsider = backend.outsider().await;
    for n in 1..=20_usize {
        let chat = group(ids[0], &[]).add(&stores).await;
        message(chat, ids[0]).client_id(&n.to_string()).add(&stores).await;
        known.insert(chat, Version::new(1));
        let request = SyncRequest::parse(known.clone(), None, None).unwrap();
        let sent = sent_by(async { assert_eq!(stores.changes.since(ids[0], request).await.unwrap().chats.len(), n) });
        // A list of parameters, as SQLite has it, is prepared each time and not kept.
        syncs.extend(sent.await.into_iter().filter(|sql| sql.contains("version") && !sql.contains(" IN (")));

        outsider.lock().await;
        let sent = sent_by(async {
            let mut waiting = vec![queue(&stores, message(chat, ids[0]).build()).await];
            until_writing(backend.database(), 1).await;
            for (n, chat) in (1..).zip(known.keys()) {
                waiting.push(queue(&stores, message(*chat, ids[0]).client_id(&n.to_string()).build()).await);
            }
            outsider.release().await;
            futures_util::future::try_join_all(waiting).await.unwrap()
        });
        finds.extend(sent.await.into_iter().filter(|sql| sql.contains("client_id") && !sql.contains("INSERT")));
    }
    assert!(
        (1..=9).contains(&syncs.len()),
        "chats, messages, likes, and sizes for 1, 2, 4, 8, 16 and 32 chats: {syncs:#?}"
    );
    assert_eq!(finds.len(), 1, "{finds:#?}");
}

/// A group of 10,000 members is created in a handful of statements.
async fn a_large_group_takes_few_statements<B: Backend>() {
    let _turn = TURN.lock().await;
    listen();
    let backend = B::with(Options::default()).await;
    fill(&mut backend.outsider().await).await;
    let stores = stores(backend.database());
    let members: Vec<_> = (1..=10_000).map(mango_domain::model::UserId::new).collect();
    let sent = sent_by(async {
        let created = stores.chats.create(group(members[0], &members).build(), unheard()).await.unwrap();
        assert_eq!(created.chat.members.len(), 10_000);
    })
    .await;
    let numbered = sent.iter().any(|sql| sql.contains("nextval"));
    let statements = sent.iter().filter(|sql| !["BEGIN", "BEGIN IMMEDIATE", "COMMIT"].contains(&sql.as_str())).count();
    assert_eq!(
        statements,
        if numbered { 4 } else { 3 },
        "the id, where it is drawn beforehand; members, chat, members"
    );
}

/// Messages that come while the database is busy are committed together.
async fn waiting_messages_are_one_group<B: Backend>() {
    let _turn = TURN.lock().await;
    listen();
    let backend = B::with(Options { writers: 1, ..Options::default() }).await;
    let stores = stores(backend.database());
    let ids = users(&stores, 1).await;
    let chat = group(ids[0], &[]).add(&stores).await;
    let mut outsider = backend.outsider().await;
    outsider.lock().await;
    let sent = sent_by(async {
        let mut waiting = vec![queue(&stores, message(chat, ids[0]).build()).await];
        until_writing(backend.database(), 1).await;
        for _ in 0..100 {
            waiting.push(queue(&stores, message(chat, ids[0]).build()).await);
        }
        outsider.release().await;
        futures_util::future::try_join_all(waiting).await.unwrap()
    })
    .await;
    // On PostgreSQL each is one statement: one for a message, and one for any number.
    let commits = sent.iter().filter(|sql| sql.starts_with("WITH ") || *sql == "COMMIT").count();
    assert_eq!(commits, 2, "one for the first and one for the rest: {sent:?}");
}

on_both! {
    a_list_is_a_bounded_number_of_queries
    a_sync_is_a_bounded_number_of_queries
    a_page_is_a_bounded_number_of_queries
    statements_do_not_grow_in_number
    a_large_group_takes_few_statements
    waiting_messages_are_one_group
}
