//! Login, refresh, logout, and the cookie.

use chrono::TimeDelta;
use mango_domain::model::Event;
use mango_http::SecureCookies;
use reqwest::Method;
use serde_json::json;

use crate::support::{Answer, PASSWORD, Server};

/// The attributes of the cookie `refresh_token`, its value first.
fn cookie(answer: &Answer) -> Vec<&str> {
    answer.header("set-cookie").expect("a cookie").split("; ").collect()
}

#[actix_web::test]
async fn a_login_takes_a_form_or_json_at_both_paths() {
    let server = Server::start().await;
    let ann = server.account(1).await;
    for path in ["/auth/login", "/user/login", "/auth/login/", "/user/login/"] {
        let json = json!({"username": ann.phone, "password": PASSWORD});
        // Swagger UI sends the client's credentials too, though there are none.
        let form = [("grant_type", "password"), ("username", &ann.phone), ("password", PASSWORD), ("scope", "")];
        let post = || server.request(Method::POST, path);
        for request in [post().json(&json), post().form(&form).basic_auth("", Some(""))] {
            let granted = server.send(request).await;
            assert_eq!(granted.status, 200);
            assert_eq!(granted.header("cache-control"), Some("no-store"));
            let grant = granted.json();
            assert_eq!((&grant["token_type"], &grant["expires_in"]), (&json!("bearer"), &json!(900)));
            let refresh = grant["refresh_token"].as_str().unwrap();
            assert_eq!(
                cookie(&granted),
                [&format!("refresh_token={refresh}"), "HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=2592000"]
            );
        }
    }
}

#[actix_web::test]
async fn an_unknown_phone_and_a_wrong_password_are_answered_alike() {
    let server = Server::start().await;
    let ann = server.account(1).await;
    let mut bodies = Vec::new();
    for (username, password) in [(&*ann.phone, "wrong horse battery"), ("+31612345678", PASSWORD), ("nobody", PASSWORD)]
    {
        let refused = server.post("/auth/login", &json!({"username": username, "password": password})).await;
        refused.assert_problem(401, "wrong-credentials");
        assert_eq!(refused.header("www-authenticate"), Some("Bearer"));
        assert_eq!(refused.header("set-cookie"), None);
        bodies.push(refused.body);
    }
    assert_eq!(bodies[0], bodies[1]);
    assert_eq!(bodies[0], bodies[2]);
}

#[actix_web::test]
async fn a_login_names_the_field_that_is_missing() {
    let server = Server::start().await;
    server.post("/auth/login", &json!({"username": "+31612345678"})).await.assert_fields(&["password"]);
    server.post("/auth/login", &json!({"username": 7, "password": "x"})).await.assert_fields(&["username"]);
    let form = server.request(Method::POST, "/auth/login").form(&[("password", "x")]);
    server.send(form).await.assert_fields(&["username"]);
}

#[actix_web::test]
async fn the_cookie_is_for_tls_only_behind_tls() {
    async fn check(setting: SecureCookies, forwarded: Option<&str>, secure: bool) {
        let server = Server::with_settings(|settings| settings.secure_cookies = setting).await;
        let ann = server.account(1).await;
        let mut request = server.request(Method::POST, "/auth/login");
        if let Some(scheme) = forwarded {
            request = request.header("x-forwarded-proto", scheme);
        }
        let granted = server.send(request.json(&json!({"username": ann.phone, "password": PASSWORD}))).await;
        assert_eq!(cookie(&granted).contains(&"Secure"), secure, "{setting:?} {forwarded:?}");
    }
    check(SecureCookies::Auto, None, false).await;
    check(SecureCookies::Auto, Some("http"), false).await;
    check(SecureCookies::Auto, Some("https"), true).await;
    check(SecureCookies::Always, None, true).await;
    check(SecureCookies::Never, Some("https"), false).await;
}

#[actix_web::test]
async fn a_refresh_takes_the_cookie_or_the_body_and_the_body_wins() {
    let server = Server::start().await;
    let ann = server.account(1).await;
    let post = |path: &str| server.request(Method::POST, path);
    let by_body = json!({"refresh_token": ann.refresh});
    let cookie_of = |token: &str| format!("theme=dark; refresh_token={token}");
    let by_cookie = |path: &str| post(path).header("cookie", cookie_of(&ann.refresh));
    let mut tokens = vec![ann.refresh.clone()];
    for request in [
        post("/auth/refresh").json(&by_body),
        post("/user/refresh").json(&by_body),
        by_cookie("/auth/refresh"),
        by_cookie("/user/refresh/").json(&json!({})),
        by_cookie("/auth/refresh").json(&json!({"refresh_token": null})),
        post("/auth/refresh").header("cookie", cookie_of("not-a-token")).json(&by_body),
    ] {
        let granted = server.send(request).await;
        assert_eq!(granted.status, 200, "{}", granted.text());
        let token = granted.json()["refresh_token"].as_str().unwrap().to_owned();
        assert_eq!(cookie(&granted)[0], format!("refresh_token={token}"));
        assert!(!tokens.contains(&token), "a token came twice");
        tokens.push(token);
    }
    let wrong = server.send(by_cookie("/auth/refresh").json(&json!({"refresh_token": "not-a-token"}))).await;
    wrong.assert_problem(401, "unauthenticated");
}

#[actix_web::test]
async fn a_refresh_without_a_good_token_is_refused() {
    let server = Server::start().await;
    let ann = server.account(1).await;
    let post = || server.request(Method::POST, "/auth/refresh");
    server.send(post()).await.assert_problem(401, "unauthenticated");
    server.send(post().json(&json!({}))).await.assert_problem(401, "unauthenticated");
    server.send(post().json(&json!({"refresh_token": null}))).await.assert_problem(401, "unauthenticated");
    server.send(post().json(&json!({"refresh_token": 7}))).await.assert_fields(&["refresh_token"]);
    server.send(post().json(&json!({"token": "x"}))).await.assert_fields(&["refresh_token"]);
    server.send(post().json(&json!([]))).await.assert_problem(422, "validation");

    // Once a successor has been used, the old token is a copy in strange hands.
    let body = json!({"refresh_token": ann.refresh});
    let next = server.send(post().json(&body)).await.json();
    server.send(post().json(&json!({"refresh_token": next["refresh_token"]}))).await;
    server.send(post().json(&body)).await.assert_problem(401, "session-ended");
    server.get_as(&ann, "/user/me").await.assert_problem(401, "session-ended");
}

#[actix_web::test]
async fn a_logout_ends_this_session_alone() {
    let server = Server::start().await;
    let phone = server.account(1).await.phone;
    let (desk, mobile) = (server.log_in(&phone).await, server.log_in(&phone).await);
    let left = server.send(server.request(Method::POST, "/auth/logout").bearer_auth(&desk.access)).await;
    assert_eq!(left.status, 204);
    assert!(left.body.is_empty());
    assert_eq!(cookie(&left)[0], "refresh_token=");
    assert!(cookie(&left).contains(&"Max-Age=0"));
    assert!(matches!(&server.memory.events.take()[..], [Event::SessionsEnded { sessions }] if sessions.len() == 1));

    server.get_as(&desk, "/user/me").await.assert_problem(401, "session-ended");
    let refreshed = server.post("/auth/refresh", &json!({"refresh_token": desk.refresh})).await;
    refreshed.assert_problem(401, "unauthenticated");
    assert_eq!(server.get_as(&mobile, "/user/me").await.status, 200);
}

#[actix_web::test]
async fn tokens_are_refused_each_for_its_reason() {
    let server = Server::start().await;
    let ann = server.account(1).await;
    let get = || server.request(Method::GET, "/user/me");
    const INVALID: Option<&str> = Some("Bearer error=\"invalid_token\"");
    for missing in [get(), get().header("authorization", "Basic Og=="), get().header("authorization", "Bearer")] {
        let refused = server.send(missing).await;
        refused.assert_problem(401, "unauthenticated");
        assert_eq!(refused.header("www-authenticate"), Some("Bearer"));
    }
    let forged = server.send(get().bearer_auth("forged")).await;
    forged.assert_problem(401, "unauthenticated");
    assert_eq!(forged.header("www-authenticate"), INVALID);
    assert_eq!(server.send(get().header("authorization", format!("bEARER {}", ann.access))).await.status, 200);

    server.memory.clock.advance(TimeDelta::minutes(15));
    let expired = server.get_as(&ann, "/user/me").await;
    expired.assert_problem(401, "token-expired");
    assert_eq!(expired.header("www-authenticate"), INVALID);
}
