//! The files of photos.

use std::time::{Duration, Instant};

use mango_domain::model::{PhotoFile, Room};
use mango_domain::ports::{Media as _, PhotoSet};
use mango_http::TrustedProxies;
use mango_testkit::build;
use reqwest::Method;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;

use crate::support::{Server, raw};

/// A server with one photo, and the path of the photo.
async fn with_photo() -> (Server, String) {
    let server = Server::start().await;
    let photo = build::photo(0xAB);
    let file = |name: &str| name.repeat(1000).into_bytes();
    let files = PhotoSet { original: file("o"), square400: file("4"), square100: file("1"), square50: file("5") };
    server.memory.media.put(&photo, files).await.unwrap();
    (server, format!("/static/{photo}"))
}

#[actix_web::test]
async fn each_file_is_served_with_its_type_for_ever() {
    let (server, photo) = with_photo().await;
    let names = PhotoFile::ALL.map(|file| (file.name(), file.media_type()));
    for (name, media_type) in names.into_iter().chain([("original.jpg", "image/jpeg"), ("original.jpg/", "image/jpeg")])
    {
        // A browser would take it compressed; pictures are compressed already.
        let request = server.request(Method::GET, &format!("{photo}/{name}")).header("accept-encoding", "gzip, br");
        let file = server.send(request).await;
        assert_eq!(file.status, 200, "{name}");
        assert_eq!(file.header("content-type"), Some(media_type));
        assert_eq!(file.header("cache-control"), Some("public, max-age=31536000, immutable"));
        assert_eq!(file.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(file.header("content-encoding"), None);
        assert_eq!(file.header("content-disposition"), None);
        assert_eq!(file.body.len(), 1000);
    }
}

/// A photo that nobody reads keeps a file open, and the process may have only so many.
#[actix_web::test]
async fn unread_photos_leave_files_for_others() {
    let server = Server::with(|state| {
        // One for an address, and one more for the next.
        state.files = Room::new(7);
        state.settings.trusted_proxies = TrustedProxies::parse("127.0.0.1").unwrap();
    })
    .await;
    let photo = build::photo(0xAB);
    let large = vec![0xFF; 16 << 20];
    server
        .memory
        .media
        .put(&photo, PhotoSet { original: large, square400: vec![], square100: vec![], square50: vec![] })
        .await
        .unwrap();
    let path = format!("/static/{photo}/original.jpeg");
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut unread = socket.connect(server.address).await.unwrap();
    unread.write_all(format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await.unwrap();
    let mut status = [0; 12];
    unread.read_exact(&mut status).await.unwrap();
    assert_eq!(&status, b"HTTP/1.1 200");

    let get = |from: &str| {
        let request = server.request(Method::GET, &path).header("range", "bytes=0-9");
        server.send(request.header("x-forwarded-for", from))
    };
    get("127.0.0.1").await.assert_problem(503, "unavailable");
    assert_eq!(get("192.0.2.1").await.status, 206);
    let begun = Instant::now();
    drop(unread);
    while get("127.0.0.1").await.status == 503 {
        assert!(begun.elapsed() < Duration::from_secs(30), "the file was not closed");
    }
}

#[actix_web::test]
async fn head_tells_all_but_the_file() {
    let (server, photo) = with_photo().await;
    let head = server.send(server.request(Method::HEAD, &format!("{photo}/original.jpeg"))).await;
    assert_eq!((head.status, head.header("content-length")), (200, Some("1000")));
    assert!(head.body.is_empty());
}

#[actix_web::test]
async fn what_a_client_has_is_not_sent_again() {
    let (server, photo) = with_photo().await;
    let get = || server.request(Method::GET, &format!("{photo}/50x50.webp"));
    let first = server.send(get()).await;
    let tag = first.header("etag").unwrap();
    let same = server.send(get().header("if-none-match", tag)).await;
    assert_eq!((same.status, same.header("etag")), (304, Some(tag)));
    assert_eq!(same.header("cache-control"), first.header("cache-control"));
    assert!(same.body.is_empty());
    assert_eq!(server.send(get().header("if-none-match", r#""other""#)).await.status, 200);
    let changed = server.send(get().header("if-match", r#""other""#)).await;
    changed.assert_problem(412, "precondition-failed");
    assert_eq!(changed.header("cache-control"), Some("no-store"));
}

#[actix_web::test]
async fn parts_are_served() {
    let (server, photo) = with_photo().await;
    let get = |range: &str| server.request(Method::GET, &format!("{photo}/original.jpeg")).header("range", range);
    let part = server.send(get("bytes=10-19")).await;
    assert_eq!((part.status, part.body.len()), (206, 10));
    assert_eq!(part.header("content-range"), Some("bytes 10-19/1000"));
    let tail = server.send(get("bytes=-1")).await;
    assert_eq!(tail.header("content-range"), Some("bytes 999-999/1000"));
    let beyond = server.send(get("bytes=1000-")).await;
    beyond.assert_problem(416, "range-not-satisfiable");
    assert_eq!(beyond.header("content-range"), Some("bytes */1000"));
}

#[actix_web::test]
async fn a_range_that_is_none_and_several_ranges_are_ignored() {
    let (server, photo) = with_photo().await;
    let get = || server.request(Method::GET, &format!("{photo}/original.jpeg"));
    for range in [
        &b"bytes=abc"[..],
        b"bytes=",
        b"bytes=-",
        b"bytes=5",
        b"bytes=20-10",
        b"bytes=0x1-2",
        b"bytes=+1-2",
        b"bytes=\xff",
        b"lines=1-2",
        b"1-2",
        b"",
        b"bytes=0-9,20-29",
        b"bytes=0-9, 2000-",
        b"bytes=99999999999999999999-",
    ] {
        let value = reqwest::header::HeaderValue::from_bytes(range).unwrap();
        let whole = server.send(get().header("range", value)).await;
        let range = String::from_utf8_lossy(range);
        assert_eq!((whole.status, whole.body.len(), whole.header("content-range")), (200, 1000, None), "{range}");
    }
    let twice = server.send(get().header("range", "bytes=0-9").header("range", "bytes=20-29")).await;
    assert_eq!((twice.status, twice.body.len()), (200, 1000));
    let part = server.send(get().header("range", "BYTES=990-2000")).await;
    assert_eq!((part.status, part.body.len()), (206, 10));
}

#[actix_web::test]
async fn nothing_else_is_served() {
    let (server, photo) = with_photo().await;
    for path in [
        format!("{photo}/51x51.webp"),
        format!("{photo}/ORIGINAL.jpeg"),
        format!("{photo}/original.jpeg%00"),
        photo.clone(),
        photo.to_uppercase() + "/original.jpeg",
        format!("/static/{}/original.jpeg", build::photo(0xCD)),
        "/static".to_owned(),
        "/static/x/original.jpeg".to_owned(),
    ] {
        server.get(&path).await.assert_problem(404, "not-found");
    }
    for path in
        ["/static/../Cargo.toml", "/static/..%2f..%2fetc/passwd", "/static/%2e%2e/original.jpeg", "/static//../x"]
    {
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
        let (status, answer) = raw::exchange(server.address, request.as_bytes()).await;
        assert_eq!(status, 404, "{path}");
        assert!(answer.contains("application/problem+json"), "{path}");
    }
}
