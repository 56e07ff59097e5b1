//! Liveness, readiness, metrics.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use mango_http::{FailedCheck, Readiness};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use reqwest::Method;
use serde_json::json;

use crate::support::Server;

struct Waiting;

#[async_trait]
impl Readiness for Waiting {
    async fn failed(&self) -> Vec<FailedCheck> {
        let check = |name: &str, message: &str| FailedCheck { name: name.to_owned(), message: message.to_owned() };
        vec![check("database", "it cannot be reached"), check("migrations", "one is missing")]
    }
}

/// The recorder of this process; all tests count into it.
fn recorder() -> &'static PrometheusHandle {
    static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();
    RECORDER.get_or_init(|| PrometheusBuilder::new().install_recorder().unwrap())
}

#[actix_web::test]
async fn a_server_is_alive_and_ready() {
    let server = Server::start().await;
    for path in ["/healthz", "/healthz/", "/readyz", "/readyz/"] {
        let answer = server.get(path).await;
        assert_eq!((answer.status, answer.json()), (200, json!({"status": "ok"})), "{path}");
    }
}

#[actix_web::test]
async fn a_server_that_is_not_ready_says_why_and_is_alive() {
    let server = Server::with(|state| state.readiness = Arc::new(Waiting)).await;
    let answer = server.get("/readyz").await;
    answer.assert_problem(503, "unavailable");
    assert_eq!(answer.header("retry-after"), Some("5"));
    let failed: Vec<String> = answer.problem().errors.into_iter().map(|error| error.field).collect();
    assert_eq!(failed, ["database", "migrations"]);
    assert_eq!(server.get("/healthz").await.status, 200);
}

#[actix_web::test]
async fn requests_are_counted_by_route_and_never_by_path() {
    let recorder = recorder();
    let server = Server::with(|state| state.metrics = Arc::new(|| recorder.render())).await;
    let ann = server.account(1).await;
    server.patch_as(&ann, "/user/81002", &json!({})).await.assert_problem(403, "forbidden");
    server.get("/no-such-path/81003").await.assert_problem(404, "not-found");
    let made_up = Method::from_bytes(b"PROPFIND").unwrap();
    server.send(server.request(made_up, "/chat/81004")).await.assert_problem(405, "method-not-allowed");

    let answer = server.get("/metrics").await;
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    for line in [
        r#"mango_http_requests_total{method="PATCH",route="/user/{id}",status="403"}"#,
        r#"mango_http_requests_total{method="GET",route="unmatched",status="404"}"#,
        r#"mango_http_requests_total{method="OTHER",route="/chat/{id}",status="405"}"#,
        r#"mango_http_request_duration_seconds_count{route="/user/{id}"}"#,
    ] {
        assert!(answer.text().contains(line), "{line} is not in\n{}", answer.text());
    }
    // With its slash: without it, the digits of some duration may happen to be the same.
    for path in ["/81002", "/81003", "/81004", "PROPFIND"] {
        assert!(!answer.text().contains(path), "{path}");
    }
}
