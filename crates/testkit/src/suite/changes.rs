//! What [`Changes`](mango_domain::ports::Changes) promises, and the versions and events of chats with it.

mod pages;
mod parts;
mod profiles;

use std::collections::BTreeMap;
use std::sync::Arc;

use mango_domain::model::{
    ChatId, ConnectionId, Epoch, Event, MessageId, Origin, SyncPage, SyncRequest, UserId, Version,
};
use mango_domain::ports::{Announcer, Events};

use super::together;
use crate::Stores;
use crate::build::{direct, group, message, moment, session, unheard, users};
use crate::memory::RecordedEvents;

pub use pages::*;
pub use parts::*;
pub use profiles::*;

/// A message that is sent again under the same client id, also at the same time, is the one that was sent first, and is
/// published once.
pub async fn a_client_id_stands_for_one_message(stores: Stores) {
    let ids = users(&stores, 2).await;
    let chat = group(ids[0], &ids).add(&stores).await;
    let (recorded, announcer) = recording();
    let appended = together((0..20).map(|n: usize| {
        let (stores, announcer) = (stores.clone(), announcer.clone());
        let again = message(chat, ids[0]).client_id(["a", "b"][n % 2]).text("once").build();
        async move { stores.messages.append(again, announcer).await.expect("append").expect("a member sends") }
    }))
    .await;
    let new: Vec<MessageId> = appended.iter().filter(|done| done.is_new).map(|done| done.message.id).collect();
    assert_eq!(new.len(), 2, "one for each client id");
    for (n, done) in appended.iter().enumerate() {
        let first = appended.iter().find(|first| first.is_new && first.message.client_id == done.message.client_id);
        assert_eq!(first.map(|first| &first.message), Some(&done.message), "{n}");
    }
    let others = [(chat, ids[1]), (group(ids[0], &ids).add(&stores).await, ids[0])];
    for (chat, sender) in others {
        let done = stores.messages.append(message(chat, sender).client_id("a").build(), announcer.clone()).await;
        assert!(done.expect("append").expect("a member sends").is_new, "another sender, another chat");
    }
    let stranger = message(chat, UserId::new(1_000_000)).client_id("a").build();
    assert_eq!(stores.messages.append(stranger, announcer).await.expect("append"), None);
    assert_eq!(recorded.take().len(), 4);
}

/// A message that was sent before is given as it is now: who likes it goes with its version, whoever is sent it again.
pub async fn a_message_sent_again_is_as_it_is_now(stores: Stores) {
    let ids = users(&stores, 3).await;
    let chat = group(ids[0], &ids).add(&stores).await;
    let first = message(chat, ids[0]).client_id("a").add(&stores).await;
    message(chat, ids[0]).client_id("b").add(&stores).await;
    for (likers, version) in [(vec![2], 4), (vec![1, 2], 5), (vec![1], 6), (vec![], 7)] {
        let toggled = if version == 4 || version == 6 { ids[2] } else { ids[1] };
        like(&stores, first.id, toggled).await;
        // Several at once may be one group, with another message that nobody likes.
        let again = together(["a", "b", "a"].map(|client_id| {
            let (stores, again) = (stores.clone(), message(chat, ids[0]).client_id(client_id).build());
            async move { stores.messages.append(again, unheard()).await.expect("append").expect("a member sends") }
        }))
        .await;
        let [liked, other, also] = &again[..] else { panic!("three answers") };
        assert_eq!(liked, also);
        assert_eq!((liked.message.id, liked.message.version.get(), liked.is_new), (first.id, version, false));
        let users: Vec<UserId> = liked.likes.iter().map(|user| user.id).collect();
        assert_eq!(users, likers.iter().map(|n| ids[*n]).collect::<Vec<_>>(), "version {version}");
        assert_eq!((other.message.version.get(), &other.likes[..]), (3, &[][..]));
    }
}

/// What is read of a message has the client id and the version of its last change.
pub async fn a_message_keeps_its_client_id_and_its_version(stores: Stores) {
    let ids = users(&stores, 2).await;
    let chat = group(ids[0], &ids).add(&stores).await;
    let first = message(chat, ids[0]).client_id("~!first").add(&stores).await;
    let second = message(chat, ids[1]).add(&stores).await;
    assert_eq!([first.version, second.version].map(Version::get), [2, 3]);
    like(&stores, first.id, ids[1]).await;
    let page = sync(&stores, ids[0], [], None).await;
    let told = |n: usize| &page.chats[0].messages[n].message;
    assert_eq!((told(0), told(1).version.get()), (&second, 4));
    assert_eq!(told(1).client_id, first.client_id);
    let found = stores.chats.find(chat, ids[0]).await.expect("find").expect("a member looks");
    assert_eq!(found.record.version.get(), 4);
}

/// Changes of every kind at the same time take the versions one after the other, without a hole, and are published in
/// their order with the origin that asked.
pub async fn events_come_in_the_order_of_versions(stores: Stores) {
    let ids = users(&stores, 6).await;
    let (recorded, announcer) = recording();
    let new = stores.chats.create(group(ids[0], &ids).build(), announcer.clone()).await.expect("create chat");
    let chat = new.chat.record.id;
    let said = stores.messages.append(message(chat, ids[0]).build(), announcer.clone()).await.expect("append");
    let said = said.expect("a member sends").message.id;
    together((0..60).map(|n: usize| {
        let (stores, user, announcer) = (stores.clone(), ids[n % 6], announcer.clone());
        let origin = Origin { connection: ConnectionId("c".to_owned()), request: 7 };
        let announcer = Announcer { origin: (n < 30).then_some(origin), ..announcer };
        async move {
            match n % 3 {
                0 => drop(stores.likes.toggle(said, user, moment(1), announcer).await.expect("toggle like")),
                1 => drop(stores.chats.toggle_pin(chat, user, moment(1), announcer).await.expect("toggle pin")),
                _ => drop(stores.messages.append(message(chat, user).build(), announcer).await.expect("append")),
            }
        }
    }))
    .await;
    let events = recorded.take();
    let counted = |event: &Event| !matches!(event, Event::PinToggled { .. });
    let versions: Vec<i64> = events.iter().filter(|event| counted(event)).map(|event| version(event).get()).collect();
    assert_eq!(versions, (1..=42).collect::<Vec<_>>());
    let ascending: Vec<i64> = events.iter().map(|event| version(event).get()).collect();
    assert!(ascending.is_sorted(), "a pin has the version of the change before: {ascending:?}");
    assert_eq!(events.iter().filter(|event| has_origin(event)).count(), 20, "of 30, of which 10 are pins");
}

/// A chat is told of before anything that happens in it; one that was there already is told to who asked, with its version.
pub async fn a_chat_that_was_there_is_told_to_who_asks(stores: Stores) {
    let ids = users(&stores, 2).await;
    let first = direct(ids[0], ids[1]).create(&stores).await.chat.record;
    assert_eq!(first.version.get(), 1);
    message(first.id, ids[0]).add(&stores).await;
    let (recorded, announcer) = recording();
    let again = stores.chats.create(direct(ids[1], ids[0]).build(), announcer.clone()).await.expect("create chat");
    assert!(!again.is_new && recorded.take().is_empty());
    let origin = Some(Origin { connection: ConnectionId("c".to_owned()), request: 1 });
    stores.chats.create(direct(ids[1], ids[0]).build(), Announcer { origin, ..announcer }).await.expect("create chat");
    let [Event::ChatCreated { chat, only: Some(only), version, .. }] = &recorded.take()[..] else {
        panic!("one event for one connection");
    };
    assert_eq!((*chat, only.0.as_str(), version.get()), (first.id, "c", 2));
}

/// Nothing that a pair hears of its chat is older than what it has heard, although both open it at once, again and again, and
/// send messages as soon as they have it.
pub async fn a_chat_opened_again_is_told_in_its_order(stores: Stores) {
    let ids = users(&stores, 9).await;
    let (recorded, announcer) = recording();
    let opening = ids[1..].iter().flat_map(|other| [(ids[0], *other), (*other, ids[0])]).map(|(opener, other)| {
        let (stores, announcer) = (stores.clone(), announcer.clone());
        async move {
            for request in 0..10 {
                let origin = Some(Origin { connection: ConnectionId(format!("{opener}")), request });
                let announcer = Announcer { origin, ..announcer.clone() };
                let opened = stores.chats.create(direct(opener, other).build(), announcer.clone()).await;
                let chat = opened.expect("create chat").chat.record.id;
                let said = message(chat, opener).build();
                stores.messages.append(said, announcer).await.expect("append").expect("a member sends");
            }
        }
    });
    together(opening).await;
    let mut heard: BTreeMap<ChatId, Version> = BTreeMap::new();
    for event in recorded.take() {
        let chat = match &event {
            Event::ChatCreated { chat, .. } => *chat,
            Event::MessageSent { message, .. } => message.chat,
            other => panic!("{other:?}"),
        };
        let before = heard.insert(chat, version(&event));
        assert!(before <= Some(version(&event)), "{event:?} behind {before:?}");
    }
    assert_eq!(heard.values().map(|version| version.get()).collect::<Vec<_>>(), [21; 8]);
}

/// Who knows nothing is told everything, who knows all is told nothing, and who knows some is told the rest.
pub async fn what_changed_is_told_from_any_version(stores: Stores) {
    let ids = users(&stores, 3).await;
    let chat = group(ids[0], &ids[..2]).add(&stores).await;
    let mut said = Vec::new();
    for _ in 0..4 {
        said.push(message(chat, ids[0]).add(&stores).await.id);
    }
    like(&stores, said[1], ids[1]).await;
    like(&stores, said[3], ids[1]).await;
    like(&stores, said[3], ids[1]).await;
    // Versions: the chat 1, messages 2 to 5, likes 6 to 8; so the first message is at 2, the third at 4, the second at 6, the last at 8.
    for (known, expected) in [
        (None, vec![0, 2, 1, 3]),
        (Some(0), vec![0, 2, 1, 3]),
        (Some(1), vec![0, 2, 1, 3]),
        (Some(2), vec![2, 1, 3]),
        (Some(4), vec![1, 3]),
        (Some(6), vec![3]),
        (Some(7), vec![3]),
        (Some(8), vec![]),
    ] {
        let page = sync(&stores, ids[1], known.map(|known| (chat, known)), None).await;
        let told: Vec<MessageId> =
            page.chats.iter().flat_map(|chat| &chat.messages).map(|told| told.message.id).collect();
        assert_eq!(told, expected.iter().map(|n| said[*n]).collect::<Vec<_>>(), "known {known:?}");
        assert_eq!(page.chats.len(), usize::from(known != Some(8)), "known {known:?}");
        assert_eq!(page.chats.iter().any(|chat| chat.chat.is_some()), known.is_none_or(|known| known < 1));
        assert!(!page.more && !page.reset && page.gone.is_empty());
        assert!(page.chats.iter().all(|chat| chat.version.get() == 8));
    }
    assert_eq!(sync(&stores, ids[2], [], None).await.chats, []);
}

/// Chats of others are gone, and so is what never was; pins are told whole.
pub async fn gone_chats_and_pins_are_told(stores: Stores) {
    let ids = users(&stores, 2).await;
    let mine = group(ids[0], &[]).add(&stores).await;
    let theirs = group(ids[1], &[]).add(&stores).await;
    let never = ChatId::new(1_000_000);
    let page = sync(&stores, ids[0], [(mine, 1), (theirs, 1), (never, 3)], None).await;
    assert_eq!((page.gone, page.chats, page.pinned), (vec![theirs, never], vec![], vec![]));
    stores.chats.toggle_pin(mine, ids[0], moment(1), unheard()).await.expect("toggle pin");
    assert_eq!(sync(&stores, ids[0], [(mine, 1)], None).await.pinned, [mine]);
    let page = sync(&stores, ids[0], [], None).await;
    assert!(page.chats[0].chat.as_ref().is_some_and(|chat| chat.pinned));
    stores.chats.toggle_pin(mine, ids[0], moment(1), unheard()).await.expect("toggle pin");
    let page = sync(&stores, ids[0], [(mine, 1)], None).await;
    assert_eq!((page.pinned, page.chats), (vec![], vec![]), "taken away, though the chat has no other version");
    stores.chats.toggle_pin(mine, ids[0], moment(1), unheard()).await.expect("toggle pin");
    assert_eq!(sync(&stores, ids[1], [], None).await.pinned, []);
}

/// Who comes from another database, or from the future of this one, is told everything and to forget the rest.
pub async fn a_client_from_elsewhere_is_reset(stores: Stores) {
    let ids = users(&stores, 1).await;
    session(&stores, ids[0], 1).await;
    let chat = group(ids[0], &[]).add(&stores).await;
    let epoch = stores.changes.epoch().await.expect("epoch");
    assert!(!epoch.as_str().is_empty());
    let gone = ChatId::new(1_000_000);
    for (known, named, reset) in [
        (1, Some(epoch.clone()), false),
        (1, None, false),
        (2, Some(epoch.clone()), true),
        (1, Some(Epoch::new("another".to_owned())), true),
    ] {
        let known = [(chat, known), (gone, 1)].map(|(chat, known)| (chat, Version::new(known)));
        let request = SyncRequest::parse(known.into_iter().collect(), named, None).expect("a valid request");
        let page = stores.changes.since(ids[0], request).await.expect("sync");
        assert_eq!((page.reset, page.chats.len(), page.gone.len()), (reset, usize::from(reset), usize::from(!reset)));
        assert_eq!(page.epoch, epoch);
    }
}

fn recording() -> (Arc<RecordedEvents>, Announcer) {
    let recorded = Arc::new(RecordedEvents::default());
    let events: Arc<dyn Events> = recorded.clone();
    (recorded, Announcer::new(&events, None))
}

fn version(event: &Event) -> Version {
    match event {
        Event::ChatCreated { version, .. } | Event::ChatChanged { version, .. } => *version,
        Event::MessageSent { message, .. } => message.version,
        Event::LikeToggled { like, .. } => like.version,
        Event::PinToggled { pin } => pin.version,
        Event::UserChanged { .. } | Event::SessionsEnded { .. } => panic!("nobody changes or leaves here"),
    }
}

fn has_origin(event: &Event) -> bool {
    matches!(event, Event::MessageSent { origin: Some(_), .. } | Event::LikeToggled { origin: Some(_), .. })
}

async fn like(stores: &Stores, message: MessageId, user: UserId) {
    stores.likes.toggle(message, user, moment(1), unheard()).await.expect("toggle like").expect("a member likes");
}

async fn sync(
    stores: &Stores,
    user: UserId,
    known: impl IntoIterator<Item = (ChatId, i64)>,
    limit: Option<i64>,
) -> SyncPage {
    let known = known.into_iter().map(|(chat, version)| (chat, Version::new(version))).collect();
    let request = SyncRequest::parse(known, None, limit).expect("a valid request");
    stores.changes.since(user, request).await.expect("sync")
}
