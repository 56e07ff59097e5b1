//! Connections that do not keep to any protocol. Each attack is followed by a good client, and by a look at what the process still holds.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::client::SOON;
use crate::target::{
    BINARY, CLOSE, CONTINUATION, MARGIN, POLLING, SOCKET, TEXT, Target, check_closes, closed, frame, handshake, head,
    read_until,
};

#[tokio::test]
async fn half_handshakes_by_the_thousand() {
    let target = Target::new().await;
    let whole = handshake(SOCKET);
    let halves = ["", "GET", whole.split_at(whole.len() / 2).0, whole.trim_end()];
    for _ in 0..5 {
        let open = (0..400).map(|n: usize| {
            let (target, half) = (&target, halves[n % halves.len()]);
            async move {
                let mut stream = target.connect().await;
                stream.write_all(half.as_bytes()).await.unwrap();
                stream
            }
        });
        let open = join_all(open).await;
        // While all of them wait, others are served.
        target.serve().await;
        drop(open);
    }
    target.assert_unharmed().await;
}

#[tokio::test]
async fn garbage_after_the_upgrade() {
    let target = Target::new().await;
    // Of a simple generator, so that each run sends the same.
    let mut state = 1_u32;
    let noise = |length: usize, state: &mut u32| -> Vec<u8> {
        let next = |_| {
            *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        };
        (0..length).map(next).collect()
    };
    for length in [1, 2, 14, 1000, 70_000].into_iter().cycle().take(100) {
        let mut stream = target.upgraded(SOCKET).await;
        let _ = stream.write_all(&noise(length, &mut state)).await;
        // Some of it is the beginning of a good frame, whose rest the server waits for until the client is gone.
        let _ = stream.shutdown().await;
        closed(&mut stream, "a connection after garbage").await;
    }
    for bytes in
        [&[0xff; 64][..], b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"]
    {
        check_closes(&target, "a connection after garbage", bytes).await;
    }
    target.assert_unharmed().await;
}

#[tokio::test]
async fn frames_that_rfc_6455_forbids() {
    let target = Target::new().await;
    // Section 5.2: opcodes that are reserved, and bits that no extension gave a meaning.
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        check_closes(&target, "a reserved opcode", &frame(true, opcode, true, b"x")).await;
    }
    for bit in [0x10, 0x20, 0x40] {
        check_closes(&target, "a reserved bit", &[0x81 | bit, 0x81, 0, 0, 0, 0, b'2']).await;
    }
    // Section 5.1: what a client sends is masked.
    check_closes(&target, "a frame without a mask", &frame(true, TEXT, false, b"42[\"sync\",{}]")).await;
    // Section 5.4: a continuation of nothing, and a message in the middle of another.
    check_closes(&target, "a continuation of nothing", &frame(true, CONTINUATION, true, b"x")).await;
    let nested = [frame(false, TEXT, true, b"4"), frame(true, TEXT, true, b"2")].concat();
    check_closes(&target, "a message within a message", &nested).await;
    // Section 5.5: control frames are short and whole.
    check_closes(&target, "a long ping", &frame(true, 9, true, &[0; 126])).await;
    check_closes(&target, "a ping in parts", &frame(false, 9, true, b"x")).await;
    // Section 5.2: a length of 64 bits has its first bit at zero; and no server takes a message of so many bytes.
    let huge = |length: u64| [&[0x81, 0xff][..], &length.to_be_bytes(), &[0; 4]].concat();
    check_closes(&target, "a frame of 2^64 - 1 bytes", &huge(u64::MAX)).await;
    check_closes(&target, "a frame of 2^40 bytes", &huge(1 << 40)).await;
    // Section 8.1: text is UTF-8.
    for bytes in [&b"4\xff\xfe"[..], b"42[\"\xc0\xaf\"]", b"42[\"\xed\xa0\x80\"]", b"42[\"\xf5\x80\x80\x80\"]"] {
        check_closes(&target, "text that is not UTF-8", &frame(true, TEXT, true, bytes)).await;
    }
    target.assert_unharmed().await;
}

#[tokio::test]
async fn messages_in_parts_for_ever() {
    let target = Target::new().await;
    // Parts that never make a whole: the server stops at the size that a message may have.
    for (size, parts) in [(64 << 10, 1024), (1000, 5000)] {
        let mut stream = target.let_in().await;
        stream.write_all(&frame(false, TEXT, true, b"42")).await.unwrap();
        let part = frame(false, CONTINUATION, true, &vec![b' '; size]);
        let mut sent = 0;
        while sent < parts && stream.write_all(&part).await.is_ok() {
            sent += 1;
        }
        closed(&mut stream, "a message without an end").await;
        assert!(target.memory() <= target.memory + MARGIN);
    }
    // With a few parts of nothing the message in them is still one.
    let mut stream = target.let_in().await;
    stream.write_all(&frame(false, TEXT, true, b"427[\"sync\",")).await.unwrap();
    stream.write_all(&frame(false, CONTINUATION, true, b"").repeat(90)).await.unwrap();
    stream.write_all(&frame(true, CONTINUATION, true, b"{\"chats\":{}}]")).await.unwrap();
    read_until(&mut stream, b"437[{\"ok\":true").await;
    let mut stream = target.let_in().await;
    let nothing = [frame(false, TEXT, true, b"42"), frame(false, CONTINUATION, true, b"").repeat(1000)].concat();
    let _ = stream.write_all(&nothing).await;
    closed(&mut stream, "a message of nothing without an end").await;
    target.assert_unharmed().await;
}

#[tokio::test]
async fn storms_of_closing() {
    let target = Target::new().await;
    for _ in 0..5 {
        join_all((0..100).map(|n| {
            let target = &target;
            async move {
                let mut stream = if n % 2 == 0 { target.upgraded(SOCKET).await } else { target.let_in().await };
                let close = frame(true, CLOSE, true, &1000_u16.to_be_bytes()).repeat(50);
                let _ = stream.write_all(&close).await;
                if n % 3 == 0 {
                    closed(&mut stream, "a connection that was closed").await;
                }
            }
        }))
        .await;
    }
    for reason in [&[3][..], &[0, 0], &[0xff; 125]] {
        check_closes(&target, "a close with a bad reason", &frame(true, CLOSE, true, reason)).await;
    }
    // Socket.IO has its own way to leave and to come.
    let leaving = frame(true, TEXT, true, b"41").repeat(1000);
    let mut stream = target.let_in().await;
    let _ = stream.write_all(&leaving).await;
    drop(stream);
    target.assert_unharmed().await;
}

#[tokio::test]
async fn packets_that_nobody_asked_for() {
    let target = Target::new().await;
    let elsewhere = format!("40/admin,{}", json!({"token": target.user.access}));
    // After being let in: acknowledgements of nothing, namespaces that there are not, packets of the server's, attachments of nothing.
    for packet in [
        "4312[1]",
        "43[]",
        "4399999999999999999999[1]",
        "43/admin,1[1]",
        "461-1[{\"_placeholder\":true,\"num\":0}]",
        "41/admin,",
        "42/admin,[\"sync\",{}]",
        elsewhere.as_str(),
        "40/../,",
        "44{\"message\":\"x\"}",
        "0{\"sid\":\"x\"}",
        "3probe",
        "2probe",
        "5",
        "6",
        "3",
        "4",
        "45",
        "459-[\"sync\"]",
        "4518446744073709551615-[\"sync\"]",
        "42[\"sync\",{}",
        "42{}",
        "7",
        "40",
        "4\u{0}",
    ] {
        let mut stream = target.let_in().await;
        let asked = frame(true, TEXT, true, b"427[\"sync\",{\"chats\":{}}]");
        let _ = stream.write_all(&[frame(true, TEXT, true, packet.as_bytes()), asked].concat()).await;
        // Either the connection goes on as before, or it is closed; it does not hang.
        let mut said: Vec<u8> = Vec::new();
        loop {
            let mut buffer = [0; 4096];
            let read = timeout(SOON, stream.read(&mut buffer)).await;
            match read.unwrap_or_else(|_| panic!("{packet:?} leaves a connection that does nothing")) {
                Ok(0) | Err(_) => break,
                Ok(read) => said.extend(&buffer[..read]),
            }
            if said.windows(4).any(|window| window == b"437[") {
                break;
            }
        }
    }
    // Before being let in, nothing but asking for that is heard.
    for packet in ["42[\"sync\",{\"chats\":{}}]", "427[\"sync\",{\"chats\":{}}]", "431[1]", "41", "451-[\"sync\"]"] {
        let mut stream = target.upgraded(SOCKET).await;
        let _ = stream.write_all(&frame(true, TEXT, true, packet.as_bytes())).await;
        let _ = stream.write_all(&frame(true, CLOSE, true, &1000_u16.to_be_bytes())).await;
        let said = closed(&mut stream, packet).await;
        let said = String::from_utf8_lossy(&said);
        assert!(!said.contains("\"ok\"") && !said.contains("epoch"), "{packet}: {said}");
    }
    // Binary frames that were not announced.
    check_closes(&target, "a binary frame of nothing", &frame(true, BINARY, true, b"\x04\x05")).await;
    target.assert_unharmed().await;
}

/// Opens a session of long-polling and gives its id.
async fn polling(target: &Target, http: &reqwest::Client) -> String {
    let open = http.get(format!("{}{POLLING}", target.server.url())).send().await.unwrap().text().await.unwrap();
    let open: Value = serde_json::from_str(open.strip_prefix('0').unwrap()).unwrap();
    open["sid"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn two_upgrades_of_one_session() {
    let target = Target::new().await;
    let http = reqwest::Client::new();
    for _ in 0..20 {
        let session = polling(&target, &http).await;
        let connect = format!("40{}", json!({"token": target.user.access}));
        let url = format!("{}{POLLING}&sid={session}", target.server.url());
        assert_eq!(http.post(url).body(connect).send().await.unwrap().status(), 200);
        let request = handshake(&format!("{SOCKET}&sid={session}"));
        let mut both = [target.connect().await, target.connect().await];
        for stream in &mut both {
            stream.write_all(request.as_bytes()).await.unwrap();
        }
        for stream in &mut both {
            let _ = stream.write_all(&frame(true, TEXT, true, b"2probe")).await;
            let _ = stream.write_all(&frame(true, TEXT, true, b"5")).await;
        }
        // One of them at the most speaks for the session afterwards.
        let asked = frame(true, TEXT, true, b"427[\"sync\",{\"chats\":{}}]");
        let mut answered = 0;
        for stream in &mut both {
            let _ = stream.write_all(&asked).await;
            let _ = stream.write_all(&frame(true, CLOSE, true, &1000_u16.to_be_bytes())).await;
            let said = closed(stream, "an upgrade").await;
            answered += usize::from(String::from_utf8_lossy(&said).contains("437["));
        }
        assert!(answered <= 1, "{answered} of two upgrades speak for one session");
    }
    target.assert_unharmed().await;
}

/// A handshake for a session that is not the client's is refused, or agreed to and closed without a packet.
async fn assert_refused(stream: &mut TcpStream, sid: &str) {
    let head = head(stream).await;
    if head.starts_with("HTTP/1.1 101") {
        let said = closed(stream, "a handshake for an unknown session").await;
        assert!(said.is_empty() || said[0] == 0x88, "{sid}: {said:?}");
    } else {
        assert!(head.starts_with("HTTP/1.1 4"), "{sid}: {head}");
    }
}

#[tokio::test]
async fn sessions_of_strangers() {
    let target = Target::new().await;
    let http = reqwest::Client::new();
    // An id is random and long: knowing some of them helps nobody to another.
    let mut known = Vec::new();
    for _ in 0..200 {
        known.push(polling(&target, &http).await);
    }
    assert!(known.iter().all(|sid| sid.len() >= 16), "{known:?}");
    for place in 0..16 {
        let found: BTreeSet<_> = known.iter().map(|sid| sid.as_bytes()[place]).collect();
        assert!(found.len() > 20, "place {place} has just {found:?}");
    }
    // Guesses are refused, by all doors.
    let mut guess: Vec<char> = known[0].chars().collect();
    guess[15] = if guess[15] == 'A' { 'B' } else { 'A' };
    let guess: String = guess.into_iter().collect();
    for sid in [guess.as_str(), "AAAAAAAAAAAAAAAA", "", "x", "..%2f", "%00", &"A".repeat(5000)] {
        let url = format!("{}{POLLING}&sid={sid}", target.server.url());
        for request in [http.get(&url), http.post(&url).body("40")] {
            let status = request.send().await.unwrap().status().as_u16();
            assert!((400..500).contains(&status) || (sid.is_empty() && status == 200), "{sid}: {status}");
        }
        let mut stream = target.connect().await;
        stream.write_all(handshake(&format!("{SOCKET}&sid={sid}")).as_bytes()).await.unwrap();
        if !sid.is_empty() {
            assert_refused(&mut stream, sid).await;
        }
    }
    // The session of a WebSocket is that of its connection, even for one who knows its id.
    let mut stream = target.upgraded(SOCKET).await;
    let mut said = vec![0; 512];
    let read = stream.read(&mut said).await.unwrap();
    let said = String::from_utf8_lossy(&said[..read]).into_owned();
    let sid = said.split("\"sid\":\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap().to_owned();
    let url = format!("{}{POLLING}&sid={sid}", target.server.url());
    for request in [http.get(&url), http.post(&url).body("41")] {
        let status = request.send().await.unwrap().status().as_u16();
        assert!((400..500).contains(&status), "{status}");
    }
    let mut second = target.connect().await;
    second.write_all(handshake(&format!("{SOCKET}&sid={sid}")).as_bytes()).await.unwrap();
    assert_refused(&mut second, &sid).await;
    drop((stream, second));
    for sid in known {
        let url = format!("{}{POLLING}&sid={sid}", target.server.url());
        assert_eq!(http.post(url).body("1").send().await.unwrap().status(), 200);
    }
    target.assert_unharmed().await;
}
