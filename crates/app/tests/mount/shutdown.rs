//! The end of the server.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use mango::server::{Origins, Stopped};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use crate::harness::{Mounted, SOON, join, join_polling, response, text};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_answers_what_was_asked_and_breaks_sockets_off() {
    let mounted = Mounted::start(Origins::Any);
    let address = mounted.address;
    let client = reqwest::Client::new();
    let mut socket = mounted.websocket().await;
    join(&mut socket).await;

    let session = mounted.session(&mounted.poll(&client).await);
    join_polling(&client, &session).await;
    // The first ping comes with the answer to joining or with the next poll; after it there is nothing to get.
    let poll = tokio::spawn(async move {
        loop {
            let answer = client.get(&session).send().await.unwrap();
            if answer.status() != 200 {
                return answer.status();
            }
        }
    });

    // The head of the request is in, its answer takes a while.
    let mut asking = mounted.connect().await;
    asking.write_all(b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\nGET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    assert_eq!(response(&mut asking).await.1, "hello");
    let mut idle = mounted.connect().await;
    idle.write_all(b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    response(&mut idle).await;

    let slow = mounted.slow.clone();
    let stopping = tokio::spawn(mounted.stop());
    assert_eq!(timeout(SOON, idle.read(&mut [0; 16])).await.unwrap().unwrap(), 0, "an idle connection is closed");
    slow.add_permits(1);
    assert_eq!(response(&mut asking).await.1, "at last");
    assert_eq!(poll.await.unwrap(), 503, "a waiting poll is answered");
    while let Some(Ok(message)) = timeout(SOON, socket.next()).await.unwrap() {
        assert!(message.is_close() || message == Message::text("2"), "clients are not to stay away: {message:?}");
    }
    assert_eq!(stopping.await.unwrap(), Stopped::Clean);
    assert!(TcpStream::connect(address).await.is_err(), "the port is free");
    TcpListener::bind(address).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_does_not_wait_for_those_who_never_joined() {
    let mounted = Mounted::start(Origins::Any);
    let mut socket = mounted.websocket().await;
    assert!(text(&mut socket).await.starts_with("0{"));
    let client = reqwest::Client::new();
    let session = mounted.session(&mounted.poll(&client).await);
    // The first poll gets the first ping, the second has nothing to get.
    client.get(&session).send().await.unwrap();
    let poll = tokio::spawn(client.get(&session).send());

    let begun = Instant::now();
    assert_eq!(mounted.stop().await, Stopped::Clean);
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    while let Some(Ok(_)) = timeout(SOON, socket.next()).await.unwrap() {}
    // Whether it had arrived when the server stopped is up to the machine.
    let answer = poll.await.unwrap();
    assert!(answer.is_err() || answer.unwrap().status() == 503);
}
