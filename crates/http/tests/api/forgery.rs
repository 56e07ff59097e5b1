//! What a page of somebody else's can make a browser do (RFC 9700, section 4.7): nothing, with the cookie alone.

use mango_http::{CorsPolicy, TrustedProxies};
use reqwest::{Method, RequestBuilder};
use serde_json::json;

use crate::support::answer::OPERATIONS;
use crate::support::{Account, Server};

async fn server(policy: CorsPolicy) -> (Server, Account) {
    let server = Server::with_settings(|settings| settings.cors = policy).await;
    let ann = server.account(1).await;
    (server, ann)
}

/// A request as a browser sends it that has the cookie.
fn with_cookie(server: &Server, account: &Account, method: Method, path: &str, origin: &str) -> RequestBuilder {
    let request = server.request(method, path).header("cookie", format!("refresh_token={}", account.refresh));
    request.header("origin", origin)
}

#[actix_web::test]
async fn the_cookie_counts_for_pages_at_home_and_of_listed_origins() {
    let listed = CorsPolicy::Origins(vec!["https://app.example".to_owned()]);
    for (policy, elsewhere) in [(CorsPolicy::AnyOrigin, 403), (listed, 200)] {
        let (server, ann) = server(policy).await;
        let own = format!("http://{}", server.address);
        let table = [
            (own.as_str(), 200),
            ("https://app.example", elsewhere),
            ("https://evil.example", 403),
            ("null", 403),
            ("", 403),
        ];
        for path in ["/auth/refresh", "/user/refresh", "/auth/refresh/"] {
            for (origin, status) in table {
                let empty = with_cookie(&server, &ann, Method::POST, path, origin);
                let nothing = with_cookie(&server, &ann, Method::POST, path, origin).json(&json!({}));
                for request in [empty, nothing] {
                    let answer = server.send(request).await;
                    assert_eq!(answer.status, status, "{path} from {origin:?}: {}", answer.text());
                    assert_eq!(answer.header("set-cookie").is_some(), status == 200, "{path} from {origin:?}");
                }
            }
        }
    }
}

/// Behind a proxy that does TLS, a page of the same host that came in the clear may be anybody's on the way. The proxy alone knows which it is.
#[actix_web::test]
async fn where_a_proxy_does_tls_a_page_in_the_clear_is_a_stranger() {
    for (trusted, told, http, https) in [
        ("127.0.0.1", Some("https"), 403, 200),
        ("127.0.0.1", Some("http"), 200, 403),
        ("127.0.0.1", None, 200, 200),
        ("192.0.2.1", Some("https"), 200, 200),
        ("", None, 200, 200),
    ] {
        let proxies = TrustedProxies::parse(trusted).unwrap();
        let server = Server::with_settings(|settings| settings.trusted_proxies = proxies).await;
        let ann = server.account(1).await;
        for (scheme, status) in [("http", http), ("https", https)] {
            let own = format!("{scheme}://{}", server.address);
            let request = with_cookie(&server, &ann, Method::POST, "/auth/refresh", &own);
            let request = told.iter().fold(request, |request, told| request.header("x-forwarded-proto", *told));
            assert_eq!(server.send(request).await.status, status, "{own} where {trusted:?} says {told:?}");
        }
    }
}

/// What is refused has not been presented: it neither replaces the token nor counts as a copy.
#[actix_web::test]
async fn a_refused_cookie_changes_nothing() {
    let (server, ann) = server(CorsPolicy::AnyOrigin).await;
    let refresh = async |token: &str| server.post("/auth/refresh", &json!({"refresh_token": token})).await;
    let next = refresh(&ann.refresh).await.json()["refresh_token"].as_str().unwrap().to_owned();
    assert_eq!(refresh(&next).await.status, 200, "the first token is a copy from now on");
    let forged = with_cookie(&server, &ann, Method::POST, "/auth/refresh", "https://evil.example");
    server.send(forged).await.assert_problem(403, "forbidden");
    assert_eq!(server.get_as(&ann, "/user/me").await.status, 200, "the session goes on");
}

#[actix_web::test]
async fn a_token_in_the_body_may_come_from_anywhere() {
    let (server, ann) = server(CorsPolicy::AnyOrigin).await;
    for origin in ["https://anywhere.example", "null"] {
        let request = with_cookie(&server, &ann, Method::POST, "/auth/refresh", origin);
        let answer = server.send(request.json(&json!({"refresh_token": ann.refresh}))).await;
        assert_eq!(answer.status, 200, "{origin}: {}", answer.text());
    }
    let none = server.request(Method::POST, "/auth/refresh").header("origin", "https://evil.example");
    server.send(none).await.assert_problem(401, "unauthenticated");
}

/// A refresh is the one thing that the cookie is good for. Every operation that wants to know who is calling is refused without a
/// bearer token, whatever the cookie and wherever it comes from.
#[actix_web::test]
async fn the_cookie_opens_nothing_else() {
    let document = serde_json::to_value(mango_http::openapi()).unwrap();
    let (server, ann) = server(CorsPolicy::AnyOrigin).await;
    let own = format!("http://{}", server.address);
    let mut tried = 0;
    for operation in OPERATIONS.keys() {
        let (method, template) = operation.split_once(' ').unwrap();
        if document["paths"][template][method.to_lowercase()]["security"].is_null() {
            continue;
        }
        let path = template.replace("{id}", "1").replace("{chat_id}", "1");
        for origin in [own.as_str(), "https://evil.example"] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let answer = server.send(with_cookie(&server, &ann, method, &path, origin).json(&json!({}))).await;
            answer.assert_problem(401, "unauthenticated");
        }
        tried += 1;
    }
    assert!(tried > 10, "{tried}");
    assert_eq!(server.get_as(&ann, "/user/me").await.status, 200, "nobody was logged out");
}

#[actix_web::test]
async fn the_cookie_does_not_go_along_with_what_other_sites_send() {
    let (server, ann) = server(CorsPolicy::AnyOrigin).await;
    let granted = server.post("/auth/refresh", &json!({"refresh_token": ann.refresh})).await;
    let cookie = granted.header("set-cookie").unwrap();
    assert!(cookie.contains("; SameSite=Lax") && cookie.contains("; HttpOnly"), "{cookie}");
}
