//! Whose address counts when a proxy says whose it is, and when somebody only says so.

use reqwest::Client;
use tempfile::tempdir;

use crate::client::{Socket, User};
use crate::support::Server;
use crate::{path, run, stop, text};

/// What the server makes of a client that sends `X-Forwarded-For`, in the list of sessions, the audit log and the log.
async fn check(trusted: &str, forwarded: &str, address: &str) {
    let folder = tempdir().unwrap();
    let settings = [("MANGO_DATA_DIR", path(&folder)), ("MANGO_TRUSTED_PROXIES", trusted)];
    let mut server = Server::start(&settings);
    let url = server.url().to_owned();
    let ada = User::sign_up(&url, "+31612345678", None).await;
    let form = [("username", "+31612345678"), ("password", "not the right password")];
    for (path, form) in [("/auth/login", Some(form)), ("/ws/socket.io/?EIO=4&transport=polling", None)] {
        let request = Client::new().post(format!("{url}{path}")).header("x-forwarded-for", forwarded);
        form.iter().fold(request, |request, form| request.form(form)).send().await.unwrap();
    }
    let headers = [("x-forwarded-for".parse().unwrap(), forwarded.parse().unwrap())];
    let proxied = Client::builder().default_headers(headers.into_iter().collect()).build().unwrap();
    let refresh = serde_json::json!({"refresh_token": ada.refresh});
    assert!(proxied.post(format!("{url}/auth/refresh")).json(&refresh).send().await.unwrap().status().is_success());
    let sessions = ada.get(&url, "/auth/sessions").await;
    assert_eq!(sessions[0]["address"], address, "{sessions}");
    Socket::connect(&url, &ada).await;
    stop(&mut server);

    let shown = text(&run(&["audit", "--json"], &settings).stdout);
    let failed = shown.lines().find(|line| line.contains("login_failed")).unwrap();
    assert!(failed.contains(&format!("\"{address}\"")), "{failed}");
    for status in ["status=401", "status=400"] {
        let log = server.log();
        let line = log.lines().find(|line| line.contains(status)).unwrap_or_else(|| panic!("{status} is not in {log}"));
        assert!(line.contains(&format!("address={address}")), "{line}");
    }
}

#[tokio::test]
async fn a_forged_header_changes_nothing() {
    check("", "203.0.113.7", "127.0.0.1").await;
    check("10.0.0.0/8", "203.0.113.7", "127.0.0.1").await;
}

#[tokio::test]
async fn a_trusted_proxy_is_believed() {
    check("127.0.0.1", "6.6.6.6, 203.0.113.7", "203.0.113.7").await;
    check("10.0.0.0/8,127.0.0.0/8", "6.6.6.6, 203.0.113.7, 10.0.0.9", "203.0.113.7").await;
}
