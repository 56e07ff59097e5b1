//! A database that takes a query and does not answer it costs its callers the time-out, and no more.

use std::future::Future;
use std::time::{Duration, Instant};

use mango_domain::Failure;
use mango_domain::model::PageRequest;
use mango_domain::ports::{ChatSelection, CreateUserError};
use mango_persistence::Options;
use mango_testkit::build::{group, message, unheard, user, users};

use crate::support::{Backend, is_busy, stores};

/// One connection, and short time-outs.
fn impatient() -> Options {
    let second = Duration::from_secs(1);
    Options {
        max_connections: 1,
        acquire_timeout: second,
        connect_timeout: second,
        operation_timeout: second / 2,
        writers: 1,
        ..Options::default()
    }
}

/// Sees that an operation ends as busy, long before any time-out that is not of [`impatient`].
async fn check_busy<T>(operation: impl Future<Output = Result<T, Failure>>) {
    let start = Instant::now();
    let Err(failure) = operation.await else {
        panic!("a stalled database answered");
    };
    assert!(is_busy(&failure), "{failure:?}");
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
}

/// A write that waits for a lock is not waited for longer than the time-out, and neither is an append. When the lock is gone
/// both work, and what was given up is there whole or not at all.
async fn a_locked_operation_is_busy<B: Backend>() {
    let backend = B::with(impatient()).await;
    let stores = stores(backend.database());
    let ids = users(&stores, 1).await;
    let chat = group(ids[0], &[]).add(&stores).await;
    let mut outsider = backend.outsider().await;
    outsider.lock().await;
    check_busy(async {
        match stores.users.create(user(2).build()).await {
            Err(CreateUserError::Failed(failure)) => Err(failure),
            other => Ok(other),
        }
    })
    .await;
    check_busy(stores.messages.append(message(chat, ids[0]).build(), unheard())).await;
    outsider.release().await;

    user(3).add(&stores).await;
    let sent = message(chat, ids[0]).add(&stores).await;
    let page =
        stores.messages.page(chat, ids[0], PageRequest::parse(None, None, None).unwrap()).await.unwrap().unwrap();
    assert_eq!(page.messages.len(), usize::try_from(sent.seq.get()).unwrap());
}

on_both! {
    a_locked_operation_is_busy
}

mod postgres_stopped {
    use std::process::Command;

    use mango_testkit::PrivatePostgres;

    use super::*;
    use crate::support::open;

    /// Processes of a server that are stopped where they stand, until this is dropped. The kernel still takes what is sent to them.
    struct Frozen(Vec<String>);

    impl Frozen {
        fn new(pids: impl IntoIterator<Item = String>) -> Self {
            let frozen = Self(pids.into_iter().collect());
            assert!(!frozen.0.is_empty(), "nothing to stop");
            frozen.signal("STOP");
            frozen
        }

        /// The connections of a database.
        fn connections(server: &PrivatePostgres, url: &str) -> Self {
            let mine =
                "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
            Self::new(server.psql(url, mine).lines().map(str::to_owned))
        }

        fn signal(&self, signal: &str) {
            let kill = format!("kill -{signal} {}", self.0.join(" "));
            assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success(), "{kill}");
        }
    }

    impl Drop for Frozen {
        fn drop(&mut self) {
            self.signal("CONT");
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_stalled_connection_is_given_up() {
        let server = PrivatePostgres::start();
        let url = server.url_for_new_database();
        let database = open(&url.parse().unwrap(), impatient()).await;
        let stores = stores(&database);
        let ids = users(&stores, 1).await;
        let chat = group(ids[0], &[]).add(&stores).await;
        message(chat, ids[0]).add(&stores).await;

        // Each operation finds its connection stalled, and the next one gets another, while the stalled ones still are.
        let first = Frozen::connections(&server, &url);
        check_busy(stores.users.find(ids[0])).await;
        assert!(stores.users.find(ids[0]).await.unwrap().is_some());
        drop(first);
        let second = Frozen::connections(&server, &url);
        check_busy(stores.chats.list(ids[0], ChatSelection::All)).await;
        assert_eq!(stores.chats.list(ids[0], ChatSelection::All).await.unwrap().chats.len(), 1);
        drop(second);
        let third = Frozen::connections(&server, &url);
        check_busy(stores.messages.append(message(chat, ids[0]).build(), unheard())).await;
        message(chat, ids[0]).add(&stores).await;
        drop(third);

        // The append that was given up may be stored when its connection wakes up. It leaves no hole and takes no seq twice.
        let sent = message(chat, ids[0]).add(&stores).await;
        assert!((3..=4).contains(&sent.seq.get()), "{:?}", sent.seq);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_stopped_server_is_busy_until_it_goes_on() {
        let server = PrivatePostgres::start();
        let url = server.url_for_new_database();
        let database = open(&url.parse().unwrap(), impatient()).await;
        let stores = stores(&database);
        let ids = users(&stores, 1).await;
        let chat = group(ids[0], &[]).add(&stores).await;

        // Without the first process nobody answers new connections either.
        let connections = Frozen::connections(&server, &url);
        let listener = Frozen::new(server.pid().map(|pid| pid.to_string()));
        check_busy(stores.messages.append(message(chat, ids[0]).build(), unheard())).await;
        check_busy(stores.users.find(ids[0])).await;
        check_busy(stores.chats.list(ids[0], ChatSelection::All)).await;
        check_busy(stores.messages.append(message(chat, ids[0]).build(), unheard())).await;
        check_busy(database.ping()).await;
        drop((listener, connections));

        assert!(stores.users.find(ids[0]).await.unwrap().is_some());
        assert_eq!(stores.chats.list(ids[0], ChatSelection::All).await.unwrap().chats.len(), 1);
        let sent = message(chat, ids[0]).add(&stores).await;
        assert!((1..=2).contains(&sent.seq.get()), "{:?}", sent.seq);
    }
}
