//! The keys of access tokens, replaced under a running server.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde_json::{Value, json};
use tempfile::tempdir;

use crate::client::{SOON, Socket, User};
use crate::support::Server;
use crate::{check_refusal, path, run, stop, text};

/// The name of the key in the first line that `mango keys list` says.
fn signing(settings: &[(&str, &str)]) -> String {
    let listed = run(&["keys", "list"], settings);
    assert!(listed.status.success(), "{}", text(&listed.stderr));
    let said = text(&listed.stdout);
    let line = said.lines().next().unwrap();
    assert!(line.ends_with("signs"), "{said}");
    line.split(' ').next().unwrap().to_owned()
}

/// The name of the key that a token says it was signed with.
fn kid(token: &str) -> String {
    use base64::Engine as _;

    let head = base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    let head: Value = serde_json::from_slice(&head).unwrap();
    head["kid"].as_str().unwrap().to_owned()
}

async fn refresh(url: &str, user: &User) -> String {
    let body = json!({"refresh_token": user.refresh});
    let reply = user.http.post(format!("{url}/auth/refresh")).json(&body).send().await.unwrap();
    assert_eq!(reply.status(), StatusCode::OK);
    reply.json::<Value>().await.unwrap()["access_token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_rotation_needs_no_restart_and_logs_nobody_out() {
    let folder = tempdir().unwrap();
    let settings = [("MANGO_DATA_DIR", path(&folder))];
    let mut server = Server::start(&settings);
    let url = server.url().to_owned();
    let ada = User::sign_up(&url, "+31612345678", None).await;
    let mut socket = Socket::connect(&url, &ada).await;
    let old = signing(&settings);
    assert_eq!(kid(&ada.access), old);

    let rotated = run(&["keys", "rotate"], &settings);
    assert!(rotated.status.success(), "{}", text(&rotated.stderr));
    let said = text(&rotated.stdout);
    let new = signing(&settings);
    assert!(new != old && said.contains(&old) && said.starts_with(&new), "{said}");

    let begun = Instant::now();
    while kid(&refresh(&url, &ada).await) != new {
        assert!(begun.elapsed() < SOON, "{}", server.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    ada.get(&url, "/user/me").await;
    let chat = json!({"chat": {"name": "notes", "is_group": true, "members_array": []}});
    assert_eq!(socket.call("create_chat", chat).await["ok"], true, "the socket of the old token goes on");

    // The same after a restart, and a file that nobody can read leaves a running server as it is.
    stop(&mut server);
    let server = Server::start(&settings);
    ada.get(server.url(), "/user/me").await;
    let doctor = text(&run(&["doctor"], &settings).stdout);
    assert!(doctor.contains("by its owner alone"), "{doctor}");
    std::fs::write(folder.path().join("jwt.key"), "{").unwrap();
    let begun = Instant::now();
    while !server.log().contains("keys of before") {
        assert!(begun.elapsed() < SOON, "{}", server.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    ada.get(server.url(), "/user/me").await;
    assert!(!server.log().contains(&ada.access));
}

#[tokio::test]
async fn a_key_that_is_set_gives_way_to_another() {
    let folder = tempdir().unwrap();
    let (one, other) = ("an open secret of more than thirty-two bytes", "another open secret of more than 32 bytes");
    let data = ("MANGO_DATA_DIR", path(&folder));
    let mut server = Server::start(&[data, ("MANGO_JWT_SECRET", one)]);
    let ada = User::sign_up(server.url(), "+31612345678", None).await;
    stop(&mut server);
    check_refusal(&["keys", "rotate"], &[data, ("MANGO_JWT_SECRET", one)], &["MANGO_JWT_SECRET_PREVIOUS"]);

    let mut server = Server::start(&[data, ("MANGO_JWT_SECRET", other), ("MANGO_JWT_SECRET_PREVIOUS", one)]);
    ada.get(server.url(), "/user/me").await;
    assert_ne!(kid(&refresh(server.url(), &ada).await), kid(&ada.access));
    stop(&mut server);

    let server = Server::start(&[data, ("MANGO_JWT_SECRET", other)]);
    let refused = ada.http.get(format!("{}/user/me", server.url())).bearer_auth(&ada.access).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    assert!(!folder.path().join("jwt.key").exists());
}
