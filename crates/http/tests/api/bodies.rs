//! How large bodies may be, how long they may take, and how much all of them may hold together.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use mango_http::{Bodies, BodyLimits, TrustedProxies};
use mango_testkit::memory::picture;
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::answer::operations_with_body;
use crate::support::{PASSWORD, Server, raw};

/// How long anything may take on a machine with other things to do.
const SOON: Duration = Duration::from_secs(30);

#[actix_web::test]
async fn a_body_has_a_limit_whether_it_tells_its_length_or_not() {
    let server = Server::with_bodies(BodyLimits::up_to(2000)).await;
    let ann = server.account(1).await;
    let own = format!("/user/{}", ann.id);
    let padded = |length: usize| {
        let frame = json!({"description": ""}).to_string().len();
        json!({"description": "x".repeat(length - frame)}).to_string()
    };
    let patch = || {
        let request = server.request(Method::PATCH, &own).bearer_auth(&ann.access);
        request.header("content-type", "application/json")
    };
    assert_eq!(server.send(patch().body(padded(2000))).await.status, 202);
    server.send(patch().body(padded(2001))).await.assert_problem(413, "too-large");

    let chunked = |body: &str| {
        let head = format!(
            "PATCH {own} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
             transfer-encoding: chunked\r\n\r\n",
            ann.access
        );
        let chunks: String = body
            .as_bytes()
            .chunks(500)
            .map(|chunk| format!("{:x}\r\n{}\r\n", chunk.len(), String::from_utf8_lossy(chunk)))
            .collect();
        format!("{head}{chunks}0\r\n\r\n").into_bytes()
    };
    assert_eq!(raw::exchange(server.address, &chunked(&padded(2000))).await.0, 202);
    let (status, text) = raw::exchange(server.address, &chunked(&padded(2001))).await;
    assert_eq!(status, 413);
    assert!(text.contains("application/problem+json") && text.contains("urn:mango:problem:too-large"), "{text}");
}

#[actix_web::test]
async fn every_operation_with_a_body_has_the_limit() {
    let server = Server::with_bodies(BodyLimits::up_to(2000)).await;
    let ann = server.account(1).await;
    let chat = server.group(&ann, &[], 0).await;
    for (method, path, media_type) in operations_with_body(ann.id, chat) {
        let request = server.request(method.clone(), &path).bearer_auth(&ann.access);
        let refused = server.send(request.header("content-type", &media_type).body(vec![b' '; 2001])).await;
        assert_eq!(refused.status, 413, "{method} {path} {media_type}: {}", refused.text());
        refused.assert_problem(413, "too-large");
    }
}

#[actix_web::test]
async fn a_client_that_is_still_sending_gets_the_answer() {
    let server = Server::start().await;
    let create = || server.request(Method::POST, "/user/create").header("content-type", "application/json");
    let far_too_large = vec![b' '; 64 * 1024 * 1024];
    server.send(create().body(far_too_large)).await.assert_problem(413, "too-large");
    server.send(create().body("{}")).await.assert_fields(&["phone", "password"]);
}

#[actix_web::test]
async fn a_picture_has_the_same_limit() {
    let server = Server::with_bodies(BodyLimits::up_to(2000)).await;
    let form = |length: usize| {
        let filled = [picture(), vec![0; length]].concat();
        let form = Form::new().part("image", Part::bytes(filled).file_name("x.png"));
        server.send(server.request(Method::POST, "/user/photo_to_base64").multipart(form))
    };
    assert_eq!(form(1000).await.status, 200);
    form(2000).await.assert_problem(413, "too-large");

    let part = "--b\r\ncontent-disposition: form-data; name=\"other\"\r\n\r\n";
    let body = format!("{part}{}\r\n--b--\r\n", "x".repeat(3000));
    let request = format!(
        "POST /user/photo_to_base64 HTTP/1.1\r\nhost: x\r\ncontent-type: multipart/form-data; boundary=b\r\n\
         transfer-encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
        body.len()
    );
    let (status, text) = raw::exchange(server.address, request.as_bytes()).await;
    assert_eq!(status, 413, "{text}");
    assert!(text.contains("application/problem+json"));
}

#[actix_web::test]
async fn a_body_that_stops_coming_is_not_waited_for() {
    let server =
        Server::with_bodies(BodyLimits { patience: Duration::from_millis(50), ..BodyLimits::up_to(1000) }).await;
    let ann = server.account(1).await;
    let chat = server.group(&ann, &[], 0).await;
    for (method, path, media_type) in operations_with_body(ann.id, chat) {
        let target = format!("{method} {path}");
        let request = format!(
            "{target} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: {media_type}\r\n\
             content-length: 100\r\n\r\n",
            ann.access
        );
        let (status, text) = raw::exchange(server.address, request.as_bytes()).await;
        assert_eq!(status, 408, "{target}: {text}");
        assert!(text.contains("urn:mango:problem:request-timeout"), "{target}: {text}");
    }
}

#[actix_web::test]
async fn a_call_without_a_photo_takes_little() {
    let server = Server::start().await;
    let ann = server.account(1).await;
    let long = "x".repeat(BodyLimits::CALL);
    for path in ["/auth/login", "/user/login"] {
        server.post(path, &json!({"username": ann.phone, "password": long})).await.assert_problem(413, "too-large");
        let form = server.request(Method::POST, path).form(&[("username", &*ann.phone), ("password", &long)]);
        server.send(form).await.assert_problem(413, "too-large");
    }
    for path in ["/auth/refresh", "/user/refresh"] {
        server.post(path, &json!({"refresh_token": long})).await.assert_problem(413, "too-large");
    }
    let described = server.patch_as(&ann, &format!("/user/{}", ann.id), &json!({"unknown": long})).await;
    assert_eq!(described.status, 202);
}

#[actix_web::test]
async fn a_body_that_trickles_is_not_waited_for() {
    let patience = Duration::from_millis(300);
    let server = Server::with_bodies(BodyLimits { patience, ..BodyLimits::up_to(1 << 20) }).await;
    for head in ["content-length: 1000000", "transfer-encoding: chunked"] {
        let stream = TcpStream::connect(server.address).await.unwrap();
        let (mut reading, mut writing) = stream.into_split();
        let head = format!("POST /user/create HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n{head}\r\n\r\n");
        writing.write_all(head.as_bytes()).await.unwrap();
        let begun = Instant::now();
        let mut answer = Box::pin(raw::read(&mut reading));
        let mut sent = 0;
        let (status, text) = loop {
            // Each part comes long before the patience is at its end.
            if let Ok(answer) = timeout(patience / 10, &mut answer).await {
                break answer;
            }
            let part: &[u8] = if head.contains("chunked") { b"1\r\n \r\n" } else { b" " };
            writing.write_all(part).await.unwrap();
            sent += 1;
            assert!(begun.elapsed() < SOON, "it is still read after {sent} parts");
        };
        assert_eq!(status, 408, "{text}");
        assert!(sent > 1 && begun.elapsed() >= patience, "{sent} {:?}", begun.elapsed());
    }
}

#[actix_web::test]
async fn a_large_body_may_take_its_time() {
    let patience = Duration::from_secs(2);
    let server = Server::with_bodies(BodyLimits { patience, ..BodyLimits::up_to(1 << 20) }).await;
    let body = json!({"phone": "+31612345678", "password": PASSWORD, "unknown": "x".repeat(900_000)}).to_string();
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = "POST /user/create HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n";
    stream.write_all(format!("{head}content-length: {}\r\n\r\n", body.len()).as_bytes()).await.unwrap();
    let begun = Instant::now();
    for part in body.as_bytes().chunks(30_000) {
        stream.write_all(part).await.unwrap();
        tokio::time::sleep(patience / 20).await;
    }
    assert!(begun.elapsed() > patience);
    assert_eq!(raw::read(&mut stream).await.0, 201);
}

/// The head and nine tenths of a body of a megabyte, which is never read whole, from an address.
fn most_of_an_upload(chunked: bool, address: &str) -> Vec<u8> {
    const SENT: usize = 900_000;
    let length = if chunked { "transfer-encoding: chunked" } else { "content-length: 1000000" };
    let head = format!(
        "POST /user/create HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nx-forwarded-for: {address}\r\n{length}\r\n\r\n"
    );
    let frame = if chunked { format!("{SENT:x}\r\n") } else { String::new() };
    [head.as_bytes(), frame.as_bytes(), &vec![b' '; SENT]].concat()
}

/// A server that believes whoever says from which address they are.
async fn behind_a_proxy(limits: BodyLimits) -> Server {
    Server::with(|state| {
        state.uploads = Bodies::new(limits);
        state.settings.trusted_proxies = TrustedProxies::parse("127.0.0.1").unwrap();
    })
    .await
}

#[actix_web::test]
async fn half_sent_uploads_hold_no_more_together_than_there_is_room_for() {
    // Of four MiB, three bodies of 900 KB leave room for one half as large.
    const ROOM_FOR: usize = 3;
    const UPLOADS: usize = 40;
    let limits = BodyLimits { room: 4 << 20, ..BodyLimits::up_to(1 << 20) };
    let server = behind_a_proxy(limits).await;
    let ann = server.account(1).await;
    let uploads = (0..UPLOADS).map(|n| async move {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        // A server that has answered may not read on.
        let _ = stream.write_all(&most_of_an_upload(n % 2 == 0, &format!("192.0.2.{n}"))).await;
        raw::read(&mut stream).await
    });
    let mut uploads: FuturesUnordered<_> = uploads.collect();
    while uploads.len() > ROOM_FOR {
        let (status, text) = timeout(SOON, uploads.next()).await.expect("too many are being read").unwrap();
        assert_eq!(status, 503, "{text}");
        let lower = text.to_ascii_lowercase();
        assert!(lower.contains("retry-after: 5") && lower.contains("application/problem+json"), "{text}");
    }
    // There is room for small calls all the time, for an upload that is not as large, and for another one like them when they are gone.
    assert_eq!(server.log_in(&ann.phone).await.id, ann.id);
    let own = format!("/user/{}", ann.id);
    assert_eq!(server.patch_as(&ann, &own, &json!({"unknown": "x".repeat(400_000)})).await.status, 202);
    drop(uploads);
    let upload = json!({"unknown": "x".repeat(900_000)});
    let begun = Instant::now();
    while server.patch_as(&ann, &own, &upload).await.status == 503 {
        assert!(begun.elapsed() < SOON, "the room was not given back");
    }
}

/// Uploads that never end are sent from one address, be it with a whole network of IPv6, until one of them is refused.
#[actix_web::test]
async fn half_sent_uploads_from_one_address_leave_room_for_others() {
    for address in [|_| "192.0.2.1".to_owned(), |n: usize| format!("2001:db8::{n:x}")] {
        let server = behind_a_proxy(BodyLimits { room: 8 << 20, ..BodyLimits::up_to(1 << 20) }).await;
        let ann = server.account(1).await;
        let mut uploads: FuturesUnordered<_> = (0..20)
            .map(|n| async move {
                let mut stream = TcpStream::connect(server.address).await.unwrap();
                let _ = stream.write_all(&most_of_an_upload(n % 2 == 0, &address(n))).await;
                raw::read(&mut stream).await
            })
            .collect();
        while uploads.len() > 2 {
            let (status, text) = timeout(SOON, uploads.next()).await.expect("too many are being read").unwrap();
            assert_eq!(status, 503, "{text}");
        }
        let own = format!("/user/{}", ann.id);
        let upload = |from: String, size: usize| {
            let request = server.request(Method::PATCH, &own).bearer_auth(&ann.access).header("x-forwarded-for", from);
            server.send(request.json(&json!({"unknown": "x".repeat(size)})))
        };
        upload(address(7), 900_000).await.assert_problem(503, "unavailable");
        assert_eq!(upload("192.0.2.2".to_owned(), 900_000).await.status, 202);
        assert_eq!(upload("2001:db8:0:1::1".to_owned(), 900_000).await.status, 202);
        // What says that it is small finds room even from there.
        assert_eq!(upload(address(7), 50_000).await.status, 202);
    }
}

#[actix_web::test]
async fn small_bodies_find_room_while_it_is_crowded_with_large_ones() {
    let server = behind_a_proxy(BodyLimits { room: 2 << 20, ..BodyLimits::up_to(1 << 20) }).await;
    let ann = server.account(1).await;
    let chat = server.group(&ann, &[], 0).await;
    let mut large = TcpStream::connect(server.address).await.unwrap();
    large.write_all(&most_of_an_upload(true, "192.0.2.1")).await.unwrap();
    let own = format!("/user/{}", ann.id);
    let upload = json!({"unknown": "x".repeat(900_000)});
    let begun = Instant::now();
    while server.patch_as(&ann, &own, &upload).await.status != 503 {
        assert!(begun.elapsed() < SOON, "the room is not taken");
    }
    let send = server.request(Method::POST, &format!("/message/{chat}")).bearer_auth(&ann.access);
    let sent = server.send(send.json(&json!({"message_type": "text", "content": "x".repeat(60_000)}))).await;
    assert_eq!(sent.status, 201);
    assert_eq!(server.patch_as(&ann, &own, &json!({"name": "Ann"})).await.status, 202);
    let sync = server.request(Method::POST, "/sync").bearer_auth(&ann.access).json(&json!({"chats": {}}));
    assert_eq!(server.send(sync).await.status, 200);
    drop(large);
}

/// Sends nearly all of a small body from an address, and gives the answer.
async fn most_of_a_call(server: SocketAddr, address: String) -> (u16, String) {
    let mut stream = TcpStream::connect(server).await.unwrap();
    let head = format!(
        "POST /user/create HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nx-forwarded-for: {address}\r\n\
         content-length: 40000\r\n\r\n"
    );
    let _ = stream.write_all(&[head.as_bytes(), &[b' '; 39_000]].concat()).await;
    raw::read(&mut stream).await
}

/// Small ones that never end are no way around the limits, be it that they come from many addresses or from a /48 of IPv6.
#[actix_web::test]
async fn half_sent_small_bodies_leave_room_for_those_who_log_in() {
    type From = fn(usize) -> String;
    let froms: [(From, usize); 3] =
        [(|_| "192.0.2.1".to_owned(), 6), (|n| format!("2001:db8:1:{n:x}::1"), 13), (|n| format!("192.0.2.{n}"), 24)];
    for (address, most) in froms {
        // 1 MiB for small ones, and of that 256 KiB for an address, and 512 KiB for a /48.
        let server = behind_a_proxy(BodyLimits { room: 4 << 20, ..BodyLimits::up_to(1 << 20) }).await;
        let ann = server.account(1).await;
        let mut uploads: FuturesUnordered<_> = (0..60).map(|n| most_of_a_call(server.address, address(n))).collect();
        while uploads.len() > most {
            let (status, text) = timeout(SOON, uploads.next()).await.expect("too many are being read").unwrap();
            assert_eq!(status, 503, "{text}");
        }
        let log_in = json!({"username": ann.phone, "password": PASSWORD});
        for from in ["198.51.100.1", "2001:db8:2::1"] {
            let request = server.request(Method::POST, "/auth/login").header("x-forwarded-for", from).json(&log_in);
            assert_eq!(server.send(request).await.status, 200, "{from}");
        }
    }
}

/// Whoever is slow with a small body keeps its room only for seconds.
#[actix_web::test]
async fn a_small_body_has_to_be_there_soon() {
    let server = Server::start().await;
    let begun = Instant::now();
    let (status, text) = most_of_a_call(server.address, "192.0.2.1".to_owned()).await;
    assert_eq!(status, 408, "{text}");
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
}

#[actix_web::test]
async fn an_answered_upload_gives_its_room_back() {
    let server = Server::with_uploads(BodyLimits { room: 2 << 20, ..BodyLimits::up_to(1 << 20) }).await;
    let ann = server.account(1).await;
    let own = format!("/user/{}", ann.id);
    for status in [202, 202, 422, 400, 202] {
        let patch =
            server.request(Method::PATCH, &own).bearer_auth(&ann.access).header("content-type", "application/json");
        let filler = "x".repeat(900_000);
        let answer = match status {
            202 => patch.body(json!({"unknown": filler}).to_string()),
            422 => patch.body(json!({"name": [filler]}).to_string()),
            _ => patch.body(filler),
        };
        assert_eq!(server.send(answer).await.status, status);
    }
}

#[actix_web::test]
async fn a_large_body_is_read_without_keeping_others_waiting() {
    let server = Server::start().await;
    let ann = server.account(1).await;
    // It takes long to parse, since there is much to it.
    let body = format!("{{\"unknown\": [{}1]}}", "1,".repeat(7 << 20));
    let patch = server.request(Method::PATCH, &format!("/user/{}", ann.id)).bearer_auth(&ann.access);
    let patch = patch.header("content-type", "application/json").body(body);
    let (answer, longest, all) = server.send_among_others(patch).await;
    assert_eq!(answer.status, 202);
    assert!(longest < all / 4, "{longest:?} of {all:?}");
}
