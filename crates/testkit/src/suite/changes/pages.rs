//! That the pages of [`Changes::since`](mango_domain::ports::Changes::since) leave nothing out.

use std::collections::BTreeMap;

use mango_domain::model::{PageRequest, SyncPage, SyncRequest, UserId};

use super::{like, sync};
use crate::Stores;
use crate::build::{group, message, moment, users};
use crate::suite::together;

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

/// Reads all there is for a user page by page, as a client does, and gives the pages. Each leads on, and each tells of a chat itself
/// only once.
async fn read(stores: &Stores, user: UserId, limit: i64) -> Vec<SyncPage> {
    let (mut known, mut pages) = (BTreeMap::new(), Vec::new());
    loop {
        let page = sync(stores, user, known.clone(), Some(limit)).await;
        for chat in &page.chats {
            assert_eq!(chat.chat.is_some(), !known.contains_key(&chat.id), "the chat itself comes once");
            assert!(chat.messages.iter().map(|told| told.message.version).is_sorted());
            assert!(chat.messages.iter().all(|told| told.message.version <= chat.version));
            let before = known.insert(chat.id, chat.version.get());
            assert!(before.is_none_or(|before| before < chat.version.get()), "nothing new of {:?}", chat.id);
        }
        assert!(!page.more || !page.chats.is_empty(), "it does not lead on");
        pages.push(page);
        if !pages.last().is_some_and(|page| page.more) {
            assert_eq!(sync(stores, user, known, None).await.chats, []);
            return pages;
        }
    }
}

/// An answer holds as many messages as may be, however many versions likes have taken between them. A message that is all that changed is told
/// at once, whatever became of it before.
pub async fn pages_hold_messages_and_not_versions(stores: Stores) {
    const LIMIT: usize = 5;
    const SAID: usize = 12;
    let ids = users(&stores, 3).await;
    for n in 0..2 {
        let chat = group(ids[0], &ids[..2]).at(moment(n)).add(&stores).await;
        let mut said = Vec::new();
        for _ in 0..SAID {
            said.push(message(chat, ids[1]).at(moment(n)).add(&stores).await.id);
        }
        // The first half of the messages has changed last, with forty versions between any two of them.
        for liked in &said[..SAID / 2] {
            for _ in 0..41 {
                like(&stores, *liked, ids[1]).await;
            }
        }
    }
    let pages = read(&stores, ids[0], i64::try_from(LIMIT).expect("a small limit")).await;
    let held = |page: &SyncPage| page.chats.iter().map(|chat| chat.messages.len()).sum::<usize>();
    assert_eq!(pages.iter().map(held).collect::<Vec<_>>(), [LIMIT, LIMIT, LIMIT, LIMIT, 2 * SAID - 4 * LIMIT]);

    let chat = group(ids[2], &[]).add(&stores).await;
    let said = message(chat, ids[2]).add(&stores).await.id;
    for _ in 0..300 {
        like(&stores, said, ids[2]).await;
    }
    let page = sync(&stores, ids[2], [(chat, 1)], Some(1)).await;
    let [told] = &page.chats[..] else { panic!("one chat") };
    assert_eq!((told.messages.len(), told.version.get(), told.more), (1, 302, false));
}

/// An answer holds so many bytes of content, last messages of chats included, and is cut where there are more: within a chat or
/// between two. A message that is larger than that comes alone.
pub async fn an_answer_is_kept_to_a_size(stores: Stores) {
    const LARGE: usize = 64 * 1024;
    let ids = users(&stores, 2).await;
    let mut said = BTreeMap::new();
    for (n, sizes) in [vec![LARGE; 20], vec![100], vec![LARGE; 12], vec![], vec![LARGE, 2 << 20, LARGE], vec![10]]
        .into_iter()
        .enumerate()
    {
        let at = moment(i64::try_from(n).expect("a small number"));
        let chat = group(ids[0], &ids).at(at).add(&stores).await;
        let mut first = None;
        for bytes in sizes {
            let sent = message(chat, ids[1]).text(&"x".repeat(bytes)).at(at).add(&stores).await;
            first.get_or_insert(sent.id);
            said.insert(sent.id, sent.body);
        }
        // The first message of the chat is now the one that changed last.
        if let Some(first) = first {
            like(&stores, first, ids[1]).await;
        }
    }
    let pages = read(&stores, ids[0], 1000).await;
    let weights = pages.iter().map(|page| {
        let last = page.chats.iter().filter_map(|chat| chat.chat.as_ref()?.last_message.as_ref());
        let all = page.chats.iter().flat_map(|chat| &chat.messages).chain(last);
        all.map(|told| told.message.body.content().len()).collect::<Vec<_>>()
    });
    for (n, weights) in weights.enumerate() {
        assert!(weights.iter().sum::<usize>() <= SyncRequest::MAX_BYTES || weights.len() == 1, "page {n}: {weights:?}");
    }
    let told = pages.iter().flat_map(|page| &page.chats).flat_map(|chat| &chat.messages);
    let told: BTreeMap<_, _> = told.map(|told| (told.message.id, told.message.body.clone())).collect();
    assert_eq!(told, said);
    assert!(pages.len() <= 8, "{} pages", pages.len());
}

/// An answer has so many likes, those of the last messages of chats included, and is cut where there are more: within a chat or between
/// two. A message that has more than that comes with all of them, and with no other that is liked. Those who go on from one answer to
/// the next know in the end what there is, also when likes are given and taken back meanwhile.
pub async fn an_answer_is_kept_to_so_many_likes(stores: Stores) {
    const MANY: u32 = 2_001;
    const SOME: usize = 250;
    let ids = users(&stores, MANY).await;
    // The likers of each message, chat by chat, of which the last one is the most recently active.
    let mut said = Vec::new();
    for (n, likers) in
        [vec![0, 0, 1], vec![ids.len(), 3], vec![SOME; 7], vec![0, SOME, 0, SOME], vec![]].into_iter().enumerate()
    {
        let at = moment(i64::try_from(n).expect("a small number"));
        let chat = group(ids[0], &ids).at(at).add(&stores).await;
        for likers in likers {
            said.push((message(chat, ids[1]).at(at).add(&stores).await.id, likers));
        }
    }
    together(ids.iter().enumerate().map(|(n, liker)| {
        let (stores, said, liker) = (stores.clone(), said.clone(), *liker);
        async move {
            for (message, _) in said.into_iter().filter(|(_, likers)| n < *likers) {
                like(&stores, message, liker).await;
            }
        }
    }))
    .await;
    let pages = read(&stores, ids[0], 1000).await;
    for (n, page) in pages.iter().enumerate() {
        let last = page.chats.iter().filter_map(|chat| chat.chat.as_ref()?.last_message.as_ref());
        let likes = page.chats.iter().flat_map(|chat| &chat.messages).chain(last).map(|told| told.likes.len());
        let likes: Vec<usize> = likes.filter(|likes| *likes > 0).collect();
        let sum: usize = likes.iter().sum();
        assert!(sum <= SyncRequest::MAX_LIKES || likes.len() == 1, "page {n}: {likes:?}");
    }
    let told = pages.iter().flat_map(|page| &page.chats).flat_map(|chat| &chat.messages);
    let told: BTreeMap<_, _> = told.map(|told| (told.message.id, told.likes.len())).collect();
    assert_eq!(told, said.iter().copied().collect());
    assert!((4..=10).contains(&pages.len()), "{} pages", pages.len());

    let (mut known, mut messages, mut likers) = (BTreeMap::new(), BTreeMap::new(), ids.iter().take(3));
    loop {
        let page = sync(&stores, ids[0], known.clone(), Some(1000)).await;
        for chat in page.chats {
            known.insert(chat.id, chat.version.get());
            messages.extend(chat.messages.into_iter().map(|told| (told.message.id, told)));
        }
        if !page.more {
            break;
        }
        // A like is given here and taken back there: the messages have other versions and are told again.
        if let Some(liker) = likers.next() {
            for (message, _) in said.iter().step_by(3) {
                like(&stores, *message, *liker).await;
            }
        }
    }
    assert_eq!(likers.len(), 0, "there was nothing to go on with");
    assert_eq!(messages.len(), said.len());
    for chat in known.into_keys() {
        let all = PageRequest::parse(Some(200), None, None).expect("a valid request");
        let fresh = stores.messages.page(chat, ids[0], all).await.expect("read history").expect("a member reads");
        for told in fresh.messages {
            assert_eq!(messages.get(&told.message.id), Some(&told));
        }
    }
}

/// An answer tells chats whole up to so many members together, of whom each chat has all.
pub async fn an_answer_is_kept_to_so_many_members(stores: Stores) {
    const MEMBERS: u32 = 300;
    const CHATS: usize = 34;
    let ids = users(&stores, MEMBERS).await;
    for _ in 0..CHATS {
        group(ids[0], &ids).add(&stores).await;
    }
    let pages = read(&stores, ids[0], 200).await;
    let members =
        |page: &SyncPage| page.chats.iter().flat_map(|chat| &chat.chat).map(|chat| chat.members.len()).collect();
    let members: Vec<Vec<usize>> = pages.iter().map(members).collect();
    assert_eq!(members, [[ids.len(); CHATS / 2], [ids.len(); CHATS / 2]]);
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
