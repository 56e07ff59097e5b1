//! Limits on how often an operation may be called.

use mango_domain::model::{Rate, Subject};
use mango_testkit::build;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::answer::OPERATIONS;
use crate::support::{PASSWORD, Server};

/// Where the tests come from.
const HERE: Subject = Subject::Address(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));

#[actix_web::test]
async fn every_operation_that_says_so_is_limited_and_no_other() {
    for (operation, documented) in OPERATIONS.iter() {
        let server = Server::start().await;
        let ann = server.account(1).await;
        for rate in Rate::ALL {
            server.memory.rates.limit(rate, 1);
            server.memory.rates.exhaust(rate, HERE);
            server.memory.rates.exhaust(rate, Subject::User(ann.id));
        }
        let (method, template) = operation.split_once(' ').unwrap();
        let photo = build::photo(1);
        let path = template.replace("{id}", "1").replace("{chat_id}", "1").replace("{photo}", photo.as_str());
        let request =
            server.request(Method::from_bytes(method.as_bytes()).unwrap(), &path.replace("{file}", "50x50.webp"));
        let answer = server.send(request.bearer_auth(&ann.access)).await;
        if !documented.contains(&429) {
            assert!(answer.status != 429 && answer.header("ratelimit").is_none(), "{operation}");
            continue;
        }
        // The bodies are missing: nothing of the request is looked at before it is counted.
        answer.assert_problem(429, "too-many-requests");
        assert_eq!(answer.problem().retry_after_ms, Some(1500), "{operation}");
        assert_eq!(answer.header("retry-after"), Some("2"), "{operation}");
        assert!(answer.header("ratelimit").unwrap().ends_with(";r=0;t=2"), "{operation}");
        assert!(answer.header("ratelimit-policy").unwrap().ends_with(";q=1;w=2"), "{operation}");
        for path in ["/healthz", "/docs", "/openapi.json"] {
            assert_eq!(server.get(path).await.status, 200);
        }
    }
}

#[actix_web::test]
async fn answers_tell_how_many_calls_are_left() {
    let server = Server::start().await;
    let (ann, bob) = (server.account(1).await, server.account(2).await);
    server.memory.rates.limit(Rate::Read, 4);
    for (path, status, left) in [
        ("/user/me", 200, "\"read\";r=3;t=2"),
        ("/chat", 200, "\"read\";r=2;t=3"),
        ("/chat/9", 404, "\"read\";r=1;t=5"),
    ] {
        let answer = server.get_as(&ann, path).await;
        assert_eq!((answer.status, answer.header("ratelimit")), (status, Some(left)), "{path}");
        assert_eq!(answer.header("ratelimit-policy"), Some("\"read\";q=4;w=6"));
    }
    // HEAD is a GET, and a method that there is not costs nothing.
    let head = server.send(server.request(Method::HEAD, "/chat").bearer_auth(&ann.access)).await;
    assert_eq!(head.header("ratelimit"), Some("\"read\";r=0;t=6"));
    server
        .send(server.request(Method::PUT, "/chat").bearer_auth(&ann.access))
        .await
        .assert_problem(405, "method-not-allowed");
    let refused = server.get_as(&ann, "/user/me").await;
    refused.assert_problem(429, "too-many-requests");
    assert_eq!(refused.problem().detail, "too many requests, try again in 2 s");
    assert_eq!(
        server.get_as(&bob, "/user/me").await.header("ratelimit"),
        Some("\"read\";r=3;t=2"),
        "users are counted apart"
    );
    assert_eq!(server.get("/user/me").await.header("ratelimit"), None, "a stranger is no user");
    let page = server.request(Method::GET, "/user/me").header("origin", "https://app.example").bearer_auth(&bob.access);
    let exposed = server.send(page).await.header("access-control-expose-headers").unwrap().to_lowercase();
    assert!(["ratelimit", "ratelimit-policy", "retry-after"].iter().all(|name| exposed.contains(name)), "{exposed}");
}

#[actix_web::test]
async fn failed_logins_have_to_wait_and_are_told_how_long() {
    let server = Server::start().await;
    let ann = server.account(1).await;
    server.memory.rates.limit_attempts(3);
    let attempt =
        async |password: &str| server.post("/auth/login", &json!({"username": ann.phone, "password": password})).await;
    for _ in 0..3 {
        attempt("not the right password").await.assert_problem(401, "wrong-credentials");
    }
    let refused = attempt(PASSWORD).await;
    refused.assert_problem(429, "too-many-requests");
    assert_eq!((refused.header("retry-after"), refused.problem().retry_after_ms), (Some("2"), Some(1500)));
    assert_eq!(server.get_as(&ann, "/user/me").await.status, 200, "who is logged in stays so");
}

/// The tests come from an address at which Ann is logged in, and Bob and somebody who does not exist are not.
#[actix_web::test]
async fn an_account_that_was_tried_too_often_is_open_to_who_is_logged_in_there() {
    let server = Server::start().await;
    let ann = server.account(1).await;
    let bob = build::user(2).add(&server.memory.stores()).await;
    server.memory.rates.limit(Rate::LogInAccount, 2);
    let attempt =
        async |phone: &str| server.post("/auth/login", &json!({"username": phone, "password": "not this one"})).await;
    for _ in 0..2 {
        for phone in [&ann.phone, bob.phone.as_str(), "+31699999999"] {
            attempt(phone).await.assert_problem(401, "wrong-credentials");
        }
    }
    attempt(&ann.phone).await.assert_problem(401, "wrong-credentials");
    for phone in [bob.phone.as_str(), "+31699999999"] {
        let refused = attempt(phone).await;
        refused.assert_problem(429, "too-many-requests");
        assert_eq!((refused.header("retry-after"), refused.problem().retry_after_ms), (Some("2"), Some(1500)));
        assert_eq!(refused.header("ratelimit"), None, "it is not the rate of the address");
    }
    let login = server.post("/auth/login", &json!({"username": ann.phone, "password": PASSWORD})).await;
    assert_eq!(login.status, 200);
}

/// A change of phone tells who has one, as a sign-up does, so they are counted together.
#[actix_web::test]
async fn a_change_of_phone_counts_as_a_sign_up() {
    let server = Server::start().await;
    let ann = server.account(1).await;
    server.memory.rates.limit(Rate::SignUp, 1);
    let change = async |to: Value| server.patch_as(&ann, &format!("/user/{}", ann.id), &to).await;
    assert_eq!(change(json!({"name": "Ann"})).await.status, 202);
    let first = change(json!({"phone": "+31687654321"})).await;
    assert_eq!((first.status, first.header("ratelimit")), (202, None), "it tells of the rate of its route alone");
    change(json!({"phone": "+31612345678"})).await.assert_problem(429, "too-many-requests");
    assert_eq!(change(json!({"name": "Annie"})).await.status, 202);
    let sign_up = json!({"phone": "+31612345678", "password": PASSWORD});
    server.post("/user/create", &sign_up).await.assert_problem(429, "too-many-requests");
}

#[actix_web::test]
async fn a_user_changes_their_phone_only_so_often() {
    let server = Server::start().await;
    let ann = server.account(1).await;
    server.memory.rates.limit(Rate::ChangePhone, 1);
    let change = async |to: Value| server.patch_as(&ann, &format!("/user/{}", ann.id), &to).await;
    assert_eq!(change(json!({"phone": "+31687654321"})).await.status, 202);
    let refused = change(json!({"phone": "+31612345678"})).await;
    refused.assert_problem(429, "too-many-requests");
    assert_eq!((refused.header("retry-after"), refused.problem().retry_after_ms), (Some("2"), Some(1500)));
    assert_eq!(refused.header("ratelimit"), None, "it is not the rate of the route");
    assert_eq!(change(json!({"name": "Annie", "phone": "+31687654321"})).await.status, 202, "it is the same phone");
}
