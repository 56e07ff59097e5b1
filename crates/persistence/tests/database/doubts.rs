//! Changes that the database commits after it was given up.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mango_domain::model::{Event, UserChange, UserName};
use mango_domain::ports::{Announcer, Events};
use mango_persistence::Options;
use mango_testkit::build::{group, moment, unheard, users};
use mango_testkit::memory::RecordedEvents;

use crate::support::{Backend, Outsider, stores};

/// Operations that are given up soon.
fn impatient() -> Options {
    Options { operation_timeout: Duration::from_millis(500), ..Options::default() }
}

/// Has a change of a table, such as `INSERT ON chats`, committed, but later than anybody waits for it. On PostgreSQL the commit itself takes its time, and does not let itself be
/// cancelled; on SQLite somebody else has the lock.
async fn delay(outsider: &mut Outsider, change: &str) {
    let sql = match outsider {
        Outsider::Sqlite(_) => "BEGIN IMMEDIATE".to_owned(),
        Outsider::Postgres(_) => format!(
            "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 PERFORM pg_sleep(10); RETURN NULL;
             EXCEPTION WHEN query_canceled THEN
                 PERFORM pg_sleep(1.5); RETURN NULL;
             END $$;
             CREATE CONSTRAINT TRIGGER dawdle AFTER {change} DEFERRABLE INITIALLY DEFERRED
                 FOR EACH ROW EXECUTE FUNCTION dawdle()"
        ),
    };
    outsider.run(&sql).await.unwrap();
}

/// What is told, once the change was committed, of which nobody was told when it was asked for.
async fn told_after_all(mut outsider: Outsider, recorded: &RecordedEvents) -> Event {
    assert_eq!(recorded.take().len(), 0, "nobody knows of it yet");
    if let Outsider::Sqlite(_) = outsider {
        outsider.release().await;
    }
    let begun = Instant::now();
    loop {
        assert!(begun.elapsed() < Duration::from_secs(30), "nobody is told");
        tokio::time::sleep(Duration::from_millis(20)).await;
        let mut told = recorded.take();
        if let Some(event) = told.pop() {
            assert_eq!(told.len(), 0, "{told:?} and {event:?}");
            return event;
        }
    }
}

fn recording() -> (Arc<RecordedEvents>, Announcer) {
    let recorded = Arc::new(RecordedEvents::default());
    let events: Arc<dyn Events> = recorded.clone();
    (recorded, Announcer::new(&events, None))
}

/// The members of a chat that proves to have been created are told of it as of any other.
async fn a_chat_that_was_created_after_all_is_told<B: Backend>() {
    let backend = B::with(impatient()).await;
    let stores = stores(backend.database());
    let ids = users(&stores, 3).await;
    let (recorded, announcer) = recording();
    let mut outsider = backend.outsider().await;
    delay(&mut outsider, "INSERT ON chats").await;
    stores.chats.create(group(ids[0], &ids[1..]).build(), announcer).await.unwrap_err();
    let told = told_after_all(outsider, &recorded).await;
    let Event::ChatCreated { chat, members, version, only: None, .. } = told else { panic!("{told:?}") };
    assert_eq!((&members[..], version.get()), (&ids[..], 1));
    assert_eq!(stores.chats.ids_of(ids[1]).await.unwrap(), [chat]);
}

/// Who sees a name that was changed after all is told of it.
async fn a_name_that_was_changed_after_all_is_told<B: Backend>() {
    let backend = B::with(impatient()).await;
    let stores = stores(backend.database());
    let ids = users(&stores, 2).await;
    let chat = group(ids[0], &ids).add(&stores).await;
    let (recorded, announcer) = recording();
    let mut outsider = backend.outsider().await;
    delay(&mut outsider, "UPDATE ON users").await;
    let name = UserName::parse("Another").unwrap();
    let change = UserChange { name: Some(Some(name.clone())), ..UserChange::default() };
    stores.users.update(ids[0], change, moment(1), announcer).await.unwrap_err();
    let told = told_after_all(outsider, &recorded).await;
    let Event::UserChanged { user, chats } = told else { panic!("{told:?}") };
    assert_eq!((user.name, user.version.get(), chats), (Some(name), 1, vec![chat]));
}

/// A user whose pin was set, or taken away, after all is told of it.
async fn a_pin_that_was_toggled_after_all_is_told<B: Backend>() {
    for (change, before) in [("INSERT ON pins", false), ("DELETE ON pins", true)] {
        let backend = B::with(impatient()).await;
        let stores = stores(backend.database());
        let ids = users(&stores, 2).await;
        let chat = group(ids[0], &ids).add(&stores).await;
        if before {
            stores.chats.toggle_pin(chat, ids[1], moment(1), unheard()).await.unwrap();
        }
        let (recorded, announcer) = recording();
        let mut outsider = backend.outsider().await;
        delay(&mut outsider, change).await;
        stores.chats.toggle_pin(chat, ids[1], moment(1), announcer).await.unwrap_err();
        let told = told_after_all(outsider, &recorded).await;
        let Event::PinToggled { pin } = told else { panic!("{told:?}") };
        assert_eq!((pin.chat, pin.user, pin.pinned, pin.version.get()), (chat, ids[1], !before, 1), "{change}");
    }
}

on_both! {
    a_pin_that_was_toggled_after_all_is_told
    a_chat_that_was_created_after_all_is_told
    a_name_that_was_changed_after_all_is_told
}
