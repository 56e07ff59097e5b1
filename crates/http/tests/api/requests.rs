//! Bodies that are not what they should be.

use std::time::Duration;

use mango_testkit::memory::picture;
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::json;

use crate::support::{Server, raw};

#[actix_web::test]
async fn what_does_not_parse_is_not_the_same_as_what_does_not_fit() {
    let server = Server::start().await;
    let ann = server.account(1).await;
    let patch = |body: &'static str| {
        let path = format!("/user/{}", ann.id);
        let request = server.request(Method::PATCH, &path).bearer_auth(&ann.access);
        server.send(request.header("content-type", "application/json; charset=utf-8").body(body))
    };
    for broken in ["", "{", "{\"name\": \"Ann\"} x", "{'name': 'Ann'}", "name=Ann", "{\"name\": \"\u{1}\"}", "[1,]"] {
        patch(broken).await.assert_problem(400, "bad-request");
    }
    for shapeless in ["[]", "7", "null", "\"text\"", "{\"name\": {}}", "{\"phone\": 31612345678}"] {
        patch(shapeless).await.assert_problem(422, "validation");
    }
    let invalid_utf8 = server.request(Method::POST, "/auth/login").header("content-type", "application/json");
    server.send(invalid_utf8.body(&b"{\"username\": \"\xff\"}"[..])).await.assert_problem(400, "bad-request");
    assert_eq!(patch("{\"name\": \"Ann\", \"unknown\": 1}").await.status, 202);
}

#[actix_web::test]
async fn a_body_must_be_called_what_it_is() {
    let server = Server::start().await;
    let ann = server.account(1).await;
    let own = format!("/user/{}", ann.id);
    for (method, path) in [
        (Method::POST, "/user/create"),
        (Method::POST, "/auth/login"),
        (Method::POST, "/user/login"),
        (Method::POST, "/auth/refresh"),
        (Method::POST, "/user/refresh"),
        (Method::POST, "/user/photo_to_base64"),
        (Method::PATCH, &own),
    ] {
        for media_type in [Some("text/plain"), Some("application/xml"), Some("rubbish"), None] {
            let mut request = server.request(method.clone(), path).bearer_auth(&ann.access).body("{}");
            if let Some(media_type) = media_type {
                request = request.header("content-type", media_type);
            }
            server.send(request).await.assert_problem(415, "unsupported-media-type");
        }
    }
    let merge = server.request(Method::PATCH, &own).bearer_auth(&ann.access);
    let merge = merge.header("content-type", "application/merge-patch+json").body("{}");
    assert_eq!(server.send(merge).await.status, 202);
}

#[actix_web::test]
async fn a_stranger_is_refused_before_the_body_is_looked_at() {
    let server = Server::with_settings(|settings| settings.max_body = 10).await;
    for body in ["{", "{\"name\": 7}", "far more than ten bytes"] {
        let request = server.request(Method::PATCH, "/user/abc").header("content-type", "text/plain").body(body);
        server.send(request).await.assert_problem(401, "unauthenticated");
    }
}

#[actix_web::test]
async fn a_body_has_a_limit_whether_it_tells_its_length_or_not() {
    let server = Server::with_settings(|settings| settings.max_body = 2000).await;
    let ann = server.account(1).await;
    let own = format!("/user/{}", ann.id);
    let padded = |length: usize| {
        let frame = json!({"description": ""}).to_string().len();
        json!({"description": "x".repeat(length - frame)}).to_string()
    };
    let patch = || {
        let request = server.request(Method::PATCH, &own).bearer_auth(&ann.access);
        request.header("content-type", "application/json")
    };
    assert_eq!(server.send(patch().body(padded(2000))).await.status, 202);
    server.send(patch().body(padded(2001))).await.assert_problem(413, "too-large");

    let chunked = |body: &str| {
        let head = format!(
            "PATCH {own} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
             transfer-encoding: chunked\r\n\r\n",
            ann.access
        );
        let chunks: String = body
            .as_bytes()
            .chunks(500)
            .map(|chunk| format!("{:x}\r\n{}\r\n", chunk.len(), String::from_utf8_lossy(chunk)))
            .collect();
        format!("{head}{chunks}0\r\n\r\n").into_bytes()
    };
    assert_eq!(raw::exchange(server.address, &chunked(&padded(2000))).await.0, 202);
    let (status, text) = raw::exchange(server.address, &chunked(&padded(2001))).await;
    assert_eq!(status, 413);
    assert!(text.contains("application/problem+json") && text.contains("urn:mango:problem:too-large"), "{text}");
}

#[actix_web::test]
async fn a_client_that_is_still_sending_gets_the_answer() {
    let server = Server::start().await;
    let create = || server.request(Method::POST, "/user/create").header("content-type", "application/json");
    let far_too_large = vec![b' '; 64 * 1024 * 1024];
    server.send(create().body(far_too_large)).await.assert_problem(413, "too-large");
    server.send(create().body("{}")).await.assert_fields(&["phone"]);
}

#[actix_web::test]
async fn a_picture_has_the_same_limit() {
    let server = Server::with_settings(|settings| settings.max_body = 2000).await;
    let form = |length: usize| {
        let filled = [picture(), vec![0; length]].concat();
        let form = Form::new().part("image", Part::bytes(filled).file_name("x.png"));
        server.send(server.request(Method::POST, "/user/photo_to_base64").multipart(form))
    };
    assert_eq!(form(1000).await.status, 200);
    form(2000).await.assert_problem(413, "too-large");

    let part = "--b\r\ncontent-disposition: form-data; name=\"other\"\r\n\r\n";
    let body = format!("{part}{}\r\n--b--\r\n", "x".repeat(3000));
    let request = format!(
        "POST /user/photo_to_base64 HTTP/1.1\r\nhost: x\r\ncontent-type: multipart/form-data; boundary=b\r\n\
         transfer-encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
        body.len()
    );
    let (status, text) = raw::exchange(server.address, request.as_bytes()).await;
    assert_eq!(status, 413, "{text}");
    assert!(text.contains("application/problem+json"));
}

#[actix_web::test]
async fn a_body_that_stops_coming_is_not_waited_for() {
    let server = Server::with_settings(|settings| settings.body_timeout = Duration::from_millis(50)).await;
    let ann = server.account(1).await;
    for (target, media_type) in [
        ("POST /auth/login".to_owned(), "application/json"),
        ("POST /user/login".to_owned(), "application/x-www-form-urlencoded"),
        ("POST /auth/refresh".to_owned(), "application/json"),
        ("POST /user/create".to_owned(), "application/json"),
        (format!("PATCH /user/{}", ann.id), "application/json"),
        ("POST /user/photo_to_base64".to_owned(), "multipart/form-data; boundary=b"),
    ] {
        let request = format!(
            "{target} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: {media_type}\r\n\
             content-length: 100\r\n\r\n",
            ann.access
        );
        let (status, text) = raw::exchange(server.address, request.as_bytes()).await;
        assert_eq!(status, 408, "{target}: {text}");
        assert!(text.contains("urn:mango:problem:request-timeout"), "{target}: {text}");
    }
}
