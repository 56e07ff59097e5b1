//! Changes that the database commits after it was given up.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mango_domain::model::Event;
use mango_domain::ports::{Announcer, Events};
use mango_persistence::Options;
use mango_testkit::build::{group, users};
use mango_testkit::memory::RecordedEvents;

use crate::support::{Backend, Outsider, stores};

/// Operations that are given up soon.
fn impatient() -> Options {
    Options { operation_timeout: Duration::from_millis(500), ..Options::default() }
}

/// Has chats committed, but later than anybody waits for it. On PostgreSQL the commit itself takes its time, and does not let itself be
/// cancelled; on SQLite somebody else has the lock.
async fn delay_chats(outsider: &mut Outsider) {
    let sql = match outsider {
        Outsider::Sqlite(_) => "BEGIN IMMEDIATE",
        Outsider::Postgres(_) => {
            "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 PERFORM pg_sleep(10); RETURN NULL;
             EXCEPTION WHEN query_canceled THEN
                 PERFORM pg_sleep(1.5); RETURN NULL;
             END $$;
             CREATE CONSTRAINT TRIGGER dawdle AFTER INSERT ON chats DEFERRABLE INITIALLY DEFERRED
                 FOR EACH ROW EXECUTE FUNCTION dawdle()"
        }
    };
    outsider.run(sql).await.unwrap();
}

/// The members of a chat that proves to have been created are told of it as of any other.
async fn a_chat_that_was_created_after_all_is_told<B: Backend>() {
    let backend = B::with(impatient()).await;
    let stores = stores(backend.database());
    let ids = users(&stores, 3).await;
    let recorded = Arc::new(RecordedEvents::default());
    let events: Arc<dyn Events> = recorded.clone();
    let announcer = Announcer::new(&events, None);
    let mut outsider = backend.outsider().await;
    delay_chats(&mut outsider).await;
    stores.chats.create(group(ids[0], &ids[1..]).build(), announcer).await.unwrap_err();
    assert_eq!(recorded.take().len(), 0, "nobody knows of it yet");
    if let Outsider::Sqlite(_) = outsider {
        outsider.release().await;
    }
    let begun = Instant::now();
    let told = loop {
        assert!(begun.elapsed() < Duration::from_secs(30), "nobody is told");
        tokio::time::sleep(Duration::from_millis(20)).await;
        let told = recorded.take();
        if !told.is_empty() {
            break told;
        }
    };
    let [Event::ChatCreated { chat, members, version, only: None, .. }] = &told[..] else { panic!("{told:?}") };
    assert_eq!((&members[..], version.get()), (&ids[..], 1));
    assert_eq!(stores.chats.ids_of(ids[1]).await.unwrap(), [*chat]);
}

on_both! {
    a_chat_that_was_created_after_all_is_told
}
