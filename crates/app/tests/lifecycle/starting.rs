//! A start: what is there after it, and what it says when there is none.

use std::net::TcpListener;

use mango_testkit::PrivatePostgres;
use reqwest::StatusCode;
use serde_json::json;
use tempfile::tempdir;

use crate::client::{Socket, User};
use crate::support::Server;
use crate::{address, check_refusal, path, run, stop, text};

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

#[cfg(target_os = "linux")]
#[test]
fn it_helps_itself_to_as_many_open_files_as_it_may_have() {
    let mango = Server::command(&[]);
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", "ulimit -Sn 256; exec \"$0\" serve"]).arg(mango.get_program()).env("MANGO_BIND", "127.0.0.1:0");
    for (name, _) in mango.get_envs().filter(|(_, value)| value.is_none()) {
        shell.env_remove(name);
    }
    let server = Server::launch(shell);
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.id())).unwrap();
    let open_files: Vec<&str> =
        limits.lines().find(|line| line.starts_with("Max open files")).unwrap().split_whitespace().collect();
    assert_ne!(open_files[3], "256", "{limits}");
    assert_eq!(open_files[3], open_files[4], "{limits}");
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
        r#"mango_events_published_total{event="ready"} 1"#,
        "mango_publish_failures_total 0",
        "mango_messages_total 1",
        "mango_commit_group_size_count 2",
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
    check_refusal(
        &[],
        &[("MANGO_DATA_DIR", data.to_str().unwrap())],
        &["MANGO_DATA_DIR=", "data cannot be made", "set MANGO_DATA_DIR to another folder"],
    );
    let no_database = format!("sqlite:{}", std::env::temp_dir().display());
    check_refusal(&[], &[("DATABASE_URL", &no_database)], &["cannot open the database", "is a folder", "DATABASE_URL"]);
    let inside = format!("sqlite:{}", data.join("mango.db").display());
    check_refusal(&[], &[("DATABASE_URL", &inside)], &["DATABASE_URL=sqlite:", "cannot be made", "set DATABASE_URL"]);
    check_refusal(&[], &[("DATABASE_URL", "postgres://")], &["DATABASE_URL", "cannot be used"]);
    check_refusal(&[], &[("MANGO_LOG", "mango_htp=debug")], &["MANGO_LOG=mango_htp=debug", "did you mean mango_http?"]);
    let itself = file.path().to_str().unwrap();
    check_refusal(&[], &[("MANGO_DATA_DIR", itself)], &["MANGO_DATA_DIR=", "is no folder", "to another folder"]);

    let folder = tempdir().unwrap();
    let settings = [("MANGO_DATA_DIR", path(&folder)), ("MANGO_LOG", "warn")];
    std::fs::write(folder.path().join("media"), "").unwrap();
    check_refusal(&[], &settings, &["MANGO_DATA_DIR=", "media", "write there"]);
    std::fs::remove_file(folder.path().join("media")).unwrap();
    std::fs::write(folder.path().join("jwt.key"), "too short").unwrap();
    let said = text(&run(&[], &settings).stderr);
    assert_eq!(said.matches("at least 32 bytes").count(), 1, "{said}");
    std::fs::remove_file(folder.path().join("jwt.key")).unwrap();
    std::fs::create_dir(folder.path().join("jwt.key")).unwrap();
    let said = text(&run(&[], &settings).stderr);
    assert_eq!(said.matches("os error").count(), 1, "{said}");
    let said = [("DATABASE_URL", away), ("MANGO_BIND", "5000")].map(|set| text(&run(&[], &[set]).stderr)).concat();
    assert!(!said.contains("s3cret"), "{said}");
}

#[test]
fn refused_by_postgres_is_one_line() {
    let postgres = PrivatePostgres::shared();
    let url = postgres.url_for_new_database();
    let missing = format!("{url}_of_nobody");
    let name = missing.rsplit('/').next().unwrap();
    let create = format!("createdb --owner mango --encoding UTF8 --template template0 {name}");
    check_refusal(&[], &[("DATABASE_URL", &missing)], &["cannot open the database", &create]);
}
