//! The audit log, from what people do to what `mango audit` shows.

use mango_testkit::PrivatePostgres;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tempfile::tempdir;

use crate::client::User;
use crate::support::Server;
use crate::{path, run, stop, text};

/// What the command says, oldest first.
fn audit(settings: &[(&str, &str)]) -> Vec<Value> {
    let shown = run(&["audit", "--json", "--limit", "1000"], settings);
    assert!(shown.status.success(), "{}", text(&shown.stderr));
    let mut entries: Vec<Value> = text(&shown.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    entries.reverse();
    entries
}

async fn check_audit(settings: &[(&str, &str)]) {
    let folder = tempdir().unwrap();
    let settings = [settings, &[("MANGO_DATA_DIR", path(&folder))]].concat();
    let mut server = Server::start(&settings);
    let url = server.url().to_owned();
    let (phone, wrong) = ("+31612345678", "not the right password");
    let ada = User::sign_up(&url, phone, None).await;
    for username in [phone, "+31687654321"] {
        let form = [("username", username), ("password", wrong)];
        let refused = ada.http.post(format!("{url}/auth/login")).form(&form).send().await.unwrap();
        assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    }
    assert!(run(&["keys", "rotate"], &settings).status.success(), "while the server runs");
    let moved = "+31612345670";
    let change =
        ada.http.patch(format!("{url}/user/{}", ada.id)).bearer_auth(&ada.access).json(&json!({"phone": moved}));
    assert_eq!(change.send().await.unwrap().status(), StatusCode::ACCEPTED);
    let left = ada.http.post(format!("{url}/auth/logout")).bearer_auth(&ada.access).send().await.unwrap();
    assert_eq!(left.status(), StatusCode::NO_CONTENT);
    // What waits is written before the end.
    stop(&mut server);

    let entries = audit(&settings);
    let session = &entries[0]["session_id"];
    assert!(session.is_i64(), "{entries:?}");
    // The rotation is noted by another process, which does not wait for what the server has yet to write.
    let (rotations, told): (Vec<_>, Vec<_>) = entries.iter().partition(|entry| entry["event"] == "key_rotation");
    assert_eq!((rotations.len(), &rotations[0]["user_id"], &rotations[0]["address"]), (1, &Value::Null, &Value::Null));
    let told: Vec<_> = told
        .iter()
        .map(|entry| json!([entry["event"], entry["user_id"], entry["session_id"], entry["address"]]))
        .collect();
    let here = "127.0.0.1";
    assert_eq!(
        told,
        [
            json!(["login", ada.id, session, here]),
            json!(["login_failed", ada.id, null, here]),
            json!(["login_failed", null, null, here]),
            json!(["phone_change", ada.id, session, here]),
            json!(["session_revoked", ada.id, session, here]),
        ]
    );
    let shown = text(&run(&["audit", "--limit", "2"], &settings).stdout);
    assert_eq!(shown.lines().count(), 2, "{shown}");
    let all = format!("{entries:?}{shown}");
    for secret in [phone, &moved[1..], "31687654321", wrong, &ada.access, &ada.refresh] {
        assert!(!all.contains(secret), "{secret} is in the audit log");
    }
}

#[tokio::test]
async fn what_happens_to_accounts_can_be_read_afterwards() {
    check_audit(&[]).await;
}

#[tokio::test]
async fn what_happens_to_accounts_on_postgres_can_be_read_afterwards() {
    let database = PrivatePostgres::shared().url_for_new_database();
    check_audit(&[("DATABASE_URL", &database)]).await;
}

/// Whoever ends everybody's sessions leaves a trace, which a renewal alone does not.
#[tokio::test]
async fn the_end_of_all_sessions_is_told() {
    let folder = tempdir().unwrap();
    let settings = [("MANGO_DATA_DIR", path(&folder))];
    let mut server = Server::start(&settings);
    User::sign_up(server.url(), "+31612345678", None).await;
    stop(&mut server);
    assert!(run(&["renew-epoch"], &settings).status.success());
    assert_eq!(audit(&settings).len(), 1, "the login");
    assert!(run(&["renew-epoch", "--end-sessions"], &settings).status.success());
    let entries = audit(&settings);
    let last = &entries[1];
    assert_eq!(
        json!([last["event"], last["user_id"], last["session_id"], last["address"]]),
        json!(["sessions_ended", null, null, null])
    );
    assert_eq!(entries.len(), 2);
}

#[test]
fn without_a_database_there_is_nothing_to_read_and_nothing_is_made() {
    let folder = tempdir().unwrap();
    let settings = [("MANGO_DATA_DIR", path(&folder))];
    assert!(audit(&settings).is_empty());
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
}
