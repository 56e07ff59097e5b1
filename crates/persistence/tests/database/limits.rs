//! Nothing waits for ever, and whoever gives up breaks nothing.

use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::join_all;
use mango_domain::ports::{ChatSelection, CreateChatError, CreateUserError};
use mango_persistence::Options;
use mango_testkit::Stores;
use mango_testkit::build::{group, message, moment, session, unheard, user, users};
use tokio::runtime::Builder;

use crate::support::{Backend, Postgres, is_busy, queue, stores, until_writing};

/// One connection, for which nobody waits long.
fn narrow() -> Options {
    Options { max_connections: 1, acquire_timeout: Duration::from_millis(200), ..Options::default() }
}

/// While the only connection is in use, the next who needs it is told so within the time-out.
async fn an_exhausted_pool_is_busy<B: Backend>() {
    let backend = B::with(narrow()).await;
    let stores = stores(backend.database());
    let mut outsider = backend.outsider().await;
    outsider.lock().await;
    let waiting = tokio::spawn({
        let stores = stores.clone();
        async move { stores.users.create(user(1).build()).await }
    });
    until_writing(backend.database(), 1).await;

    let start = Instant::now();
    let refused = stores.users.create(user(2).build()).await;
    assert!(matches!(refused, Err(CreateUserError::Failed(failure)) if is_busy(&failure)));
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());

    outsider.release().await;
    waiting.await.unwrap().unwrap();
    stores.users.create(user(2).build()).await.unwrap();
}

/// While messages cannot be committed and the queue is full, one more is refused without waiting. Those that wait get in.
async fn a_full_queue_is_busy_at_once<B: Backend>() {
    let options = Options { change_queue: 2, writers: 1, acquire_timeout: Duration::from_secs(60), ..narrow() };
    let backend = B::with(options).await;
    let stores = stores(backend.database());
    let ids = users(&stores, 1).await;
    let chat = group(ids[0], &[]).add(&stores).await;
    let mut outsider = backend.outsider().await;
    outsider.lock().await;
    let mut waiting = vec![queue(&stores, message(chat, ids[0]).build()).await];
    until_writing(backend.database(), 1).await;
    // The writer is busy with the first; two more find room in the queue.
    for _ in 0..2 {
        waiting.push(queue(&stores, message(chat, ids[0]).build()).await);
    }
    let refused =
        stores.messages.append(message(chat, ids[0]).build(), unheard()).now_or_never().expect("an answer at once");
    assert!(is_busy(&refused.unwrap_err()));

    outsider.release().await;
    let mut seqs = Vec::new();
    for appended in waiting {
        seqs.push(appended.await.unwrap().unwrap().message.seq.get());
    }
    assert_eq!(seqs, [1, 2, 3]);
}

/// A caller that is cancelled in the middle of a transaction leaves it to end by itself, and the connection usable.
async fn an_abandoned_transaction_is_whole<B: Backend>() {
    let backend = B::with(Options { acquire_timeout: Duration::from_secs(60), ..narrow() }).await;
    let stores = stores(backend.database());
    let user = users(&stores, 1).await[0];
    let chat = group(user, &[]).add(&stores).await;
    let mut outsider = backend.outsider().await;
    outsider.lock().await;
    let abandoned = tokio::spawn({
        let stores = stores.clone();
        async move { stores.chats.toggle_pin(chat, user, moment(1), unheard()).await }
    });
    until_writing(backend.database(), 1).await;
    abandoned.abort();
    assert!(abandoned.await.unwrap_err().is_cancelled());
    outsider.release().await;

    // This one's turn comes after the abandoned one.
    message(chat, user).add(&stores).await;
    assert_eq!(stores.chats.list(user, ChatSelection::Pinned).await.unwrap().chats.len(), 1);
}

/// A closed database has committed what it took, and takes nothing more.
async fn a_closed_database_is_busy<B: Backend>() {
    let backend = B::with(Options::default()).await;
    let (database, stores) = (backend.database(), stores(backend.database()));
    let ids = users(&stores, 1).await;
    let chat = group(ids[0], &[]).add(&stores).await;
    let appends: Vec<_> = (0..100)
        .map(|_| {
            let (stores, message) = (stores.clone(), message(chat, ids[0]).build());
            tokio::spawn(async move { stores.messages.append(message, unheard()).await })
        })
        .collect();
    database.close().await;
    let mut taken = 0;
    for append in appends {
        match append.await.unwrap() {
            Ok(message) => taken = taken.max(message.unwrap().message.seq.get()),
            Err(failure) => assert!(is_busy(&failure), "{failure:?}"),
        }
    }
    assert!(is_busy(&stores.users.find(ids[0]).await.unwrap_err()));
    assert!(is_busy(&stores.messages.append(message(chat, ids[0]).build(), unheard()).await.unwrap_err()));
    let create = stores.chats.create(group(ids[0], &[]).build(), unheard()).await;
    assert!(matches!(create, Err(CreateChatError::Failed(failure)) if is_busy(&failure)));
    let mut outsider = backend.outsider().await;
    // A chat whose last message is another one than was acknowledged last breaks the check on seqs.
    let all_there = format!("UPDATE chats SET last_seq = CASE WHEN last_seq = {taken} THEN last_seq ELSE -1 END");
    outsider.run(&all_there).await.unwrap();
}

/// A connection that was opened for a thread of the server that has ended serves the others, as they finish what they were asked.
async fn a_connection_outlives_the_runtime_that_asked_for_it<B: Backend>() {
    const AT_ONCE: usize = 100;
    let backend = B::with(Options::default()).await;
    let stores = stores(backend.database());
    let user = users(&stores, 1).await[0];
    let read_at_once = move |stores: Stores| async move {
        let reads = (0..AT_ONCE).map(|_| stores.users.find(user));
        join_all(reads).await.into_iter().for_each(|found| assert!(found.unwrap().is_some()));
    };
    let opened = || backend.database().pool_status().into_iter().map(|pool| pool.open).sum::<usize>();
    let before = opened();
    let asking = std::thread::spawn({
        let stores = stores.clone();
        move || Builder::new_current_thread().enable_all().build().unwrap().block_on(read_at_once(stores))
    });
    tokio::task::spawn_blocking(|| asking.join().unwrap()).await.unwrap();
    assert!(opened() > before, "the other runtime opened none");
    read_at_once(stores).await;
}

/// However many readers are held up, a message finds the connection of its writer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_leave_writers_of_postgres_their_connections() {
    let backend = Postgres::with(Options { max_connections: 3, ..narrow() }).await;
    let stores = stores(backend.database());
    let user = users(&stores, 1).await[0];
    let chat = group(user, &[]).add(&stores).await;
    session(&stores, user, 1).await;
    let mut outsider = backend.outsider().await;
    outsider.run("BEGIN; LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let stores = stores.clone();
            tokio::spawn(async move { stores.sessions.list(user, moment(0), moment(0)).await })
        })
        .collect();
    until_writing(backend.database(), 3).await;
    assert!(is_busy(&stores.users.find(user).await.unwrap_err()));
    message(chat, user).add(&stores).await;
    outsider.release().await;
    for reader in readers {
        assert_eq!(reader.await.unwrap().unwrap().len(), 1);
    }
}

on_both! {
    an_exhausted_pool_is_busy
    a_full_queue_is_busy_at_once
    an_abandoned_transaction_is_whole
    a_closed_database_is_busy
    a_connection_outlives_the_runtime_that_asked_for_it
}
