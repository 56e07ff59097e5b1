//! What [`Messages`](mango_domain::ports::Messages) promises.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::TimeDelta;
use mango_domain::model::{
    ChatId, Message, MessageBody, MessageId, MessagePage, MessageType, PageRequest, PostedMessage, Seq, UserId,
};

use super::together;
use crate::Stores;
use crate::build::{brief, group, message, moment, photo, unheard, user, users};

/// `append` gives the message as it was described, and a page gives the same.
pub async fn an_appended_message_is_read_as_sent(stores: Stores) {
    let ids = users(&stores, 2).await;
    let chat = group(ids[0], &ids).add(&stores).await;
    let body = MessageBody::from_store(MessageType::Markdown, "*hi*".to_owned());
    let sent = message(chat, ids[1]).body(body.clone()).at(moment(5)).add(&stores).await;
    assert_eq!((sent.chat, sent.sender, &sent.body, sent.created_at), (chat, ids[1], &body, moment(5)));
    assert_eq!(sent.seq, Seq::new(1));
    let expected = MessagePage { messages: vec![PostedMessage { message: sent, likes: Vec::new() }], more: false };
    assert_eq!(page(&stores, chat, ids[0], None, None, None).await, Some(expected));
}

/// Seqs are 1, 2, 3, … in each chat on its own, and ids differ over all chats.
pub async fn seqs_start_at_one_in_every_chat(stores: Stores) {
    let ids = users(&stores, 1).await;
    let (one, two) = (group(ids[0], &[]).add(&stores).await, group(ids[0], &[]).add(&stores).await);
    let mut seen = BTreeSet::new();
    for (chat, expected) in [(one, 1), (two, 1), (one, 2), (one, 3), (two, 2)] {
        let sent = message(chat, ids[0]).add(&stores).await;
        assert_eq!(sent.seq, Seq::new(expected));
        assert!(seen.insert(sent.id), "an id twice");
    }
}

/// Many senders at once in several chats, with strangers among them: every seq from 1 on, each once.
pub async fn concurrent_appends_leave_no_hole(stores: Stores) {
    const TASKS: usize = 16;
    const EACH: usize = 6;
    let ids = users(&stores, 4).await;
    let stranger = user(5).add(&stores).await.id;
    let mut chats = Vec::new();
    for _ in 0..3 {
        chats.push(group(ids[0], &ids).add(&stores).await);
    }
    let sent = together((0..TASKS).map(|task| {
        let (stores, chats, sender) = (stores.clone(), chats.clone(), ids[task % ids.len()]);
        async move {
            let mut sent = Vec::new();
            for n in 0..EACH {
                for chat in &chats {
                    let said = message(*chat, sender).text(&format!("{task} {n}"));
                    sent.push(said.add(&stores).await);
                }
                assert_eq!(message(chats[n % 3], stranger).try_add(&stores).await, None);
            }
            sent
        }
    }))
    .await;
    let expected: Vec<Seq> = (1..).map(Seq::new).take(TASKS * EACH).collect();
    let all_ids: BTreeSet<MessageId> = sent.iter().flatten().map(|message| message.id).collect();
    assert_eq!(all_ids.len(), TASKS * EACH * chats.len());
    for chat in chats {
        let mut returned: Vec<_> = sent.iter().flatten().filter(|message| message.chat == chat).cloned().collect();
        returned.sort_by_key(|message| message.seq);
        assert_eq!(returned.iter().map(|message| message.seq).collect::<Vec<_>>(), expected);
        let read = page(&stores, chat, ids[0], Some(200), None, None).await.expect("a member reads");
        let mut stored: Vec<_> = read.messages.into_iter().map(|posted| posted.message).collect();
        stored.reverse();
        assert_eq!(stored, returned);
    }
    // One sender's messages stand in the order in which they were sent, since each was acknowledged before the next.
    for of_task in sent {
        for chat_of in of_task.chunks(3).collect::<Vec<_>>().windows(2) {
            assert!(chat_of[0][0].seq < chat_of[1][0].seq);
        }
    }
}

/// A stranger's message, or one to no chat, is `None`, and the next message has the next seq.
pub async fn a_refused_sender_leaves_no_hole(stores: Stores) {
    let ids = users(&stores, 2).await;
    let chat = group(ids[0], &[]).add(&stores).await;
    for expected in 1..=3 {
        assert_eq!(message(chat, ids[1]).try_add(&stores).await, None);
        assert_eq!(message(chat, UserId::new(1_000_000)).try_add(&stores).await, None);
        assert_eq!(message(ChatId::new(chat.get() + 1), ids[0]).try_add(&stores).await, None);
        assert_eq!(message(chat, ids[0]).add(&stores).await.seq, Seq::new(expected));
    }
}

/// Times come back with every microsecond.
pub async fn times_keep_their_microseconds(stores: Stores) {
    let ids = users(&stores, 1).await;
    let chat = group(ids[0], &[]).add(&stores).await;
    for micros in [0, 1, 123_456, 500_000, 999_999] {
        let time = moment(1) + TimeDelta::microseconds(micros);
        assert_eq!(message(chat, ids[0]).at(time).add(&stores).await.created_at, time);
        let read = page(&stores, chat, ids[0], Some(1), None, None).await.expect("a member reads");
        assert_eq!(read.messages[0].message.created_at, time);
    }
}

/// Content comes back byte for byte, whatever a stranger thought of.
pub async fn content_survives_exactly(stores: Stores) {
    let ids = users(&stores, 1).await;
    let chat = group(ids[0], &[]).add(&stores).await;
    let largest = "🥭".repeat(64 * 1024 / 4);
    let contents = [
        "👩‍👩‍👧‍👦 🏳️‍🌈 🇳🇱 e\u{301} é \u{FEFF}",
        "\u{202E}right to left\u{202C} שלום مرحبا \u{2067}isolate\u{2069}",
        "'; DROP TABLE messages; -- \" ` \\ \\' $1 %s {} ?1 :name",
        "  kept \t white space \r\n\n ",
        " ",
        "\u{1}\u{7}\u{1B}[31m\u{7F}\u{85}\u{2028}",
        "\u{10FFFF}\u{E000}\u{FFFE}",
        "null",
        "0012.50",
        "<script>alert(1)</script> &amp;",
        &"x".repeat(64 * 1024),
        &largest,
    ];
    for content in contents {
        let sent = message(chat, ids[0]).text(content).add(&stores).await;
        assert_eq!(sent.body.content(), content);
        let read = page(&stores, chat, ids[0], Some(1), None, None).await.expect("a member reads");
        assert_eq!(read.messages[0].message.body.content(), content);
    }
    // The same at once, in groups.
    let sent = together(contents.map(|content| {
        let (stores, said) = (stores.clone(), message(chat, ids[0]).text(content));
        async move { said.add(&stores).await }
    }))
    .await;
    let read = page(&stores, chat, ids[0], Some(100), None, None).await.expect("a member reads");
    for (sent, content) in sent.into_iter().zip(contents) {
        assert_eq!(sent.body.content(), content);
        assert!(read.messages.iter().any(|posted| posted.message == sent));
    }
}

/// All 25 types come back as they were sent.
pub async fn every_type_survives(stores: Stores) {
    let ids = users(&stores, 1).await;
    let chat = group(ids[0], &[]).add(&stores).await;
    for kind in MessageType::ALL {
        let body = MessageBody::from_store(kind, "e30=".to_owned());
        message(chat, ids[0]).body(body).add(&stores).await;
    }
    let read = page(&stores, chat, ids[0], None, None, None).await.expect("a member reads");
    let kinds: Vec<_> = read.messages.iter().rev().map(|posted| posted.message.body.message_type()).collect();
    assert_eq!(kinds, MessageType::ALL);
}

/// `page` is `None` for a chat that is not there and for one of others.
pub async fn a_page_is_for_members_alone(stores: Stores) {
    let ids = users(&stores, 2).await;
    let chat = group(ids[0], &[]).add(&stores).await;
    message(chat, ids[0]).add(&stores).await;
    assert!(page(&stores, chat, ids[0], None, None, None).await.is_some());
    for (chat, reader) in [(chat, ids[1]), (chat, UserId::new(1_000_000)), (ChatId::new(chat.get() + 1), ids[0])] {
        assert_eq!(page(&stores, chat, reader, None, None, None).await, None);
    }
}

/// A chat without messages has a page without messages, not none.
pub async fn an_empty_chat_has_an_empty_page(stores: Stores) {
    let ids = users(&stores, 1).await;
    let chat = group(ids[0], &[]).add(&stores).await;
    let empty = MessagePage { messages: Vec::new(), more: false };
    for (before, after) in [(None, None), (Some(1), None), (None, Some(0)), (Some(9), Some(2))] {
        assert_eq!(page(&stores, chat, ids[0], None, before, after).await, Some(empty.clone()));
    }
}

/// Every combination of limit, `before` and `after` gives what the definition of a page says.
pub async fn pages_are_exact_for_every_request(stores: Stores) {
    const MESSAGES: i64 = 7;
    let ids = users(&stores, 1).await;
    let chat = group(ids[0], &[]).add(&stores).await;
    let another = group(ids[0], &[]).add(&stores).await;
    for _ in 0..MESSAGES {
        message(chat, ids[0]).add(&stores).await;
        message(another, ids[0]).add(&stores).await;
    }
    let bounds = [None, Some(-1), Some(0), Some(1), Some(3), Some(4), Some(7), Some(8), Some(i64::MAX)];
    for limit in [1, 2, 6, 7, 8, 200] {
        for before in bounds {
            for after in bounds {
                let expected = expected_page(MESSAGES, limit, before, after);
                let read = page(&stores, chat, ids[0], Some(limit), before, after).await.expect("a member reads");
                assert!(read.messages.iter().all(|posted| posted.message.chat == chat));
                let seqs: Vec<i64> = read.messages.iter().map(|posted| posted.message.seq.get()).collect();
                assert_eq!((seqs, read.more), expected, "limit {limit}, before {before:?}, after {after:?}");
            }
        }
    }
}

/// Reading back with `before`, and forth with `after`, a page at a time, meets every message once.
pub async fn reading_back_and_forth_meets_every_message_once(stores: Stores) {
    let ids = users(&stores, 1).await;
    let chat = group(ids[0], &[]).add(&stores).await;
    for _ in 0..10 {
        message(chat, ids[0]).add(&stores).await;
    }
    for limit in [1, 3, 5, 10] {
        walk_both_ways(&stores, chat, ids[0], limit, 10).await;
    }
}

/// A page has at most a mebibyte of contents, unless it is a single message, and leads on to the others.
pub async fn a_page_has_a_size(stores: Stores) {
    let ids = users(&stores, 1).await;
    let chat = group(ids[0], &[]).add(&stores).await;
    // The largest content, in between others that are large for a page of many and small for one of few.
    let content = |n: usize| ["\u{1}".repeat(64 * 1024), "é".repeat(6_000), format!("message {n}")][n % 3].clone();
    for n in 1..=90 {
        message(chat, ids[0]).text(&content(n)).add(&stores).await;
    }
    for (limit, fewest) in [(200, 3), (50, 3), (10, 9)] {
        for pages in walk_both_ways(&stores, chat, ids[0], limit, 90).await {
            assert!(pages.len() >= fewest, "{} pages of {limit}", pages.len());
            let sizes = pages.iter().map(|page| page.iter().map(|posted| posted.message.body.content().len()).sum());
            let sizes: Vec<usize> = sizes.collect();
            assert!(sizes.iter().all(|size| *size <= PageRequest::MAX_BYTES), "{sizes:?}");
            // No page is smaller than it has to be.
            let is_full = |(page, size): (&Vec<PostedMessage>, &usize)| {
                page.len() == usize::try_from(limit).expect("a small limit")
                    || size + 64 * 1024 > PageRequest::MAX_BYTES
            };
            assert!(pages.iter().zip(&sizes).take(pages.len() - 1).all(is_full), "{sizes:?}");
            for Message { seq, body, .. } in pages.iter().flatten().map(|posted| &posted.message) {
                let n = usize::try_from(seq.get()).expect("a seq");
                assert!(body.content() == content(n), "message {n} is another");
            }
        }
    }
}

/// A page has at most so many likes, unless it is a single message, and leads on to the others.
pub async fn a_page_has_so_many_likes(stores: Stores) {
    const MESSAGES: i64 = 42;
    const LIKERS: u32 = 50;
    let ids = users(&stores, LIKERS).await;
    let chat = group(ids[0], &ids).add(&stores).await;
    let mut sent = Vec::new();
    for _ in 0..MESSAGES {
        sent.push(message(chat, ids[0]).add(&stores).await.id);
    }
    together(ids.iter().copied().map(|liker| {
        let (likes, sent) = (Arc::clone(&stores.likes), sent.clone());
        async move {
            for message in sent {
                likes.toggle(message, liker, moment(1), unheard()).await.expect("like").expect("a member likes");
            }
        }
    }))
    .await;
    for pages in walk_both_ways(&stores, chat, ids[0], 200, MESSAGES).await {
        assert!(pages.len() > 1);
        for page in &pages {
            let likers = page.iter().map(|posted| posted.likes.len());
            assert!(likers.clone().all(|likers| likers == ids.len()));
            assert!(likers.sum::<usize>() <= PageRequest::MAX_LIKES);
        }
    }
}

/// The largest page holds 200 messages, and the page of an unsaid limit 50.
pub async fn the_largest_page_is_full(stores: Stores) {
    let ids = users(&stores, 1).await;
    let (me, chat) = (ids[0], group(ids[0], &[]).add(&stores).await);
    together((0..13).map(|_| {
        let stores = stores.clone();
        async move {
            for _ in 0..16 {
                message(chat, me).add(&stores).await;
            }
        }
    }))
    .await;
    for (limit, expected) in [(Some(200), 200), (None, 50)] {
        let read = page(&stores, chat, me, limit, None, None).await.expect("a member reads");
        let seqs: Vec<i64> = read.messages.iter().map(|posted| posted.message.seq.get()).collect();
        assert_eq!(seqs, (1..=208).rev().take(expected).collect::<Vec<_>>());
        assert!(read.more);
    }
}

/// Each message of a page comes with its own likes, in order of the likers' ids.
pub async fn a_page_shows_likes(stores: Stores) {
    let ann = user(1).name("Ann").photo(photo(1)).add(&stores).await;
    let bob = user(2).add(&stores).await;
    let chat = group(ann.id, &[bob.id]).add(&stores).await;
    let mut sent = Vec::new();
    for _ in 0..3 {
        sent.push(message(chat, ann.id).add(&stores).await.id);
    }
    for (message, liker) in [(0, bob.id), (0, ann.id), (2, bob.id)] {
        stores.likes.toggle(sent[message], liker, moment(1), unheard()).await.expect("like");
    }
    let [ann, bob] = [ann, bob].map(|user| brief(&user));
    let read = page(&stores, chat, bob.id, None, None, None).await.expect("a member reads");
    let likes: Vec<_> = read.messages.into_iter().map(|posted| posted.likes).collect();
    assert_eq!(likes, [vec![bob.clone()], vec![], vec![ann, bob]]);
}

/// What a page holds by its definition: seqs from the newest down, and whether more remain in the direction of reading
/// between the bounds that were given.
fn expected_page(messages: i64, limit: i64, before: Option<i64>, after: Option<i64>) -> (Vec<i64>, bool) {
    let fits = |seq: &i64| before.is_none_or(|before| *seq < before) && after.is_none_or(|after| *seq > after);
    let fitting: Vec<i64> = (1..=messages).filter(fits).collect();
    let limit = usize::try_from(limit).expect("a small limit");
    let more = fitting.len() > limit;
    let forward = after.is_some() && before.is_none();
    let mut page: Vec<i64> = match forward {
        true => fitting.into_iter().take(limit).collect(),
        false => fitting.into_iter().rev().take(limit).collect(),
    };
    page.sort_by_key(|seq| std::cmp::Reverse(*seq));
    (page, more)
}

/// Reads all messages back with `before` and forth with `after`, checks that each is met once and in order, and gives the pages of both ways.
async fn walk_both_ways(
    stores: &Stores,
    chat: ChatId,
    reader: UserId,
    limit: i64,
    messages: i64,
) -> [Vec<Vec<PostedMessage>>; 2] {
    let seqs = |page: &[PostedMessage]| page.iter().map(|posted| posted.message.seq.get()).collect::<Vec<_>>();
    let (mut back, mut met) = (Vec::new(), Vec::new());
    loop {
        let before = met.last().copied();
        let read = page(stores, chat, reader, Some(limit), before, None).await.expect("a member reads");
        met.extend(seqs(&read.messages));
        back.push(read.messages);
        if !read.more {
            break;
        }
    }
    assert_eq!(met, (1..=messages).rev().collect::<Vec<_>>(), "back, limit {limit}");

    let (mut forth, mut met) = (Vec::new(), Vec::new());
    loop {
        let after = met.last().copied().or(Some(0));
        let read = page(stores, chat, reader, Some(limit), None, after).await.expect("a member reads");
        met.extend(seqs(&read.messages).into_iter().rev());
        forth.push(read.messages);
        if !read.more {
            break;
        }
    }
    assert_eq!(met, (1..=messages).collect::<Vec<_>>(), "forth, limit {limit}");
    [back, forth]
}

async fn page(
    stores: &Stores,
    chat: ChatId,
    reader: UserId,
    limit: Option<i64>,
    before: Option<i64>,
    after: Option<i64>,
) -> Option<MessagePage> {
    let request = PageRequest::parse(limit, before.map(Seq::new), after.map(Seq::new)).expect("a valid request");
    stores.messages.page(chat, reader, request).await.expect("page")
}
