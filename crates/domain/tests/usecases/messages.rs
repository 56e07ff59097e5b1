//! Sending, reading and liking messages.

use mango_domain::model::{ClientId, Event, MessageType, Origin, PageRequest, Seq};
use mango_domain::usecases::UseCases;
use mango_domain::usecases::send_message::Outgoing;
use mango_testkit::Memory;
use mango_testkit::build::moment;

use crate::{House, asked_by, check_refused, text};

fn origin() -> Option<Origin> {
    asked_by("the sender's tab")
}

#[tokio::test]
async fn a_message_is_stored_then_told_to_all_but_its_origin() {
    let house = House::new();
    let [ann, bob] = house.users().await;
    let chat = house.group(&ann, &[&bob]).await;
    for (sender, origin, seq) in [(&ann, origin(), 1), (&bob, None, 2)] {
        house.memory.clock.set(moment(seq));
        let outgoing = Outgoing { origin: origin.clone(), ..text(chat, " hi 🥭 ") };
        let sent = house.cases.send_message.run(sender, outgoing).await.expect("send").message;
        assert_eq!((sent.chat, sent.sender, sent.seq), (chat, sender.user, Seq::new(seq)));
        assert_eq!((sent.body.message_type(), sent.body.content()), (MessageType::Text, " hi 🥭 "));
        assert_eq!(sent.created_at, moment(seq));
        house.check_news(&[Event::MessageSent { message: sent.clone(), origin }]);
        let newest = PageRequest::parse(Some(1), None, None).expect("a page");
        let read = house.cases.list_messages.run(&bob, chat, newest).await.expect("read");
        assert_eq!((&read.messages[0].message, read.more), (&*sent, seq > 1));
    }
}

#[tokio::test]
async fn content_must_fit_its_type_and_the_limit() {
    let house = House::new();
    let ann = house.user(1).await;
    let chat = house.group(&ann, &[]).await;
    let largest = "a".repeat(Memory::POLICY.max_content);
    for (message_type, content, fits) in [
        (MessageType::Text, "", false),
        (MessageType::Text, &*largest, true),
        (MessageType::Text, &format!("{largest}a"), false),
        (MessageType::Json, "{\"a\": 1}", true),
        (MessageType::Json, "{", false),
        (MessageType::Image, "/9j/4AAQ", true),
        (MessageType::Image, "not base64", false),
    ] {
        let outgoing = Outgoing { message_type, ..text(chat, content) };
        let result = house.cases.send_message.run(&ann, outgoing).await;
        assert_eq!(house.news().len(), usize::from(fits), "{message_type} {content:.20}");
        match fits {
            true => assert_eq!(result.expect("send").message.body.content(), content),
            false => check_refused(result, "invalid message.content"),
        }
    }
    let mut policy = Memory::POLICY;
    policy.max_content = 3;
    let strict = UseCases::new(house.memory.ports(), policy);
    strict.send_message.run(&ann, text(chat, "abc")).await.expect("send");
    check_refused(strict.send_message.run(&ann, text(chat, "abcd")).await, "invalid message.content");
}

#[tokio::test]
async fn what_was_not_stored_is_not_told() {
    let house = House::new();
    let ann = house.user(1).await;
    let chat = house.group(&ann, &[]).await;
    house.memory.store.fail_next("append message");
    check_refused(house.cases.send_message.run(&ann, text(chat, "lost")).await, "failed append message");
    assert!(house.news().is_empty());
    let sent = house.cases.send_message.run(&ann, text(chat, "kept")).await.expect("send").message;
    assert_eq!(sent.seq, Seq::new(1));
    house.news();
    house.memory.store.fail_next("toggle like");
    check_refused(house.cases.toggle_like.run(&ann, sent.id, None).await, "failed toggle like");
    assert!(house.news().is_empty());
}

#[tokio::test]
async fn a_like_is_told_to_all_but_its_origin() {
    let house = House::new();
    let [ann, bob] = house.users().await;
    let chat = house.group(&ann, &[&bob]).await;
    let message = house.cases.send_message.run(&ann, text(chat, "like me")).await.expect("send").message.id;
    house.news();
    for (liker, origin, liked, likes) in
        [(&ann, origin(), true, 1), (&bob, None, true, 2), (&ann, origin(), false, 1), (&bob, None, false, 0)]
    {
        let like = house.cases.toggle_like.run(liker, message, origin.clone()).await.expect("like");
        assert_eq!((like.chat, like.message, like.user), (chat, message, liker.user));
        assert_eq!((like.liked, like.likes), (liked, likes));
        house.check_news(&[Event::LikeToggled { like, origin }]);
    }
}

#[tokio::test]
async fn a_history_is_read_page_by_page() {
    let house = House::new();
    let [ann, bob] = house.users().await;
    let chat = house.group(&ann, &[&bob]).await;
    for n in 1..=5 {
        house.cases.send_message.run(&ann, text(chat, &n.to_string())).await.expect("send");
    }
    for (before, after, expected, more) in [
        (None, None, ["5", "4"], true),
        (Some(4), None, ["3", "2"], true),
        (Some(3), None, ["2", "1"], false),
        (None, Some(2), ["4", "3"], true),
        (None, Some(3), ["5", "4"], false),
    ] {
        let request = PageRequest::parse(Some(2), before.map(Seq::new), after.map(Seq::new)).expect("a page");
        let page = house.cases.list_messages.run(&bob, chat, request).await.expect("read");
        let contents: Vec<&str> = page.messages.iter().map(|posted| posted.message.body.content()).collect();
        assert_eq!((&contents[..], page.more), (&expected[..], more), "before {before:?}, after {after:?}");
    }
}

#[tokio::test]
async fn a_message_that_is_sent_again_is_the_same_one_and_no_news() {
    let house = House::new();
    let [ann, bob] = house.users().await;
    let chat = house.group(&ann, &[&bob]).await;
    let named = |content: &str| Outgoing {
        client_id: Some(ClientId::parse("client_id", "0b7f").expect("a client id")),
        ..text(chat, content)
    };
    let first = house.cases.send_message.run(&ann, named("once")).await.expect("send");
    assert!(!first.duplicate);
    assert_eq!(house.news().len(), 1);
    let again = house.cases.send_message.run(&ann, named("once")).await.expect("send");
    assert_eq!((&again.message, again.duplicate), (&first.message, true));
    check_refused(house.cases.send_message.run(&ann, named("something else")).await, "invalid message.client_id");
    let other_type = Outgoing { message_type: MessageType::Markdown, ..named("once") };
    check_refused(house.cases.send_message.run(&ann, other_type).await, "invalid message.client_id");
    assert!(house.news().is_empty());
    assert!(!house.cases.send_message.run(&bob, named("once")).await.expect("send").duplicate, "that of another user");
}
