//! Bodies that are not what they should be.

use mango_http::BodyLimits;
use reqwest::Method;

use crate::support::Server;
use crate::support::answer::operations_with_body;

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
async fn no_operation_takes_what_is_no_json() {
    let server = Server::start().await;
    let ann = server.account(1).await;
    let chat = server.group(&ann, &[], 0).await;
    for (method, path, media_type) in operations_with_body(ann.id, chat) {
        if !media_type.ends_with("json") {
            continue;
        }
        // An empty body of a refresh means that the token is in the cookie.
        for broken in ["{", "{} x", "{\"phone\": {}, \"username\": 7, \"chats\": 7", "name=Ann", "[1,]"] {
            let request = server.request(method.clone(), &path).bearer_auth(&ann.access);
            let refused = server.send(request.header("content-type", &media_type).body(broken)).await;
            assert_eq!(refused.status, 400, "{method} {path} {broken:?}: {}", refused.text());
            refused.assert_problem(400, "bad-request");
        }
    }
}

#[actix_web::test]
async fn a_body_must_be_called_what_it_is() {
    let server = Server::start().await;
    let ann = server.account(1).await;
    let own = format!("/user/{}", ann.id);
    let chat = server.group(&ann, &[], 0).await;
    for (method, path, _) in operations_with_body(ann.id, chat) {
        for media_type in [Some("text/plain"), Some("application/xml"), Some("rubbish"), None] {
            let mut request = server.request(method.clone(), &path).bearer_auth(&ann.access).body("{}");
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
async fn a_compressed_body_is_not_taken() {
    let server = Server::start().await;
    let ann = server.account(1).await;
    let own = format!("/user/{}", ann.id);
    let chat = server.group(&ann, &[], 0).await;
    for (method, path, media_type) in operations_with_body(ann.id, chat) {
        for coding in ["gzip", "br", "gzip, identity", "x-unknown", ""] {
            let request =
                server.request(method.clone(), &path).bearer_auth(&ann.access).header("content-type", &media_type);
            let refused = server.send(request.header("content-encoding", coding).body(vec![0x1f, 0x8b, 8])).await;
            refused.assert_problem(415, "unsupported-media-type");
            assert_eq!(refused.header("accept-encoding"), Some("identity"), "{path} {coding}");
        }
    }
    let plain = server.request(Method::PATCH, &own).bearer_auth(&ann.access).header("content-encoding", "Identity");
    assert_eq!(server.send(plain.header("content-type", "application/json").body("{}")).await.status, 202);
}

#[actix_web::test]
async fn a_stranger_is_refused_before_the_body_is_looked_at() {
    let server = Server::with_bodies(BodyLimits::up_to(10)).await;
    for body in ["{", "{\"name\": 7}", "far more than ten bytes"] {
        let request = server.request(Method::PATCH, "/user/abc").header("content-type", "text/plain").body(body);
        server.send(request).await.assert_problem(401, "unauthenticated");
    }
}
