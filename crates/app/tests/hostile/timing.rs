//! How long answers take tells nobody which phones have an account.

use std::time::{Duration, Instant};

use reqwest::Client;
use serde_json::{Value, json};

use crate::client::User;
use crate::support::Server;

/// Pairs that are measured, one after the other, so that whatever else the machine does slows both.
const PAIRS: u32 = 21;

/// How far the medians may be apart, as a share of the larger one. The hash of a password takes nearly all of the time: without
/// it, one would be less than a tenth of the other.
const MARGIN: f64 = 0.4;

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64()
}

/// Calls with a phone that has an account and with one that has none, by turns, and compares how long they take.
async fn check(url: &str, path: &str, body: impl Fn(&str) -> Value, known: &str, statuses: (u16, u16)) {
    let http = Client::new();
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for pair in 0..PAIRS {
        let unknown = format!("+316876543{pair:02}");
        // Who goes first changes as well.
        let mut order = [(known, statuses.0, &mut with), (unknown.as_str(), statuses.1, &mut without)];
        if pair % 2 == 1 {
            order.reverse();
        }
        for (phone, status, times) in order {
            let request = http.post(format!("{url}{path}")).json(&body(phone));
            let begun = Instant::now();
            let answer = request.send().await.unwrap();
            let taken = begun.elapsed();
            assert_eq!(answer.status().as_u16(), status, "{phone}");
            times.push(taken);
        }
    }
    let (with, without) = (median(with), median(without));
    let apart = (with - without).abs() / with.max(without);
    assert!(apart < MARGIN, "{path}: {with} s with an account, {without} s without");
}

#[tokio::test]
async fn logins_and_sign_ups_take_as_long_for_known_phones_as_for_unknown_ones() {
    let server = Server::start(&[]);
    let known = "+31612345601";
    User::sign_up(server.url(), known, None).await;
    let login = |phone: &str| json!({"username": phone, "password": "not the right password"});
    check(server.url(), "/auth/login", login, known, (401, 401)).await;
    let sign_up = |phone: &str| json!({"phone": phone, "password": "correct horse battery staple"});
    check(server.url(), "/user/create", sign_up, known, (409, 201)).await;
}
