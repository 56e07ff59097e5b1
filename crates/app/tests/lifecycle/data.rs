//! What becomes of the data: it is there after a stop and after a crash, and what nobody needs goes.

use std::fs::{self, File};
use std::path::Path;
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant, SystemTime};

use mango_testkit::PrivatePostgres;
use reqwest::StatusCode;
use serde_json::json;
use tempfile::tempdir;

use crate::client::{PICTURE, SOON, Socket, User};
use crate::support::Server;
use crate::{check_refusal, path, run, stop};

/// How a server ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Stopped,
    Killed,
}

fn end(server: &mut Server, how: End) {
    if how == End::Stopped {
        return stop(server);
    }
    server.signal("KILL");
    assert!(server.wait(SOON).is_some_and(|status| status.code().is_none()), "{}", server.log());
}

/// What was acknowledged before the end is there after it, and nobody counts as online.
async fn check_restart(how: End, settings: &[(&str, &str)]) {
    let folder = tempdir().unwrap();
    let settings = [settings, &[("MANGO_DATA_DIR", path(&folder))]].concat();
    let mut server = Server::start(&settings);
    let ada = User::sign_up(server.url(), "+31612345678", Some(PICTURE)).await;
    let bob = User::sign_up(server.url(), "+31687654321", None).await;
    let mut socket = Socket::connect(server.url(), &ada).await;
    let chat = json!({"chat": {"name": "two of us", "is_group": false, "members_array": [bob.id]}});
    let chat = socket.call("create_chat", chat).await["chat"]["id"].as_i64().unwrap();
    let message = json!({"message": {"chat_id": chat, "content": "still here?", "message_type": "text"}});
    let sent = socket.call("send_message", message).await;
    assert_eq!(sent["ok"], true, "{sent}");
    assert_eq!(bob.get(server.url(), &format!("/user/{}", ada.id)).await["online"], true);
    end(&mut server, how);

    let server = Server::start(&settings);
    let url = server.url();
    let me = ada.get(url, "/user/me").await;
    assert_eq!((&me["id"], &me["phone"]), (&json!(ada.id), &json!("+31612345678")));
    let photo = format!("{url}/static/{}/100x100.webp", me["photo"].as_str().unwrap());
    assert_eq!(ada.http.get(photo).send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(bob.get(url, &format!("/user/{}", ada.id)).await["online"], false);
    let messages = bob.get(url, &format!("/message/{chat}")).await;
    assert_eq!(messages[0]["content"], "still here?");
    let refresh = json!({"refresh_token": ada.refresh});
    let reply = ada.http.post(format!("{url}/auth/refresh")).json(&refresh).send().await.unwrap();
    assert_eq!(reply.status(), StatusCode::OK);
    let mut socket = Socket::connect(url, &ada).await;
    let again = json!({"message": {"chat_id": chat, "content": "yes", "message_type": "text"}});
    assert_eq!(socket.call("send_message", again).await["message"]["seq"], 2);
}

#[tokio::test]
async fn a_stop_keeps_data_tokens_and_photos() {
    check_restart(End::Stopped, &[]).await;
}

#[tokio::test]
async fn a_stop_on_postgres_keeps_data_tokens_and_photos() {
    let database = PrivatePostgres::shared().url_for_new_database();
    check_restart(End::Stopped, &[("DATABASE_URL", &database)]).await;
}

#[tokio::test]
async fn a_crash_keeps_data_tokens_and_photos() {
    check_restart(End::Killed, &[]).await;
}

#[tokio::test]
async fn a_crash_on_postgres_keeps_data_tokens_and_photos() {
    let database = PrivatePostgres::shared().url_for_new_database();
    check_restart(End::Killed, &[("DATABASE_URL", &database)]).await;
}

#[test]
fn a_second_server_on_one_sqlite_is_refused() {
    let folder = tempdir().unwrap();
    let settings = [("MANGO_DATA_DIR", path(&folder))];
    let mut server = Server::start(&settings);
    check_refusal(&["serve"], &settings, &["another Mango serves", "mango.db.lock", "MANGO_DATA_DIR"]);

    let elsewhere = tempdir().unwrap();
    let link = elsewhere.path().join("same.db");
    std::os::unix::fs::symlink(folder.path().join("mango.db"), &link).unwrap();
    let linked = format!("sqlite:{}", link.display());
    check_refusal(&[], &[("DATABASE_URL", &linked), ("MANGO_DATA_DIR", path(&elsewhere))], &["mango.db.lock"]);

    let under_it = ["migrate", "--down", "1", "--yes"];
    check_refusal(&under_it, &settings, &["another Mango serves", "mango.db.lock"]);
    check_refusal(&["renew-epoch"], &settings, &["another Mango serves", "mango.db.lock"]);
    for command in ["migrate", "doctor"] {
        let output = run(&[command], &settings);
        assert!(output.status.success(), "{command}: {output:?}");
    }
    // Nothing has to be tidied up after a crash, nor after an ordinary stop.
    for how in [End::Killed, End::Stopped] {
        end(&mut server, how);
        server = Server::start(&settings);
    }
}

/// Of servers that begin at once on one new PostgreSQL database one comes up, and the others say why they do not. It is the same
/// for one that comes later, until the first has ended.
#[tokio::test]
async fn a_second_server_on_one_postgres_is_refused() {
    let folder = tempdir().unwrap();
    let database = PrivatePostgres::shared().url_for_new_database();
    let settings = [("MANGO_DATA_DIR", path(&folder)), ("DATABASE_URL", &*database)];
    let (mut serving, refused): (Vec<_>, Vec<_>) = std::thread::scope(|scope| {
        let starting: Vec<_> = (0..3).map(|_| scope.spawn(|| Server::start(&settings))).collect();
        starting.into_iter().map(ScopedJoinHandle::join).partition(Result::is_ok)
    });
    assert_eq!((serving.len(), refused.len()), (1, 2));
    for said in refused.into_iter().filter_map(Result::err) {
        let said = said.downcast::<String>().unwrap();
        assert!(said.contains("another Mango serves the database"), "{said}");
    }
    check_refusal(&["serve"], &settings, &["another Mango serves the database postgres://", "DATABASE_URL"]);
    for command in [&["migrate", "--down", "1", "--yes"][..], &["renew-epoch"]] {
        check_refusal(command, &settings, &["another Mango serves the database postgres://"]);
    }
    for command in ["migrate", "doctor"] {
        let output = run(&[command], &settings);
        assert!(output.status.success(), "{command}: {output:?}");
    }
    // Nothing has to be tidied up after a crash, nor after an ordinary stop.
    let mut server = serving.remove(0).unwrap();
    for how in [End::Killed, End::Stopped] {
        end(&mut server, how);
        server = Server::start(&settings);
    }
}

/// Makes something look as if it had last been changed two hours ago.
fn age(path: &Path) {
    File::open(path).unwrap().set_modified(SystemTime::now() - Duration::from_secs(2 * 3600)).unwrap();
}

/// Waits until this line is among the metrics.
async fn await_metric(server: &Server, user: &User, line: &str) {
    let begun = Instant::now();
    loop {
        let page = user.http.get(format!("{}/metrics", server.url())).send().await.unwrap().text().await.unwrap();
        if page.lines().any(|found| found == line) {
            return;
        }
        assert!(begun.elapsed() < SOON, "{line} is not in\n{page}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn photos_that_nobody_has_are_swept() {
    let folder = tempdir().unwrap();
    let settings = [("MANGO_DATA_DIR", path(&folder))];
    let mut server = Server::start(&settings);
    let ada = User::sign_up(server.url(), "+31612345678", Some(PICTURE)).await;
    let photo = ada.get(server.url(), "/user/me").await["photo"].as_str().unwrap().to_owned();
    await_metric(&server, &ada, "mango_photos_swept_total 0").await;
    end(&mut server, End::Killed);

    let media = folder.path().join("media");
    let [old, young] = ["0", "1"].map(|digit| media.join(digit.repeat(32)));
    for orphan in [&old, &young] {
        fs::create_dir(orphan).unwrap();
        fs::copy(media.join(&photo).join("50x50.webp"), orphan.join("50x50.webp")).unwrap();
    }
    age(&old);
    age(&media.join(&photo));

    let server = Server::start(&settings);
    await_metric(&server, &ada, "mango_photos_swept_total 1").await;
    assert!(!old.exists() && young.exists());
    let kept = ada.http.get(format!("{}/static/{photo}/50x50.webp", server.url())).send().await.unwrap();
    assert_eq!(kept.status(), StatusCode::OK);
}
