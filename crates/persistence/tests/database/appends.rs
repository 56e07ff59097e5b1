//! Messages are committed in groups, and no message suffers from its group.

use std::collections::BTreeSet;

use mango_domain::FailureKind;
use mango_domain::model::{MessageBody, MessageType};
use mango_persistence::Options;
use mango_testkit::build::{group, message, unheard, user, users};
use mango_testkit::suite::together;

use crate::support::{Backend, open, queue, stores, until_writing};

/// A message that the database refuses fails alone: its neighbours in the group are committed, without a hole.
async fn a_bad_message_does_not_fail_its_group<B: Backend>() {
    let backend = B::with(Options { writers: 1, ..Options::default() }).await;
    let stores = stores(backend.database());
    let ids = users(&stores, 1).await;
    let stranger = user(2).add(&stores).await.id;
    let chat = group(ids[0], &[]).add(&stores).await;
    let empty = MessageBody::from_store(MessageType::Text, String::new());
    let mut outsider = backend.outsider().await;
    outsider.lock().await;
    let first = queue(&stores, message(chat, ids[0]).build()).await;
    until_writing(backend.database(), 1).await;
    // All of these wait until the first is committed, and then make one group.
    let mut good = vec![first];
    for _ in 0..10 {
        good.push(queue(&stores, message(chat, ids[0]).build()).await);
    }
    let bad = queue(&stores, message(chat, ids[0]).body(empty).build()).await;
    let strange = queue(&stores, message(chat, stranger).build()).await;
    for _ in 0..10 {
        good.push(queue(&stores, message(chat, ids[0]).build()).await);
    }
    outsider.release().await;

    assert_eq!(bad.await.unwrap_err().kind, FailureKind::Broken);
    assert_eq!(strange.await.unwrap(), None);
    let mut seqs = Vec::new();
    for appended in good {
        seqs.push(appended.await.unwrap().unwrap().message.seq.get());
    }
    assert_eq!(seqs, (1..=21).collect::<Vec<_>>());
}

/// Two nodes are sent the same messages at the same instant: one of them stores each, both give it.
async fn two_nodes_are_sent_the_same<B: Backend>() {
    let backend = B::with(Options::default()).await;
    let other = open(backend.database().url(), Options::default()).await;
    let nodes = [stores(backend.database()), stores(&other)];
    let ids = users(&nodes[0], 1).await;
    let chat = group(ids[0], &[]).add(&nodes[0]).await;
    for n in 0..50 {
        // Alone, and with others in its group.
        let client_ids = [format!("{n}"), format!("{n}a"), format!("{n}b")];
        let each =
            client_ids.iter().take(1 + n % 3).flat_map(|client_id| nodes.iter().map(move |node| (node, client_id)));
        let sent = together(each.map(|(stores, client_id)| {
            let (stores, message) = (stores.clone(), message(chat, ids[0]).client_id(client_id).build());
            async move { stores.messages.append(message, unheard()).await.unwrap().unwrap() }
        }))
        .await;
        for pair in sent.chunks(2) {
            assert_eq!(pair[0].message, pair[1].message, "{n}");
            assert!(pair[0].is_new != pair[1].is_new, "{n}");
        }
    }
}

/// Two nodes append to the same chats at the same time: no deadlock, no hole, no duplicate.
async fn two_nodes_share_chats<B: Backend>() {
    const EACH: usize = 20;
    let backend = B::with(Options::default()).await;
    let other = open(backend.database().url(), Options::default()).await;
    let nodes = [stores(backend.database()), stores(&other)];
    let ids = users(&nodes[0], 1).await;
    let mut chats = Vec::new();
    for _ in 0..6 {
        chats.push(group(ids[0], &[]).add(&nodes[0]).await);
    }
    let appended = together((0..32).map(|task| {
        let (stores, chats, sender) = (nodes[task % 2].clone(), chats.clone(), ids[0]);
        async move {
            let mut places = Vec::new();
            for n in 0..EACH {
                let sent = message(chats[(task + n) % chats.len()], sender).add(&stores).await;
                places.push((sent.chat, sent.seq.get()));
            }
            places
        }
    }))
    .await;
    let places: BTreeSet<_> = appended.iter().flatten().copied().collect();
    assert_eq!(places.len(), 32 * EACH, "a seq twice");
    for chat in chats {
        let seqs: Vec<_> = places.iter().filter(|(of, _)| *of == chat).map(|(_, seq)| *seq).collect();
        assert_eq!(seqs, (1..).take(seqs.len()).collect::<Vec<_>>(), "a hole");
    }
}

on_both! {
    a_bad_message_does_not_fail_its_group
    two_nodes_are_sent_the_same
    two_nodes_share_chats
}
