//! The life of the binary: starts, stops, restarts, and what it says when it cannot start.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a helper that fails should fail its test"
)]

#[path = "../support/client.rs"]
mod client;
mod data;
#[path = "../support/mod.rs"]
mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Output;
use std::time::{Duration, Instant};

use mango_testkit::PrivatePostgres;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

use client::{SOON, Socket, User};
use support::Server;

fn path(folder: &TempDir) -> &str {
    folder.path().to_str().unwrap()
}

fn address(server: &Server) -> SocketAddr {
    server.url().strip_prefix("http://").unwrap().parse().unwrap()
}

/// Runs a command of the binary to its end.
fn run(arguments: &[&str], settings: &[(&str, &str)]) -> Output {
    let folder = tempdir().unwrap();
    Server::command(settings).args(arguments).current_dir(&folder).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A command that must fail, with these words in its one line on standard error.
fn check_refusal(arguments: &[&str], settings: &[(&str, &str)], words: &[&str]) {
    let output = run(arguments, settings);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.starts_with("mango: "), "{said}");
    for word in words {
        assert!(said.contains(word), "{word:?} is not in {said:?}");
    }
    assert!(output.stdout.is_empty());
}

fn stop(server: &mut Server) {
    server.signal("TERM");
    let status = server.wait(SOON).unwrap_or_else(|| panic!("it does not stop\n{}", server.log()));
    assert_eq!(status.code(), Some(0), "{}", server.log());
}

/// The connection of a socket has ended in order: the server closed the session, then the connection.
async fn assert_told(socket: &mut Socket) {
    let mut last = None;
    while let Some(packet) = socket.packet().await {
        last = Some(packet);
    }
    assert_eq!(last.as_deref(), Some("1"));
}

#[tokio::test]
async fn it_says_where_everything_is_and_answers_there() {
    let folder = tempdir().unwrap();
    let mut server = Server::start(&[("MANGO_DATA_DIR", path(&folder))]);
    let http = reqwest::Client::new();
    for (page, expected) in [
        ("/healthz", r#"{"status":"ok"}"#),
        ("/readyz", r#"{"status":"ok"}"#),
        ("/docs", "swagger"),
        ("/docs/", "swagger"),
        ("/openapi.json", "/user/create"),
        ("/ws/socket.io/?EIO=4&transport=polling", "pingInterval"),
        ("/metrics", r#"mango_database_connections{pool="write",state="max"} 1"#),
    ] {
        let reply = http.get(format!("{}{page}", server.url())).send().await.unwrap();
        assert_eq!(reply.status(), StatusCode::OK, "{page}");
        assert!(reply.headers().contains_key("x-request-id"), "{page}");
        let body = reply.text().await.unwrap();
        assert!(body.contains(expected), "{page}: {body}");
    }
    stop(&mut server);
    let log = server.log();
    assert!(log.contains("/readyz") && log.contains("shutting down"), "{log}");
    for name in ["mango.db", "media", "jwt.key"] {
        assert!(folder.path().join(name).exists(), "{name}");
    }
}

#[tokio::test]
async fn the_metrics_tell_what_was_done() {
    let server = Server::start(&[]);
    let url = server.url();
    let ada = User::sign_up(url, "+31612345678", None).await;
    let mut socket = Socket::connect(url, &ada).await;
    let chat = json!({"chat": {"name": "notes", "is_group": true, "members_array": []}});
    let created = socket.call("create_chat", chat).await;
    let message = json!({"message": {"chat_id": created["chat"]["id"], "content": "counted", "message_type": "text"}});
    let sent = socket.call("send_message", message).await;
    assert_eq!(sent["ok"], true, "{created} {sent}");
    let page = ada.http.get(format!("{url}/metrics")).send().await.unwrap().text().await.unwrap();
    for line in [
        "mango_sockets 1",
        r#"mango_sockets_hung_up_total{reason="slow"} 0"#,
        r#"mango_socket_events_total{event="create_chat",outcome="ok"} 1"#,
        r#"mango_socket_event_duration_seconds_count{event="create_chat"} 1"#,
        r#"mango_events_published_total{event="new_message"} 1"#,
        "mango_publish_failures_total 0",
        "mango_messages_total 1",
        "mango_commit_group_size_count 1",
        r#"mango_database_connections{pool="write",state="max"} 1"#,
        r#"mango_http_requests_total{method="POST",route="/user/create",status="201"} 1"#,
        r#"mango_http_request_duration_seconds_count{route="/user/create"} 1"#,
        "mango_password_refused_total 0",
    ] {
        assert!(page.lines().any(|found| found == line), "{line} is not in\n{page}");
    }
    assert!(!server.log().contains("Tokio runtime"), "{}", server.log());
}

#[test]
fn a_second_start_on_the_same_port_is_one_line() {
    let server = Server::start(&[]);
    let bind = address(&server).to_string();
    let folder = tempdir().unwrap();
    let data = folder.path().join("data");
    let settings = [("MANGO_BIND", bind.as_str()), ("MANGO_DATA_DIR", data.to_str().unwrap())];
    check_refusal(&[], &settings, &[&bind, "in use by another Mango", "MANGO_BIND"]);
    assert!(!data.exists(), "it touches no data before it has the port");

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let bind = listener.local_addr().unwrap().to_string();
    drop(std::thread::spawn(move || while listener.accept().is_ok() {}));
    check_refusal(&["serve"], &[("MANGO_BIND", &bind)], &[&bind, "in use by another program", "MANGO_BIND"]);
    check_refusal(&["serve"], &[("MANGO_BIND", "192.0.2.1:5000")], &["192.0.2.1:5000", "MANGO_BIND"]);
}

#[test]
fn what_cannot_be_used_is_one_line() {
    check_refusal(&[], &[("MANGO_ACCESS_TTL", "soon")], &["MANGO_ACCESS_TTL=soon", "15m"]);
    check_refusal(&["migrate"], &[("MANGO_WORKERS", "0")], &["MANGO_WORKERS=0", "1 to 1024"]);
    let mysql = "mysql://mango:s3cret@db/mango";
    check_refusal(&["healthcheck"], &[("DATABASE_URL", mysql)], &["DATABASE_URL", "postgres://"]);
    let away = "postgres://mango:s3cret@127.0.0.1:1/mango";
    for command in ["serve", "migrate"] {
        check_refusal(&[command], &[("DATABASE_URL", away)], &["postgres://mango@127.0.0.1:1/mango"]);
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    let data = file.path().join("data");
    check_refusal(&[], &[("MANGO_DATA_DIR", data.to_str().unwrap())], &["cannot make the folder", "data"]);
    let no_database = format!("sqlite:{}", std::env::temp_dir().display());
    check_refusal(&[], &[("DATABASE_URL", &no_database)], &["cannot open the database"]);
    let said = [("DATABASE_URL", away), ("MANGO_BIND", "5000")].map(|set| text(&run(&[], &[set]).stderr)).concat();
    assert!(!said.contains("s3cret"), "{said}");
}

#[test]
fn refused_by_postgres_is_one_line() {
    let postgres = PrivatePostgres::shared();
    let url = postgres.url_for_new_database();
    let missing = format!("{url}_of_nobody");
    let name = missing.rsplit('/').next().unwrap();
    let create = format!("create it with: createdb {name}");
    check_refusal(&[], &[("DATABASE_URL", &missing)], &["cannot open the database", &create]);
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
async fn a_stop_finishes_requests_in_flight_and_tells_sockets() {
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
        assert_told(socket).await;
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

#[test]
fn migrations_go_up_and_down() {
    let folder = tempdir().unwrap();
    let settings = [("MANGO_DATA_DIR", path(&folder))];
    let said = |arguments: &[&str]| {
        let output = run(arguments, &settings);
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    let applied = said(&["migrate"]);
    assert!(applied.lines().all(|line| line.starts_with("applied ")) && !applied.is_empty(), "{applied}");
    assert!(said(&["migrate"]).starts_with("nothing to do"));
    let undone = said(&["migrate", "--down", "1"]);
    assert_eq!(undone.lines().count(), 1, "{undone}");
    assert_eq!(undone.replace("undone", "applied").trim(), applied.lines().last().unwrap());
    assert!(said(&["doctor"]).contains("warn  migrations"));
    said(&["migrate", "--down", "999"]);
    assert!(said(&["migrate", "--down", "1"]).starts_with("nothing to do"));
    drop(Server::start(&settings));
    assert!(said(&["doctor"]).contains("ok    migrations"));
}

#[test]
fn of_migrations_at_once_one_does_the_work() {
    let folder = tempdir().unwrap();
    let settings = [("MANGO_DATA_DIR", path(&folder))];
    let said = std::thread::scope(|scope| {
        let nodes: Vec<_> = (0..4).map(|_| scope.spawn(|| run(&["migrate"], &settings))).collect();
        nodes.into_iter().map(|node| node.join().unwrap()).collect::<Vec<_>>()
    });
    assert!(said.iter().all(|output| output.status.success()), "{said:?}");
    let with = |words: &str| said.iter().filter(|output| text(&output.stdout).starts_with(words)).count();
    assert_eq!((with("applied "), with("nothing to do")), (1, 3), "{said:?}");
}

#[test]
fn the_doctor_looks_and_changes_nothing() {
    let folder = tempdir().unwrap();
    let data = folder.path().join("data");
    let examine = |settings: &[(&str, &str)]| {
        let output = run(&["doctor"], &[&[("MANGO_DATA_DIR", data.to_str().unwrap())], settings].concat());
        assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
        (output.status.code(), text(&output.stdout))
    };
    let (code, report) = examine(&[]);
    assert_eq!(code, Some(0), "{report}");
    assert!(report.lines().all(|line| line.starts_with("ok  ")), "{report}");
    assert!(report.lines().count() >= 8 && !data.exists(), "{report}");

    let server = Server::start(&[("MANGO_DATA_DIR", data.to_str().unwrap())]);
    let bind = address(&server).to_string();
    let (code, report) = examine(&[("MANGO_BIND", &bind)]);
    assert_eq!(code, Some(0), "{report}");
    for words in ["Mango answers", "SQLite 3.", "are applied", "by its owner alone"] {
        assert!(report.contains(words), "{words:?} is not in\n{report}");
    }

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listener.local_addr().unwrap().to_string();
    drop(std::thread::spawn(move || while listener.accept().is_ok() {}));
    for (settings, words) in [
        (("MANGO_BIND", taken.as_str()), "FAIL  port"),
        (("DATABASE_URL", "postgres://127.0.0.1:1/mango"), "FAIL  database"),
        (("MANGO_WORKERS", "none"), "FAIL  configuration"),
    ] {
        let (code, report) = examine(&[settings]);
        assert_eq!(code, Some(1), "{report}");
        assert!(report.contains(words), "{words:?} is not in\n{report}");
    }
    let (_, report) = examine(&[("MANGO_WORKER", "4")]);
    assert!(report.contains("warn  configuration") && report.contains("MANGO_WORKERS"), "{report}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;

        let everybody = std::fs::Permissions::from_mode(0o644);
        std::fs::set_permissions(data.join("jwt.key"), everybody).unwrap();
        let (code, report) = examine(&[]);
        assert!(code == Some(0) && report.contains("warn  signing key"), "{report}");
    }
}

#[test]
fn the_doctor_compares_its_clock_with_that_of_postgres() {
    let url = PrivatePostgres::shared().url_for_new_database();
    let output = run(&["doctor"], &[("DATABASE_URL", &url)]);
    let report = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{report}");
    for words in ["PostgreSQL 1", "warn  migrations", "are 0.", "s apart"] {
        assert!(report.contains(words), "{words:?} is not in\n{report}");
    }
}

#[test]
fn the_health_check_asks_the_server_that_runs() {
    let server = Server::start(&[]);
    let bind = address(&server).to_string();
    let output = run(&["healthcheck"], &[("MANGO_BIND", &bind)]);
    assert!(output.status.success() && text(&output.stdout).contains("is ready"), "{output:?}");
    drop(server);
    check_refusal(&["healthcheck"], &[("MANGO_BIND", &bind)], &[&bind, "does not answer"]);
}

/// Nodes that begin at the same moment on a new database all come up, and the later ones serve what the first has stored.
#[tokio::test]
async fn nodes_that_start_at_once_share_one_postgres() {
    let folder = tempdir().unwrap();
    let database = PrivatePostgres::shared().url_for_new_database();
    let settings = &[("MANGO_DATA_DIR", path(&folder)), ("DATABASE_URL", &database)];
    let servers = std::thread::scope(|scope| {
        let nodes: Vec<_> = (0..3).map(|_| scope.spawn(|| Server::start(settings))).collect();
        nodes.into_iter().map(|node| node.join().unwrap()).collect::<Vec<_>>()
    });
    let ada = User::sign_up(servers[0].url(), "+31612345678", None).await;
    for server in &servers {
        let ready = ada.http.get(format!("{}/readyz", server.url())).send().await.unwrap();
        assert_eq!(ready.status(), StatusCode::OK, "{}", server.log());
        let me: Value = ada.get(server.url(), "/user/me").await;
        assert_eq!(me["id"], ada.id);
    }
}
