//! Who may not do what. A stranger to a chat hears the same as somebody who asks for a chat that does not exist.

use mango_domain::Error;
use mango_domain::model::{ChatId, MessageId, MessageType, PageRequest, SyncRequest, UserId, Version};
use mango_domain::ports::ChatSelection;
use mango_domain::usecases::send_message::Outgoing;
use mango_domain::usecases::update_user::ProfileEdit;

use crate::{House, check_refused, refusal, text};

/// Every use case about one chat or one message, asked by a stranger.
#[tokio::test]
async fn strangers_cannot_tell_a_chat_of_others_from_none() {
    let house = House::new();
    let [member, other, stranger] = house.users().await;
    let chat = house.group(&member, &[&other]).await;
    let said = house.cases.send_message.run(&member, text(chat, "private")).await.expect("send").message;
    house.news();
    let newest = PageRequest::parse(None, None, None).expect("a page");

    let mut answers = Vec::new();
    for (chat, message) in [(chat, said.id), (ChatId::new(1_000_000), MessageId::new(1_000_000))] {
        let cases = &house.cases;
        let errors: [Error; 5] = [
            cases.get_chat.run(&stranger, chat).await.expect_err("get_chat"),
            cases.list_messages.run(&stranger, chat, newest).await.expect_err("list_messages"),
            cases.send_message.run(&stranger, text(chat, "let me in")).await.expect_err("send_message"),
            cases.toggle_pin.run(&stranger, chat).await.expect_err("toggle_pin"),
            cases.toggle_like.run(&stranger, message, None).await.expect_err("toggle_like"),
        ];
        assert_eq!(errors.each_ref().map(refusal), ["no chat", "no chat", "no chat", "no chat", "no message"]);
        answers.push(errors.map(|error| format!("{error} {error:?}")));
    }
    assert_eq!(answers[0], answers[1]);
    assert!(house.news().is_empty(), "a refusal is no news");

    let known = [(chat, Version::new(1))].into();
    let request = SyncRequest::parse(known, None, None).expect("a request");
    let page = house.cases.sync.run(&stranger, request).await.expect("sync");
    assert_eq!((page.chats, page.gone), (vec![], vec![chat]), "what is not theirs is gone, as what never was");

    let untouched = house.cases.list_messages.run(&member, chat, newest).await.expect("a member reads");
    assert_eq!(untouched.messages.len(), 1);
    assert!(untouched.messages[0].likes.is_empty());
    for filter in [ChatSelection::All, ChatSelection::Pinned] {
        assert_eq!(house.cases.list_chats.run(&stranger, filter).await.expect("list").chats, []);
    }
}

/// What is wrong with the content is said before whether the chat exists, and tells nothing about it.
#[tokio::test]
async fn bad_content_is_refused_alike_in_any_chat() {
    let house = House::new();
    let [member, stranger] = house.users().await;
    let chat = house.group(&member, &[]).await;
    for (sender, chat) in [(&member, chat), (&stranger, chat), (&stranger, ChatId::new(1_000_000))] {
        let bad = Outgoing { message_type: MessageType::Json, ..text(chat, "{") };
        check_refused(house.cases.send_message.run(sender, bad).await, "invalid message.content");
    }
}

#[tokio::test]
async fn nobody_changes_anybody_else() {
    let house = House::new();
    let [me, other] = house.users().await;
    for id in [other.user, UserId::new(1_000_000)] {
        let edit =
            ProfileEdit { name: Some(None), picture: Some(Some(b"no picture".to_vec())), ..ProfileEdit::default() };
        check_refused(house.cases.update_user.run(&me, id, edit, None).await, "forbidden");
    }
    let untouched = house.cases.get_user.run(&other, other.user).await.expect("get");
    assert!(untouched.user.name.is_some());
    assert!(house.news().is_empty());
}

#[tokio::test]
async fn a_profile_is_ones_own_for_oneself_alone() {
    let house = House::new();
    let [me, other] = house.users().await;
    for (viewer, viewed, own) in [(&me, &me, true), (&me, &other, false), (&other, &me, false)] {
        let profile = house.cases.get_user.run(viewer, viewed.user).await.expect("get");
        assert_eq!((profile.user.id, profile.own, profile.online), (viewed.user, own, false));
    }
    check_refused(house.cases.get_user.run(&me, UserId::new(1_000_000)).await, "no user");
}
