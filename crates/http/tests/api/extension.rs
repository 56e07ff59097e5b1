//! Routes of others under the same middleware, such as long-polling of Socket.IO.

use actix_web::dev::ServiceResponse;
use actix_web::test::{self, TestRequest};
use actix_web::{HttpResponse, web};
use mango_testkit::memory::Memory;
use serde_json::{Value, json};

use crate::support;

/// What Engine.IO says of a session that it does not know.
const ENGINE_ERROR: &str = r#"{"code":1,"message":"Session ID unknown"}"#;

fn polling(config: &mut web::ServiceConfig) {
    let answer = async |query: web::Query<Vec<(String, String)>>| match query.first().map(|(_, mode)| mode.as_str()) {
        Some("error") => HttpResponse::BadRequest().content_type("application/json").body(ENGINE_ERROR),
        Some("bare") => HttpResponse::BadRequest().finish(),
        Some("text") => HttpResponse::InternalServerError().body("it broke"),
        Some("gateway") => HttpResponse::from_error(actix_web::error::ErrorBadGateway("it broke")),
        _ => HttpResponse::Ok().content_type("text/plain; charset=UTF-8").body("x".repeat(5000)),
    };
    config.service(web::resource("/ws/socket.io").to(answer));
}

async fn get(path: &str) -> ServiceResponse {
    let state = support::state(Memory::new().ports());
    let app = test::init_service(mango_http::app(state, polling)).await;
    let request = TestRequest::get().uri(path).insert_header(("accept-encoding", "br, gzip"));
    let request = request.insert_header(("origin", "https://app.example"));
    test::call_service(&app, request.to_request()).await.map_into_boxed_body()
}

#[actix_web::test]
async fn polling_is_not_compressed_and_has_the_rest() {
    for path in ["/ws/socket.io?mode=poll", "/ws/socket.io/?mode=poll"] {
        let response = get(path).await;
        assert_eq!(response.status(), 200);
        for (name, value) in [
            ("content-encoding", None),
            ("access-control-allow-origin", Some("*")),
            ("x-content-type-options", Some("nosniff")),
            ("cache-control", Some("no-store")),
        ] {
            assert_eq!(response.headers().get(name).map(|value| value.to_str().unwrap()), value, "{name}");
        }
        assert!(response.headers().contains_key("x-request-id"));
        assert_eq!(test::read_body(response).await.len(), 5000);
    }
}

#[actix_web::test]
async fn errors_in_json_are_left_alone_and_others_become_problems() {
    let engine = get("/ws/socket.io/?mode=error").await;
    assert_eq!((engine.status().as_u16(), &*test::read_body(engine).await), (400, ENGINE_ERROR.as_bytes()));
    for (mode, status, kind) in [
        ("bare", 400, "urn:mango:problem:bad-request"),
        ("text", 500, "urn:mango:problem:internal"),
        ("gateway", 502, "about:blank"),
    ] {
        let response = get(&format!("/ws/socket.io/?mode={mode}")).await;
        assert_eq!(response.status(), status);
        assert_eq!(response.headers().get("content-type").unwrap(), "application/problem+json");
        let problem: Value = serde_json::from_slice(&test::read_body(response).await).unwrap();
        assert_eq!((&problem["type"], &problem["status"]), (&json!(kind), &json!(status)), "{mode}");
    }
}
