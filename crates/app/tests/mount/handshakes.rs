//! Requests to upgrade, as they come and as they should not.

use mango::server::{Origins, Stopped};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::harness::{Mounted, SOCKET, SOON, agreed, echo, handshake, join, response, text};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_pipelined_before_an_upgrade_are_answered_first() {
    let mounted = Mounted::start(Origins::Any);
    let mut stream = mounted.connect().await;
    let hello = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";
    let slow = "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n";
    stream.write_all(format!("{hello}{slow}{}", handshake(SOCKET, "")).as_bytes()).await.unwrap();
    assert_eq!(response(&mut stream).await.1, "hello");
    mounted.slow.add_permits(1);
    assert_eq!(response(&mut stream).await.1, "at last");
    let mut socket = agreed(stream).await;
    join(&mut socket).await;
    echo(&mut socket).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frame_right_behind_the_head_is_not_lost() {
    let mounted = Mounted::start(Origins::Any);
    let mut stream = mounted.connect().await;
    // The masked frame `40` (its mask is zero) comes before the server has agreed to anything.
    let mut bytes = handshake(SOCKET, "").into_bytes();
    bytes.extend_from_slice(b"\x81\x82\0\0\0\x0040");
    stream.write_all(&bytes).await.unwrap();
    let mut socket = agreed(stream).await;
    assert!(text(&mut socket).await.starts_with("0{"));
    let packets = [text(&mut socket).await, text(&mut socket).await];
    assert!(packets.iter().any(|packet| packet.starts_with("40{")), "{packets:?}");
    echo(&mut socket).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_may_arrive_byte_by_byte() {
    let mounted = Mounted::start(Origins::Any);
    let mut stream = mounted.connect().await;
    stream.set_nodelay(true).unwrap();
    for byte in handshake(SOCKET, "X-Split: yes\r\n").bytes() {
        stream.write_u8(byte).await.unwrap();
        tokio::task::yield_now().await;
    }
    assert!(response(&mut stream).await.0.starts_with("HTTP/1.1 101"));
}

/// A client that is still sending when its socket is closed gets what it was told before that, and no reset that overtakes it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_goes_on_sending_reads_to_the_end() {
    let mounted = Mounted::start(Origins::Any);
    for _ in 0..20 {
        let mut socket = mounted.websocket().await;
        join(&mut socket).await;
        let frame =
            |text: &str| [&[0x81, 0x80 | u8::try_from(text.len()).unwrap(), 0, 0, 0, 0], text.as_bytes()].concat();
        let stream = socket.get_mut();
        // The packet that ends the session, and more than is read at once.
        stream.write_all(&[frame("1"), frame(r#"42["echo",1]"#).repeat(5000)].concat()).await.unwrap();
        let mut rest = Vec::new();
        timeout(SOON, stream.read_to_end(&mut rest)).await.unwrap().unwrap();
        assert!(rest.ends_with(&[0x88, 0]), "a close frame comes last: {rest:?}");
    }
    assert_eq!(mounted.stop().await, Stopped::Clean);
}
