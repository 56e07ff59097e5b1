//! What all answers have in common: paths, methods, CORS, request ids, compression, headers.

use mango_http::CorsPolicy;
use reqwest::Method;
use serde_json::json;

use crate::support::{Account, Answer, Server, raw};

#[actix_web::test]
async fn a_slash_at_the_end_never_matters() {
    let server = Server::start().await;
    let ann = server.account(1).await;
    let chat = server.group(&ann, &[], 3).await;
    let paths = ["/user/me", "/user/1", "/chat", "/chat/pinned", "/healthz", "/docs", "/openapi.json", "/nowhere"];
    let paths =
        paths.iter().map(|path| (*path).to_owned()).chain([format!("/chat/{chat}"), format!("/message/{chat}")]);
    for path in paths {
        let without = server.get_as(&ann, &path).await;
        for with in [format!("{path}/"), format!("{path}//"), path.replacen('/', "//", 1)] {
            let with_slash = server.get_as(&ann, &with).await;
            assert_eq!(with_slash.status, without.status, "{with}");
            assert_eq!(with_slash.body, without.body, "{with}");
        }
    }
    let query = server.get_as(&ann, &format!("/message/{chat}/?limit=2")).await;
    assert_eq!(query.json().as_array().unwrap().len(), 2);
}

#[actix_web::test]
async fn unknown_paths_and_wrong_methods_are_problems() {
    let server = Server::start().await;
    for path in ["/nowhere", "/user", "/chat/1/2", "/docs/nothing.js", "/user/me/x"] {
        server.get(path).await.assert_problem(404, "not-found");
    }
    assert!(server.get("/nowhere").await.problem().detail.contains("/docs"));
    for (method, path, allow) in [
        (Method::GET, "/user/create", "POST"),
        (Method::DELETE, "/auth/login", "POST"),
        (Method::POST, "/chat", "GET, HEAD"),
        (Method::PUT, "/user/1", "GET, HEAD, PATCH"),
        (Method::OPTIONS, "/user/me", "GET, HEAD"),
        (Method::POST, "/healthz", "GET, HEAD"),
        (Method::POST, "/docs", "GET, HEAD"),
    ] {
        let refused = server.send(server.request(method.clone(), path)).await;
        refused.assert_problem(405, "method-not-allowed");
        assert_eq!(refused.header("allow"), Some(allow), "{method} {path}");
    }
}

#[actix_web::test]
async fn a_browser_is_led_to_the_documentation() {
    let server = Server::start().await;
    for method in [Method::GET, Method::HEAD] {
        let answer = server.send(server.request(method, "/")).await;
        assert_eq!((answer.status, answer.header("location")), (302, Some("/docs")));
    }
    server.post("/", &json!({})).await.assert_problem(405, "method-not-allowed");
}

async fn preflight(server: &Server, origin: &str, method: &str) -> Answer {
    let request = server
        .request(Method::OPTIONS, "/user/1")
        .header("origin", origin)
        .header("access-control-request-method", method)
        .header("access-control-request-headers", "authorization,content-type");
    server.send(request).await
}

async fn called_from(server: &Server, origin: &str) -> Answer {
    server.send(server.request(Method::GET, "/user/me").header("origin", origin)).await
}

#[actix_web::test]
async fn pages_of_any_origin_may_call_without_cookies() {
    let server = Server::start().await;
    let allowed = preflight(&server, "https://app.example", "PATCH").await;
    assert_eq!(allowed.status, 200);
    assert_eq!(allowed.header("access-control-allow-origin"), Some("*"));
    assert_eq!(allowed.header("access-control-allow-headers"), Some("authorization,content-type"));
    for method in ["PATCH", "DELETE"] {
        assert!(allowed.header("access-control-allow-methods").unwrap().contains(method), "{method}");
    }
    assert_eq!(allowed.header("access-control-allow-credentials"), None);
    preflight(&server, "https://app.example", "PUT").await.assert_problem(400, "bad-request");

    // A page can read errors too.
    let refused = called_from(&server, "https://app.example").await;
    refused.assert_problem(401, "unauthenticated");
    assert_eq!(refused.header("access-control-allow-origin"), Some("*"));
    assert_eq!(refused.header("access-control-allow-credentials"), None);
    let exposed = refused.header("access-control-expose-headers").unwrap().to_ascii_lowercase();
    for name in ["link", "location", "etag", "retry-after", "x-request-id"] {
        assert!(exposed.contains(name), "{name} is not in {exposed}");
    }
}

#[actix_web::test]
async fn with_listed_origins_only_their_pages_may_call_with_cookies() {
    let listed = CorsPolicy::Origins(vec!["https://app.example".to_owned(), "http://localhost:3000".to_owned()]);
    let server = Server::with_settings(|settings| settings.cors = listed).await;
    for origin in ["https://app.example", "http://localhost:3000"] {
        for answer in [preflight(&server, origin, "GET").await, called_from(&server, origin).await] {
            assert_eq!(answer.header("access-control-allow-origin"), Some(origin));
            assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
            assert!(answer.header("vary").unwrap().to_ascii_lowercase().contains("origin"));
        }
    }
    for origin in ["https://evil.example", "https://app.example.evil.example", "null"] {
        let refused = preflight(&server, origin, "GET").await;
        refused.assert_problem(400, "bad-request");
        for answer in [refused, called_from(&server, origin).await] {
            assert_eq!(answer.header("access-control-allow-origin"), None);
            assert_eq!(answer.header("access-control-allow-credentials"), None, "{origin}");
        }
    }
}

#[actix_web::test]
async fn a_request_id_is_taken_when_sane_and_made_otherwise() {
    let server = Server::start().await;
    let with = async |id: &[u8]| {
        let value = reqwest::header::HeaderValue::from_bytes(id).unwrap();
        let answer = server.send(server.request(Method::GET, "/nowhere").header("x-request-id", value)).await;
        answer.header("x-request-id").unwrap().to_owned()
    };
    assert_eq!(with(b"trace-7.A/b").await, "trace-7.A/b");
    for insane in [&b"two words"[..], b"", b"7}:request{user=1", b"$(reboot)", &[b'a'; 65]] {
        let made = with(insane).await;
        assert_eq!(made.len(), 32);
        assert_ne!(made.as_bytes(), insane);
    }
    let one = server.get("/healthz").await;
    let two = server.get("/healthz").await;
    assert_ne!(one.header("x-request-id"), two.header("x-request-id"));
}

async fn encoding(server: &Server, account: &Account, path: &str, accepted: &str) -> Option<String> {
    let request = server.request(Method::GET, path).bearer_auth(&account.access).header("accept-encoding", accepted);
    let answer = server.send(request).await;
    assert_eq!(answer.status, 200, "{path}");
    answer.header("content-encoding").map(str::to_owned)
}

#[actix_web::test]
async fn texts_of_more_than_a_kilobyte_are_compressed() {
    let server = Server::start().await;
    let ann = server.account(1).await;
    let chat = server.group(&ann, &[], 50).await;
    let path = format!("/message/{chat}");
    let check = async |path: &str, accepted: &str, expected: Option<&str>| {
        assert_eq!(encoding(&server, &ann, path, accepted).await.as_deref(), expected, "{path} {accepted}");
    };
    check(&path, "gzip", Some("gzip")).await;
    check(&path, "gzip, deflate, br, zstd", Some("br")).await;
    check(&path, "br;q=0.5, gzip", Some("gzip")).await;
    check(&path, "identity", None).await;
    check(&path, "zstd", None).await;
    check("/openapi.json", "br", Some("br")).await;
    check("/openapi.json", "gzip, br", Some("br")).await;
    check("/openapi.json", "gzip", Some("gzip")).await;
    check("/openapi.json", "zstd", None).await;
    for file in ["/docs/swagger-ui.css", "/docs/swagger-ui-bundle.js"] {
        check(file, "gzip", Some("gzip")).await;
        check(file, "br, gzip", Some("br")).await;
        check(file, "br", Some("br")).await;
        check(file, "gzip;q=0", None).await;
        check(file, "identity", None).await;
        let plain = server.get(file).await;
        assert_eq!(plain.header("content-encoding"), None, "{file}");
        assert!(plain.text().contains("swagger-ui"), "{file}");
    }
    check("/user/me", "gzip, br", None).await;
    check("/metrics", "gzip, br", None).await;

    let plain = server.get_as(&ann, &path).await;
    let gzip = server.request(Method::GET, &path).bearer_auth(&ann.access).header("accept-encoding", "gzip");
    let compressed = server.send(gzip).await;
    assert!(compressed.body.len() < plain.body.len() / 4);
    for answer in [plain, compressed] {
        let vary: Vec<&str> = answer.headers.get_all("vary").iter().map(|value| value.to_str().unwrap()).collect();
        assert!(vary.join(", ").to_ascii_lowercase().contains("accept-encoding"), "{vary:?}");
    }
}

#[actix_web::test]
async fn every_answer_has_the_security_headers() {
    let server = Server::start().await;
    for path in ["/healthz", "/user/me", "/nowhere", "/openapi.json", "/auth/login", "/docs", "/docs/swagger-ui.css"] {
        let answer = server.get(path).await;
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{path}");
        let policy = answer.header("content-security-policy").unwrap();
        assert!(
            policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{path}: {policy}"
        );
        assert_eq!(policy.contains("script-src"), path.starts_with("/docs"), "{path}: {policy}");
        assert!(answer.header("cache-control").is_some(), "{path}");
    }
    let created = server.post("/user/create", &json!({"phone": "+31612345678", "password": "long enough"})).await;
    assert_eq!(created.header("cache-control"), Some("no-store"));
}

/// The answer to an upgrade that nobody offers is an ordinary one, and does not say that anything was upgraded.
#[actix_web::test]
async fn an_upgrade_to_http_2_is_passed_over() {
    let server = Server::start().await;
    let request = b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\n\
        http2-settings: AAMAAABkAAQAAP__\r\n\r\n";
    let (status, text) = raw::exchange(server.address, request).await;
    assert_eq!(status, 200);
    assert!(text.contains("connection: close\r\n") && !text.contains("upgrade"), "{text}");
}
