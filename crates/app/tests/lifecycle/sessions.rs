//! The end of a session, as the device that loses it feels it.

use std::time::{Duration, Instant};

use mango_testkit::PrivatePostgres;
use reqwest::StatusCode;

use crate::client::{Socket, User};
use crate::support::Server;

/// A session that is ended from another device loses its tokens at once and its socket within a second.
async fn check_end(settings: &[(&str, &str)]) {
    let server = Server::start(settings);
    let url = server.url();
    let desk = User::sign_up(url, "+31612345678", None).await;
    let lost = User::log_in(url, desk.id, "+31612345678").await;
    let mut socket = Socket::connect(url, &lost).await;
    let sessions = desk.get(url, "/auth/sessions").await;
    let other = sessions.as_array().unwrap().iter().find(|session| session["current"] == false).unwrap();
    assert_eq!(other["address"], "127.0.0.1");

    let begun = Instant::now();
    let ended = desk.http.delete(format!("{url}/auth/sessions/{}", other["id"])).bearer_auth(&desk.access);
    assert_eq!(ended.send().await.unwrap().status(), StatusCode::NO_CONTENT);
    let refused = lost.http.get(format!("{url}/user/me")).bearer_auth(&lost.access).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    loop {
        match socket.packet().await {
            // The packet that disconnects, or the end of the connection.
            Some(packet) if packet == "41" => break,
            Some(_) => {}
            None => break,
        }
    }
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_session_that_is_ended_from_elsewhere_is_out_at_once() {
    check_end(&[]).await;
}

#[tokio::test]
async fn a_session_on_postgres_that_is_ended_from_elsewhere_is_out_at_once() {
    let database = PrivatePostgres::shared().url_for_new_database();
    check_end(&[("DATABASE_URL", &database)]).await;
}
