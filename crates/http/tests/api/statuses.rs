//! Failures and crashes of ports, for every operation that says it may fail so.

use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use mango_testkit::build;
use mango_testkit::memory::{Memory, picture};
use reqwest::multipart::{Form, Part};
use reqwest::{Method, RequestBuilder};
use serde_json::json;

use crate::support::answer::OPERATIONS;
use crate::support::failing::Failing;
use crate::support::{Answer, PASSWORD, Server};

/// A server on which every port fails that this operation needs first, and a good request for the operation.
async fn ask(operation: &str, failing: Failing) -> Answer {
    let memory = Memory::new();
    let mut ports = memory.ports();
    let port = Arc::new(failing);
    (ports.sessions, ports.users, ports.images) = (port.clone(), port.clone(), port.clone());
    if failing == Failing::Crash {
        ports.media = port;
    }
    let server = Server::over(memory, ports, |state| {
        if failing == Failing::Crash {
            state.metrics = Arc::new(|| panic!("the metrics crashed"));
        }
    })
    .await;
    server.send(good(&server, operation)).await
}

fn good(server: &Server, operation: &str) -> RequestBuilder {
    let (method, template) = operation.split_once(' ').unwrap();
    let photo = build::photo(1);
    let path = template.replace("{id}", "1").replace("{chat_id}", "1").replace("{photo}", photo.as_str());
    let request = server.request(Method::from_bytes(method.as_bytes()).unwrap(), &path.replace("{file}", "50x50.webp"));
    let request = request.bearer_auth("plain.1.1.1767225600.1798761600");
    let phone = build::phone(1);
    match operation {
        "POST /auth/login" | "POST /user/login" => {
            request.json(&json!({"username": phone.as_str(), "password": PASSWORD}))
        }
        "POST /auth/refresh" | "POST /user/refresh" => request.json(&json!({"refresh_token": "x"})),
        "POST /user/create" => {
            let photo = BASE64_STANDARD.encode(picture());
            request.json(&json!({"phone": phone.as_str(), "password": PASSWORD, "photo": photo}))
        }
        "PATCH /user/{id}" => request.json(&json!({})),
        "POST /user/photo_to_base64" => {
            request.multipart(Form::new().part("image", Part::bytes(picture()).file_name("x.png")))
        }
        _ => request,
    }
}

/// Operations that need no port, or none that can report a failure.
const PORTLESS: [&str; 4] = ["GET /healthz", "GET /readyz", "GET /metrics", "GET /static/{photo}/{file}"];

#[actix_web::test]
async fn a_failing_port_is_a_problem_that_does_not_tell_why() {
    for (operation, documented) in OPERATIONS.iter() {
        if PORTLESS.contains(&operation.as_str()) {
            continue;
        }
        for (failing, status) in Failing::REPORTED {
            if !documented.contains(&status) {
                continue;
            }
            let answer = ask(operation, failing).await;
            assert_eq!(answer.status, status, "{operation}");
            assert!(!answer.text().contains("secret"), "{}", answer.text());
            let retry = (status == 503).then_some("2");
            assert_eq!(answer.header("retry-after"), retry, "{operation}");
            assert_eq!(answer.problem().retry_after_ms, retry.map(|_| 1500));
        }
    }
}

#[actix_web::test]
async fn a_crash_is_a_problem_and_the_next_request_is_served() {
    // The others use nothing in this state that could crash.
    for operation in
        OPERATIONS.keys().filter(|operation| !["GET /healthz", "GET /readyz"].contains(&operation.as_str()))
    {
        let answer = ask(operation, Failing::Crash).await;
        answer.assert_problem(500, "internal");
        assert!(!answer.text().contains("crashed"), "{operation}");
        assert!(answer.header("x-request-id").is_some() && answer.header("x-content-type-options").is_some());
    }
    let server = Server::with(|state| state.metrics = Arc::new(|| panic!("the metrics crashed"))).await;
    for _ in 0..3 {
        server.get("/metrics").await.assert_problem(500, "internal");
        assert_eq!(server.get("/healthz").await.status, 200);
    }
}
