//! What must not bring the server down.

use futures_util::SinkExt;
use futures_util::future::join_all;
use mango::server::{Origins, Stopped};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use crate::harness::{Mounted, SOCKET, SOON, echo, handshake, join, response};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn panics_and_half_sent_upgrades_leave_the_server_working() {
    let mounted = Mounted::start(Origins::Any);
    let client = reqwest::Client::new();
    let mut bystander = mounted.websocket().await;
    join(&mut bystander).await;

    for _ in 0..8 {
        assert!(client.get(mounted.url("/panic")).send().await.is_err());
        let mut socket = mounted.websocket().await;
        join(&mut socket).await;
        socket.send(Message::text(r#"42["panic"]"#)).await.unwrap();
        drop(socket);

        // A head that stops in its middle, one whose client is gone when the answer comes, and frames that are none.
        let head = handshake(SOCKET, "");
        let mut half = mounted.connect().await;
        half.write_all(head.split_at(head.len() / 2).0.as_bytes()).await.unwrap();
        drop(half);
        let mut gone = mounted.connect().await;
        gone.write_all(head.as_bytes()).await.unwrap();
        drop(gone);
        let mut garbage = mounted.connect().await;
        garbage.write_all(head.as_bytes()).await.unwrap();
        response(&mut garbage).await;
        garbage.write_all(&[0xff; 64]).await.unwrap();
        let mut rest = Vec::new();
        timeout(SOON, garbage.read_to_end(&mut rest)).await.unwrap().ok();

        // A polling session whose upgrade breaks off.
        let open = mounted.poll(&client).await;
        let target = format!("{SOCKET}&sid={}", open["sid"].as_str().unwrap());
        let mut probing = mounted.connect().await;
        probing.write_all(handshake(&target, "").as_bytes()).await.unwrap();
        response(&mut probing).await;
        drop(probing);
    }

    assert_eq!(client.get(mounted.url("/hello")).send().await.unwrap().text().await.unwrap(), "hello");
    echo(&mut bystander).await;
    mounted.until_open(1).await;
    assert_eq!(mounted.stop().await, Stopped::Clean);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_quick_connections_come_and_go() {
    let mounted = Mounted::start(Origins::Any);
    for _ in 0..10 {
        let connections = (0..100).map(|_| async {
            let mut socket = mounted.websocket().await;
            join(&mut socket).await;
            echo(&mut socket).await;
        });
        join_all(connections).await;
    }
    mounted.until_open(0).await;
    assert_eq!(mounted.stop().await, Stopped::Clean);
}
