//! That the pages of [`Changes::since`](mango_domain::ports::Changes::since) leave nothing out.

use std::collections::BTreeMap;

use super::{like, sync};
use crate::Stores;
use crate::build::{group, message, moment, users};

/// A page of any length leads, page by page, to the same as one page of all.
pub async fn pages_of_changes_add_up(stores: Stores) {
    let ids = users(&stores, 2).await;
    let mut versions = BTreeMap::new();
    for n in 0..5 {
        let chat = group(ids[0], &ids).at(moment(n)).add(&stores).await;
        let mut said = Vec::new();
        for _ in 0..n {
            said.push(message(chat, ids[1]).add(&stores).await.id);
        }
        for liked in &said {
            like(&stores, *liked, ids[0]).await;
        }
        versions.insert(chat, 1 + 2 * n);
    }
    let whole = sync(&stores, ids[0], [], None).await;
    for limit in [1, 2, 3, 7, 20] {
        let (mut known, mut messages, mut pages) = (BTreeMap::new(), BTreeMap::new(), 0);
        loop {
            let page = sync(&stores, ids[0], known.clone(), Some(limit)).await;
            let count: usize = page.chats.iter().map(|chat| chat.messages.len()).sum();
            assert!(count <= usize::try_from(limit).expect("a small limit"));
            for chat in page.chats {
                assert_eq!(chat.more, chat.version.get() < versions[&chat.id]);
                assert_eq!(chat.chat.is_some(), !known.contains_key(&chat.id), "the chat itself comes once");
                known.insert(chat.id, chat.version.get());
                messages.extend(chat.messages.into_iter().map(|told| (told.message.id, told)));
            }
            pages += 1;
            if !page.more {
                break;
            }
        }
        assert_eq!(known, versions, "limit {limit}, {pages} pages");
        let expected: Vec<_> = whole.chats.iter().flat_map(|chat| &chat.messages).collect();
        assert_eq!(messages.len(), expected.len());
        assert!(expected.iter().all(|told| messages.get(&told.message.id) == Some(told)));
    }
}

/// While likes move messages to ever newer versions, an answer has every message up to the version that it says it reaches.
pub async fn an_answer_leaves_nothing_out_while_chats_change(stores: Stores) {
    const SAID: usize = 5;
    // With these the range is still within the largest limit, so that one answer has to hold everything.
    const LIKES: usize = 600;
    let ids = users(&stores, 2).await;
    let chat = group(ids[0], &ids).add(&stores).await;
    let mut said = Vec::new();
    for _ in 0..SAID {
        said.push(message(chat, ids[1]).add(&stores).await.id);
    }
    let liking = tokio::spawn({
        let (stores, liker) = (stores.clone(), ids[1]);
        async move {
            for n in 0..LIKES {
                like(&stores, said[n % SAID], liker).await;
            }
        }
    });
    while !liking.is_finished() {
        let page = sync(&stores, ids[0], [], Some(1000)).await;
        let [told] = &page.chats[..] else { panic!("one chat") };
        assert_eq!(told.messages.len(), SAID, "up to {:?}", told.version);
        tokio::task::yield_now().await;
    }
    liking.await.expect("the likes");
}
