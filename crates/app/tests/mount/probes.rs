//! Sessions that poll and try a WebSocket.

use futures_util::{SinkExt, StreamExt};
use mango::server::{Origins, Stopped};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Bytes, Message};

use crate::harness::{Mounted, SOCKET, SOON, agreed, echo, handshake, join_polling};

/// A session that polls and is in the namespace: its URL, and the target of its WebSocket.
async fn polling(mounted: &Mounted, client: &reqwest::Client) -> (String, String) {
    let open = mounted.poll(client).await;
    let session = mounted.session(&open);
    join_polling(client, &session).await;
    (session, format!("{SOCKET}&sid={}", open["sid"].as_str().unwrap()))
}

async fn try_websocket(mounted: &Mounted, target: &str) -> WebSocketStream<TcpStream> {
    let mut stream = mounted.connect().await;
    stream.write_all(handshake(target, "").as_bytes()).await.unwrap();
    agreed(stream).await
}

async fn next(socket: &mut WebSocketStream<TcpStream>) -> Option<Message> {
    timeout(SOON, socket.next()).await.unwrap().and_then(Result::ok)
}

/// Polls until there is something else than a ping, which comes whenever it likes.
async fn not_a_ping(client: reqwest::Client, session: String) -> String {
    loop {
        let answer = client.get(&session).send().await.unwrap();
        assert_eq!(answer.headers()["content-type"], "text/plain; charset=UTF-8");
        let text = answer.text().await.unwrap();
        if text != "2" {
            return text;
        }
    }
}

/// Proxies that let the handshake pass and nothing after it are common, and who is behind one goes on polling.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_websocket_that_comes_to_nothing_leaves_the_session_polling() {
    let mounted = Mounted::start(Origins::Any);
    let client = reqwest::Client::new();
    let (session, target) = polling(&mounted, &client).await;
    let tries: [&[Message]; 6] = [
        &[],
        &[Message::text("2probe")],
        &[Message::text("2probe"), Message::text("4nonsense")],
        &[Message::text("hello")],
        &[Message::binary(Bytes::from_static(b"2probe"))],
        &[Message::Close(None)],
    ];
    for sent in tries {
        let mut socket = try_websocket(&mounted, &target).await;
        for message in sent {
            socket.send(message.clone()).await.unwrap();
            if *message == Message::text("2probe") {
                assert_eq!(next(&mut socket).await, Some(Message::text("3probe")), "{sent:?}");
            }
        }
        drop(socket);
        client.post(&session).body(r#"421["echo",7]"#).send().await.unwrap();
        let mut told = String::new();
        while !told.contains("431[7]") {
            let answer = client.get(&session).send().await.unwrap();
            assert_eq!(answer.status(), 200, "{sent:?}");
            told += &answer.text().await.unwrap();
        }
    }
    let mut socket = try_websocket(&mounted, &target).await;
    socket.send(Message::text("2probe")).await.unwrap();
    assert_eq!(next(&mut socket).await, Some(Message::text("3probe")));
    socket.send(Message::text("5")).await.unwrap();
    echo(&mut socket).await;
    mounted.until_open(1).await;
    assert_eq!(mounted.stop().await, Stopped::Clean);
}

/// The poll that waits is answered with nothing, so that the client can move, and what the client sends right behind its wish to move
/// is not lost, however the bytes come.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_moves_while_it_polls() {
    let mounted = Mounted::start(Origins::Any);
    let client = reqwest::Client::new();
    for step in [1, 7, 1000] {
        let (session, target) = polling(&mounted, &client).await;
        let waiting = tokio::spawn(not_a_ping(client.clone(), session));
        let frame =
            |text: &str| [&[0x81, 0x80 | u8::try_from(text.len()).unwrap(), 0, 0, 0, 0], text.as_bytes()].concat();
        let mut stream = mounted.connect().await;
        stream.write_all(handshake(&target, "").as_bytes()).await.unwrap();
        for byte in frame("2probe") {
            stream.write_all(&[byte]).await.unwrap();
        }
        let mut socket = agreed(stream).await;
        assert_eq!(next(&mut socket).await, Some(Message::text("3probe")));
        assert_eq!(timeout(SOON, waiting).await.unwrap().unwrap(), "6");
        let behind = [frame("5"), frame(r#"4217["echo",{"a":1}]"#)].concat();
        for bytes in behind.chunks(step) {
            socket.get_mut().write_all(bytes).await.unwrap();
            socket.get_mut().flush().await.unwrap();
        }
        assert_eq!(next(&mut socket).await, Some(Message::text(r#"4317[{"a":1}]"#)));
        echo(&mut socket).await;
    }
    assert_eq!(mounted.stop().await, Stopped::Clean);
}
