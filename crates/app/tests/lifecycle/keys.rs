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

/// What to do when a key is in strange hands. The first key that a server makes is no replacement.
#[tokio::test]
async fn a_key_that_is_taken_away_is_replaced_at_the_next_start() {
    let folder = tempdir().unwrap();
    let settings = [("MANGO_DATA_DIR", path(&folder))];
    let mut server = Server::start(&settings);
    let ada = User::sign_up(server.url(), "+31612345678", None).await;
    stop(&mut server);
    let rotations = || text(&run(&["audit"], &settings).stdout).matches("key_rotation").count();
    for expected in [1, 1] {
        if rotations() == 0 {
            std::fs::remove_file(folder.path().join("jwt.key")).unwrap();
        }
        let mut server = Server::start(&settings);
        let refused = ada.http.get(format!("{}/user/me", server.url())).bearer_auth(&ada.access).send().await.unwrap();
        assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
        assert_ne!(kid(&refresh(server.url(), &ada).await), kid(&ada.access));
        stop(&mut server);
        assert_eq!(rotations(), expected, "once, however often it starts");
    }
}

/// Called without the server's settings, the commands say where they have looked, and make nothing that would pass for the server's.
#[test]
fn without_a_key_both_commands_refuse_and_make_nothing() {
    let folder = tempdir().unwrap();
    for command in [["keys", "rotate"], ["keys", "list"]] {
        let data = ("MANGO_DATA_DIR", path(&folder));
        check_refusal(&command, &[data], &["no signing key at", path(&folder), "jwt.key", "MANGO_DATA_DIR"]);
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
        // By default it is the folder that the command is called in.
        let output = Server::command(&[]).args(command).current_dir(&folder).output().unwrap();
        let said = text(&output.stderr);
        let looked = std::path::absolute(folder.path()).unwrap().join("data").join("jwt.key");
        assert!(output.status.code() == Some(1) && said.contains(looked.to_str().unwrap()), "{said}");
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
    }
}

/// A rotation that the audit log does not tell of is no secret: it is said, with what to do.
#[test]
fn a_rotation_without_its_database_says_what_is_missing() {
    let folder = tempdir().unwrap();
    let data = ("MANGO_DATA_DIR", path(&folder));
    let key = folder.path().join("jwt.key");
    std::fs::write(&key, "an open secret of more than thirty-two bytes\n").unwrap();
    for settings in [&[data][..], &[data, ("DATABASE_URL", "postgres://mango@127.0.0.1:1/mango")]] {
        let before = std::fs::read_to_string(&key).unwrap();
        let output = run(&["keys", "rotate"], settings);
        let said = text(&output.stderr);
        assert!(output.status.success() && std::fs::read_to_string(&key).unwrap() != before, "{said}");
        assert!(
            said.starts_with("mango: ") && said.contains("no audit log") && said.contains("DATABASE_URL"),
            "{said}"
        );
        assert!(!said.contains("open secret") && !text(&output.stdout).contains("audit log"), "{output:?}");
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "no database is made");
    }
    assert!(run(&["migrate"], &[data]).status.success());
    let output = run(&["keys", "rotate"], &[data]);
    assert!(output.stderr.is_empty() && text(&output.stdout).contains("mango.db tells of it"), "{output:?}");
}

/// The server alone knows how long its tokens live, and notes it for whoever rotates the keys.
#[tokio::test]
async fn a_token_outlives_a_rotation_by_somebody_with_other_settings() {
    let folder = tempdir().unwrap();
    let data = ("MANGO_DATA_DIR", path(&folder));
    let server = Server::start(&[data, ("MANGO_ACCESS_TTL", "2d")]);
    let ada = User::sign_up(server.url(), "+31612345678", None).await;
    let old = signing(&[data]);
    for _ in 0..3 {
        assert!(run(&["keys", "rotate"], &[data, ("MANGO_ACCESS_TTL", "1s")]).status.success());
    }
    let listed = text(&run(&["keys", "list"], &[data]).stdout);
    let line = listed.lines().find(|line| line.starts_with(&old)).unwrap_or_else(|| panic!("{old} is not in {listed}"));
    let day = (chrono::Utc::now() + chrono::TimeDelta::days(2)).format("checks until %F").to_string();
    let next = (chrono::Utc::now() + chrono::TimeDelta::days(2) + chrono::TimeDelta::hours(1))
        .format("checks until %F")
        .to_string();
    assert!(line.contains(&day) || line.contains(&next), "{listed}");
    let begun = Instant::now();
    while !server.log().contains("took the signing keys") {
        assert!(begun.elapsed() < SOON, "{}", server.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    ada.get(server.url(), "/user/me").await;
}

/// Whoever cannot leave the file to its owner does not touch it. Only root can put a file of one user before another.
#[cfg(unix)]
#[test]
fn a_file_that_would_change_hands_stays_as_it_is() {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    let folder = tempdir().unwrap();
    let (key, secret) = (folder.path().join("jwt.key"), "an open secret of more than thirty-two bytes\n");
    fs::write(&key, secret).unwrap();
    let owner = fs::metadata(&key).unwrap().uid();
    if owner != 0 {
        return;
    }
    // The other user has to reach the binary, and may do anything with the folder.
    let binary = folder.path().join("mango");
    fs::copy(env!("CARGO_BIN_EXE_mango"), &binary).unwrap();
    for (path, mode) in [(&binary, 0o755), (&key, 0o644), (&folder.path().to_owned(), 0o777)] {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }
    let mut command = Command::new(&binary);
    command.args(["keys", "rotate"]).env_clear().env("MANGO_DATA_DIR", folder.path()).current_dir(&folder);
    let output = command.uid(65_534).gid(65_534).output().unwrap();
    let said = text(&output.stderr);
    assert!(output.status.code() == Some(1) && said.contains("user with the id 0"), "{said}");
    assert_eq!(fs::read_to_string(&key).unwrap(), secret);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 2, "no draft is left");
}
