//! Creating, finding, listing and pinning chats.

use mango_domain::model::{Chat, ChatKind, ChatName, ConnectionId, Event, UserId};
use mango_domain::ports::ChatSelection;
use mango_domain::usecases::create_chat::ChatRequest;
use mango_testkit::build::moment;

use crate::{House, asked_by, check_refused, direct_with, group_of, ids, text};

/// The news of a chat.
fn created(chat: &Chat, only: Option<ConnectionId>) -> Event {
    Event::ChatCreated {
        chat: chat.record.id,
        name: chat.record.name.clone(),
        kind: chat.record.kind,
        members: chat.members.iter().map(|member| member.user.id).collect(),
        version: chat.record.version,
        only,
    }
}

const PHONE: &str = "the creator's phone";

#[tokio::test]
async fn a_group_has_its_creator_and_every_member_is_told() {
    let house = House::new();
    let [ann, bob, cat] = house.users().await;
    house.memory.clock.set(moment(42));
    let request = ChatRequest { origin: asked_by(PHONE), ..group_of(&[&cat, &ann, &cat]) };
    let chat = house.cases.create_chat.run(&bob, request).await.expect("create");
    let members: Vec<UserId> = chat.members.iter().map(|member| member.user.id).collect();
    assert_eq!(members, ids(&[&ann, &bob, &cat]), "in order of id, each once");
    assert_eq!((chat.record.kind, chat.record.created_at), (ChatKind::Group, moment(42)));
    assert_eq!((&chat.last_message, chat.pinned), (&None, false));
    house.check_news(&[created(&chat, None)]);
    for member in [&ann, &bob, &cat] {
        assert_eq!(house.cases.get_chat.run(member, chat.record.id).await.expect("get"), chat);
    }
}

#[tokio::test]
async fn a_group_without_a_name_or_with_the_wrong_members_is_refused() {
    let house = House::new();
    let [ann, bob, cat] = house.users().await;
    let nobody = UserId::new(1_000_000);
    let named = |kind, members: &[UserId]| ChatRequest { kind, members: members.to_vec(), ..group_of(&[]) };
    let many: Vec<UserId> = (1..=10_001).map(UserId::new).collect();
    for (request, expected) in [
        (ChatRequest { name: None, ..group_of(&[&bob]) }, "invalid chat.name"),
        (named(ChatKind::Group, &[bob.user, nobody]), "invalid chat.members_array"),
        (named(ChatKind::Group, &many), "invalid chat.members_array"),
        (named(ChatKind::Direct, &[nobody]), "invalid chat.members_array"),
        (named(ChatKind::Direct, &[]), "invalid chat.members_array"),
        (named(ChatKind::Direct, &[ann.user]), "invalid chat.members_array"),
        (named(ChatKind::Direct, &[bob.user, cat.user]), "invalid chat.members_array"),
    ] {
        check_refused(house.cases.create_chat.run(&ann, request).await, expected);
    }
    house.memory.store.fail_next("create chat");
    check_refused(house.cases.create_chat.run(&ann, group_of(&[&bob])).await, "failed create chat");
    assert!(house.news().is_empty(), "what was not created is no news");
    assert_eq!(house.cases.list_chats.run(&bob, ChatSelection::All).await.expect("list").chats, []);
}

#[tokio::test]
async fn unknown_members_are_named() {
    let house = House::new();
    let ann = house.user(1).await;
    let request = ChatRequest { members: vec![UserId::new(777_777), UserId::new(888_888)], ..group_of(&[]) };
    match house.cases.create_chat.run(&ann, request).await {
        Err(mango_domain::Error::Invalid(fields)) => {
            assert_eq!(fields.len(), 1);
            assert!(fields[0].message.contains("777777") && fields[0].message.contains("888888"), "{fields:?}");
        }
        other => check_refused(other, "invalid chat.members_array"),
    }
}

#[tokio::test]
async fn a_direct_chat_is_created_once_and_found_from_both_sides() {
    let house = House::new();
    let [ann, bob] = house.users().await;
    let first = house.cases.create_chat.run(&ann, direct_with(bob.user)).await.expect("create");
    assert_eq!((first.record.kind, &first.record.name), (ChatKind::Direct, &None));
    house.check_news(&[created(&first, None)]);

    for (caller, other) in [(&ann, &bob), (&bob, &ann)] {
        let again = house.cases.create_chat.run(caller, direct_with(other.user)).await.expect("create");
        assert_eq!(again, first);
        assert!(house.news().is_empty(), "it is no news over HTTP, where nobody waits for an event");
        let request = ChatRequest { origin: asked_by(PHONE), ..direct_with(other.user) };
        house.cases.create_chat.run(caller, request).await.expect("create");
        house.check_news(&[created(&first, Some(ConnectionId(PHONE.to_owned())))]);
    }
}

#[tokio::test]
async fn a_direct_chat_may_have_a_name() {
    let house = House::new();
    let [ann, bob] = house.users().await;
    let name = Some(ChatName::parse("Us").expect("a name"));
    let request = ChatRequest { name: name.clone(), ..direct_with(bob.user) };
    assert_eq!(house.cases.create_chat.run(&ann, request).await.expect("create").record.name, name);
}

#[tokio::test]
async fn chats_show_who_is_online() {
    let house = House::new();
    let [ann, bob] = house.users().await;
    let chat = house.group(&ann, &[&bob]).await;
    house.cases.come_online.run(&bob, &ConnectionId("b".to_owned())).await.expect("come online");
    let online = |chat: &Chat| chat.members.iter().map(|member| member.online).collect::<Vec<_>>();
    let found = house.cases.get_chat.run(&ann, chat).await.expect("get");
    let listed = house.cases.list_chats.run(&ann, ChatSelection::All).await.expect("list");
    let new = house.cases.create_chat.run(&ann, group_of(&[&bob])).await.expect("create");
    for seen in [&found, &listed.chats[0], &new] {
        assert_eq!(online(seen), [false, true]);
    }
}

#[tokio::test]
async fn the_list_is_ordered_by_activity_and_can_be_of_pins_alone() {
    let house = House::new();
    let [ann, bob] = house.users().await;
    let (one, two) = (house.group(&ann, &[&bob]).await, house.group(&ann, &[&bob]).await);
    house.memory.clock.set(moment(50));
    house.cases.send_message.run(&bob, text(one, "up")).await.expect("send");
    house.cases.toggle_pin.run(&ann, two).await.expect("pin");
    for (caller, filter, expected) in [
        (&ann, ChatSelection::All, &[one, two][..]),
        (&ann, ChatSelection::Pinned, &[two]),
        (&bob, ChatSelection::All, &[one, two]),
        (&bob, ChatSelection::Pinned, &[]),
    ] {
        let listed = house.cases.list_chats.run(caller, filter.clone()).await.expect("list");
        assert_eq!(listed.chats.iter().map(|chat| chat.record.id).collect::<Vec<_>>(), expected, "{filter:?}");
    }
}

#[tokio::test]
async fn a_pin_is_told_to_the_user_alone() {
    let house = House::new();
    let [ann, bob] = house.users().await;
    let chat = house.group(&ann, &[&bob]).await;
    for (caller, pinned) in [(&ann, true), (&bob, true), (&ann, false), (&ann, true)] {
        let pin = house.cases.toggle_pin.run(caller, chat).await.expect("pin");
        assert_eq!((pin.chat, pin.user, pin.pinned, pin.version.get()), (chat, caller.user, pinned, 1));
        house.check_news(&[Event::PinToggled { pin }]);
        assert_eq!(house.cases.get_chat.run(caller, chat).await.expect("get").pinned, pinned);
    }
    house.memory.store.fail_next("toggle pin");
    check_refused(house.cases.toggle_pin.run(&ann, chat).await, "failed toggle pin");
    assert!(house.news().is_empty());
}
