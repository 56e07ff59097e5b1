//! A stop: what is finished, how sockets end, and when it ends at the latest.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::client::{SOON, Socket, User};
use crate::support::Server;
use crate::{address, stop};

/// The connection of a socket has ended without a word that would have its client stay away.
async fn assert_broken_off(socket: &mut Socket) {
    while let Some(packet) = socket.packet().await {
        assert!(packet.starts_with("42"), "{packet}");
    }
}

/// A request whose body is still on its way, so that it is in flight until the test says otherwise.
fn begin_request(server: &Server) -> TcpStream {
    let mut stream = TcpStream::connect(address(server)).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    let head = "POST /auth/login HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Type: application/json\r\n";
    write!(stream, "{head}Content-Length: {}\r\n\r\n", LOGIN.len()).unwrap();
    // The server has read the head when it asks for the rest.
    let mut answer = [0; 25];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream
}

const LOGIN: &str = r#"{"username": "+31612345678", "password": "not the password"}"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_finishes_requests_in_flight_and_breaks_sockets_off() {
    let mut server = Server::start(&[]);
    let ada = User::sign_up(server.url(), "+31612345678", None).await;
    let mut sockets = Vec::new();
    for _ in 0..20 {
        sockets.push(Socket::connect(server.url(), &ada).await);
    }
    let mut asking = begin_request(&server);
    let begun = Instant::now();
    server.signal("TERM");
    for socket in &mut sockets {
        assert_broken_off(socket).await;
    }
    asking.write_all(LOGIN.as_bytes()).unwrap();
    let mut answer = String::new();
    asking.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    let status = server.wait(SOON).unwrap_or_else(|| panic!("it does not stop\n{}", server.log()));
    assert_eq!(status.code(), Some(0), "{}", server.log());
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}\n{}", begun.elapsed(), server.log());
    assert!(server.log().contains("stopped"), "{}", server.log());
}

#[test]
fn a_stop_ends_when_its_time_is_up() {
    let mut server = Server::start(&[("MANGO_SHUTDOWN_TIMEOUT", "1s")]);
    let _asking = begin_request(&server);
    let begun = Instant::now();
    stop(&mut server);
    assert!((Duration::from_secs(1)..Duration::from_secs(8)).contains(&begun.elapsed()), "{:?}", begun.elapsed());
    assert!(server.log().contains("time was up"), "{}", server.log());
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let mut server = Server::start(&[("MANGO_SHUTDOWN_TIMEOUT", "1h")]);
    let _asking = begin_request(&server);
    server.signal("INT");
    let begun = Instant::now();
    while !server.log().contains("shutting down") {
        assert!(begun.elapsed() < SOON, "{}", server.log());
        std::thread::yield_now();
    }
    server.signal("INT");
    assert_eq!(server.wait(SOON).unwrap().code(), Some(130), "{}", server.log());
}
