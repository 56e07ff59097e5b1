//! What is counted of the packets that wait, and when it is taken off again.

use std::io;
use std::time::Duration;

use futures_util::FutureExt;
use serde_json::json;
use serde_json::value::to_raw_value;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::time::timeout;

use super::*;
use crate::frames::tests::{HEAD, frame};

#[test]
fn sizes_are_those_of_packets() {
    let payload = to_raw_value(&json!({ "chat": 1 })).unwrap();
    assert_eq!(event_size("chat_changed", &payload), r#"42["chat_changed",{"chat":1}]"#.len());
    for id in [0, 9, 10, 12_345] {
        assert_eq!(ack_size(id, &payload), format!(r#"43{id}[{{"chat":1}}]"#).len(), "{id}");
    }
}

#[test]
fn what_waits_has_a_limit_except_for_a_single_packet() {
    let outlet = Outlet::of_polling();
    assert!(outlet.admit(20_000, 20_000, 10_000), "nothing else waits");
    assert!(!outlet.admit(2000, 2000, 10_000));
    assert!(outlet.admit(1000, 1000, 10_000), "a small one");
    outlet.give_back(20_000);
    assert!(outlet.admit(6000, 6000, 10_000) && outlet.admit(4000, 4000, 10_000) && !outlet.admit(2000, 2000, 10_000));
    assert_eq!(outlet.waiting(), 10_000);
}

#[test]
fn a_backlog_is_what_waits_in_all_outlets_by_their_shares() {
    let (backlog, intake) = (Sum::new(usize::MAX), Sum::new(usize::MAX));
    let (one, other) = (Outlet::of_polling(), Outlet::of_polling());
    one.count_in(&backlog, &intake);
    other.count_in(&backlog, &intake);
    assert!(one.admit(6000, 6000, 10_000) && one.admit(4000, 2000, 10_000) && other.admit(4000, 2000, 10_000));
    assert!(one.admit(500, 500, 10_000) && !one.admit(2000, 2000, 10_000), "a small one, and one too many");
    assert_eq!((backlog.size(), one.share(), other.share()), (10_000, 8000, 2000));
    one.give_back(4000);
    assert_eq!((backlog.size(), one.share()), (8000, 6000), "no more than what is left");
    one.give_back(6000);
    assert_eq!((backlog.size(), one.share()), (2000, 0));
    one.give_back(6000);
    other.count_out();
    other.give_back(4000);
    assert_eq!((backlog.size(), other.share()), (0, 0));
    assert!(one.admit(6000, 6000, 10_000));
    drop(one);
    assert_eq!(backlog.size(), 0, "what is dropped does not wait any more");
}

#[tokio::test]
async fn a_connection_tells_what_it_takes_and_whether_it_takes_anything() {
    let outlet = Outlet::new(CancellationToken::new());
    let (connection, mut client) = duplex(4096);
    let mut connection = outlet.meter(connection);
    assert!(outlet.admit(6000, 6000, 10_000) && outlet.admit(2000, 2000, 10_000));
    let bytes = [HEAD, &frame(6000), &frame(10), &frame(2000)].concat();
    let writing = connection.write_all(&bytes);
    tokio::pin!(writing);
    assert!(writing.as_mut().now_or_never().is_none());
    assert_eq!((outlet.is_blocked(), outlet.waiting(), outlet.taken()), (true, 8000, 4096));

    let waiting = outlet.wait_while(|| outlet.waiting() >= 8000);
    tokio::pin!(waiting);
    assert!(waiting.as_mut().now_or_never().is_none());
    client.read_exact(&mut [0; 3000]).await.unwrap();
    assert!(writing.as_mut().now_or_never().is_none());
    assert_eq!(outlet.waiting(), 2000, "the first frame is out");
    waiting.await;
    client.read_exact(&mut vec![0; bytes.len() - 3000 - 4096 + 100]).await.unwrap();
    writing.await.unwrap();
    assert_eq!((outlet.is_blocked(), outlet.waiting()), (false, 0));
    assert_eq!(outlet.taken(), u64::try_from(bytes.len()).unwrap());
}

#[tokio::test]
async fn a_connection_counts_for_the_session_that_it_takes_over() {
    let (session, own) = (Outlet::of_polling(), Outlet::new(CancellationToken::new()));
    let (connection, _client) = duplex(100_000);
    let mut connection = own.meter(connection);
    own.continue_session(&session);
    assert!(session.admit(6000, 6000, 10_000));
    connection.write_all(&[HEAD, &frame(6000)].concat()).await.unwrap();
    assert_eq!((session.waiting(), own.taken()), (0, 0));
    session.wire().unwrap().cancel();
    assert!(own.wire().unwrap().is_cancelled());
}

#[tokio::test]
async fn a_connection_that_is_not_read_can_be_broken_off() {
    let outlet = Outlet::new(CancellationToken::new());
    let (connection, mut client) = duplex(4096);
    let mut connection = outlet.meter(connection);
    client.write_all(b"ab").await.unwrap();
    outlet.intake().shut();
    assert!(connection.read_u8().now_or_never().is_none());
    outlet.intake().open();
    assert_eq!(connection.read_u8().await.unwrap(), b'a');

    outlet.intake().shut();
    let reading = tokio::spawn(async move { connection.read_u8().await });
    tokio::task::yield_now().await;
    outlet.wire().unwrap().cancel();
    let broken_off = timeout(Duration::from_secs(10), reading).await.unwrap().unwrap();
    assert_eq!(broken_off.unwrap_err().kind(), io::ErrorKind::ConnectionAborted);
}
