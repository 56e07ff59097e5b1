//! Sign-up, profiles, changes, and the check of pictures.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use mango_testkit::memory::picture;
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use crate::support::{PASSWORD, Server};

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[actix_web::test]
async fn a_sign_up_gives_the_user_in_full() {
    let server = Server::start().await;
    let photo = format!("data:image/png;base64,{}", BASE64_STANDARD.encode(picture()));
    let body = json!({
        "phone": "+31 6 1234 5678", "password": PASSWORD, "name": " Ann ", "description": "Hello", "photo": photo,
    });
    let created = server.post("/user/create", &body).await;
    assert_eq!(created.status, 201, "{}", created.text());
    let user = created.json();
    assert_eq!(created.header("location"), Some(&*format!("/user/{}", user["id"])));
    assert_eq!(user["phone"], "+31612345678");
    assert_eq!((&user["name"], &user["description"]), (&json!("Ann"), &json!("Hello")));
    assert_eq!(user["created_at"], "2026-01-01T00:00:00.000000Z");
    assert_eq!(user["last_seen_at"], Value::Null);
    assert_eq!(user["photo"], server.memory.media.photos()[0].as_str());
    assert_eq!(server.memory.media.photos().len(), 1);
    assert!(!created.text().contains(PASSWORD));
}

#[actix_web::test]
async fn a_sign_up_names_all_fields_at_fault() {
    let server = Server::start().await;
    let body = json!({"phone": "12", "password": "short", "name": "", "photo": "!", "description": "x".repeat(2001)});
    let refused = server.post("/user/create", &body).await;
    refused.assert_fields(&["phone", "password", "name", "description", "photo"]);
    server.post("/user/create", &json!({})).await.assert_fields(&["phone", "password"]);
    server.post("/user/create", &json!({"phone": ["x"], "password": PASSWORD})).await.assert_fields(&["phone"]);
    server.post("/user/create", &json!("text")).await.assert_problem(422, "validation");
    let no_picture = json!({"phone": "+31612345678", "password": PASSWORD, "photo": BASE64_STANDARD.encode("text")});
    server.post("/user/create", &no_picture).await.assert_fields(&["photo"]);
    assert!(server.memory.media.photos().is_empty());
}

#[actix_web::test]
async fn a_phone_signs_up_once_and_leaves_no_files_the_second_time() {
    let server = Server::start().await;
    let photo = BASE64_STANDARD.encode(picture());
    let body = json!({"phone": "+31612345678", "password": PASSWORD, "photo": photo});
    assert_eq!(server.post("/user/create", &body).await.status, 201);
    server.post("/user/create/", &body).await.assert_problem(409, "phone-taken");
    assert_eq!(server.memory.media.photos().len(), 1);
}

#[actix_web::test]
async fn the_phone_is_shown_to_its_owner_alone() {
    let server = Server::start().await;
    let (ann, bob) = (server.account(1).await, server.account(2).await);
    let me = server.get_as(&ann, "/user/me").await.json();
    assert_eq!(me, server.get_as(&ann, &format!("/user/{}", ann.id)).await.json());
    assert_eq!(me["phone"], ann.phone);
    let mut full = keys(&me);
    full.sort_unstable();
    assert_eq!(full, ["created_at", "description", "id", "last_seen_at", "name", "online", "phone", "photo"]);
    let seen = server.get_as(&bob, &format!("/user/{}", ann.id)).await.json();
    assert_eq!(seen.get("phone"), None);
    assert_eq!(seen["name"], me["name"]);
}

#[actix_web::test]
async fn what_is_no_id_of_a_user_is_not_found() {
    let server = Server::start().await;
    let ann = server.account(1).await;
    for id in ["999", "-1", "0", "abc", "1.5", "99999999999999999999", "1%20", "%F0%9F%A5%AD"] {
        server.get_as(&ann, &format!("/user/{id}")).await.assert_problem(404, "not-found");
    }
    server.patch_as(&ann, "/user/abc", &json!({})).await.assert_problem(404, "not-found");
}

#[actix_web::test]
async fn a_change_changes_what_is_there_and_no_more() {
    let server = Server::start().await;
    let ann = server.account(1).await;
    let path = format!("/user/{}", ann.id);
    let photo = BASE64_STANDARD.encode(picture());
    let changed = server.patch_as(&ann, &path, &json!({"description": "Hi", "photo": photo})).await;
    assert_eq!(changed.status, 202);
    let user = changed.json();
    assert_eq!((&user["name"], &user["description"]), (&json!("User 1"), &json!("Hi")));
    assert_eq!(user["photo"], server.memory.media.photos()[0].as_str());

    let emptied = server.patch_as(&ann, &path, &json!({"name": null, "photo": null})).await.json();
    assert_eq!((&emptied["name"], &emptied["description"]), (&Value::Null, &json!("Hi")));
    assert_eq!(emptied["photo"], Value::Null);
    assert!(server.memory.media.photos().is_empty());
    assert_eq!(server.patch_as(&ann, &format!("{path}/"), &json!({})).await.json(), emptied);
    assert_eq!(server.get_as(&ann, "/user/me").await.json(), emptied);
}

#[actix_web::test]
async fn a_change_is_refused_each_for_its_reason() {
    let server = Server::start().await;
    let (ann, bob) = (server.account(1).await, server.account(2).await);
    let (own, other) = (format!("/user/{}", ann.id), format!("/user/{}", bob.id));
    server.patch_as(&ann, &other, &json!({"name": "Mallory"})).await.assert_problem(403, "forbidden");
    server.patch_as(&ann, &own, &json!({"phone": bob.phone})).await.assert_problem(409, "phone-taken");
    let refused = server.patch_as(&ann, &own, &json!({"phone": "12", "password": "short", "name": ""})).await;
    refused.assert_fields(&["phone", "password", "name"]);
    server.patch_as(&ann, &own, &json!({"name": 7})).await.assert_fields(&["name"]);
    assert_eq!(server.get_as(&bob, "/user/me").await.json()["name"], "User 2");
}

#[actix_web::test]
async fn a_new_password_ends_all_other_sessions() {
    let server = Server::start().await;
    let desk = server.account(1).await;
    let mobile = server.log_in(&desk.phone).await;
    let changed = server.patch_as(&desk, &format!("/user/{}", desk.id), &json!({"password": "a new password"})).await;
    assert_eq!(changed.status, 202);
    assert!(!changed.text().contains("a new password"));
    assert_eq!(server.get_as(&desk, "/user/me").await.status, 200);
    server.get_as(&mobile, "/user/me").await.assert_problem(401, "session-ended");
    let old = json!({"username": desk.phone, "password": PASSWORD});
    server.post("/auth/login", &old).await.assert_problem(401, "wrong-credentials");
}

/// OWASP ASVS 5.0, 6.2.3.
#[actix_web::test]
async fn asvs_6_2_3_a_new_password_may_come_with_the_current_one() {
    let server = Server::start().await;
    let ann = server.account(1).await;
    server.memory.rates.limit_attempts(2);
    let own = format!("/user/{}", ann.id);
    let change = async |body: Value| server.patch_as(&ann, &own, &body).await;
    change(json!({"name": "Ann", "current_password": PASSWORD})).await.assert_fields(&["current_password"]);
    change(json!({"password": "short", "current_password": 7})).await.assert_fields(&["current_password"]);
    assert_eq!(change(json!({"name": "Ann", "current_password": null})).await.status, 202);
    let moved = change(json!({"phone": "+31687654321", "current_password": PASSWORD})).await;
    assert_eq!((moved.status, &moved.json()["phone"]), (202, &json!("+31687654321")), "a phone alone takes it as well");
    let (new, newer) = ("a new password", "a newer password");
    let right = change(json!({"password": new, "current_password": PASSWORD})).await;
    assert_eq!(right.status, 202);
    assert!(!right.text().contains(PASSWORD));
    for _ in 0..2 {
        let wrong = change(json!({"password": newer, "current_password": PASSWORD})).await;
        wrong.assert_fields(&["current_password"]);
        assert!(!wrong.text().contains(PASSWORD));
    }
    let refused = change(json!({"password": newer, "current_password": new})).await;
    refused.assert_problem(429, "too-many-requests");
    assert_eq!((refused.header("retry-after"), refused.problem().retry_after_ms), (Some("2"), Some(1500)));
    let login = server.post("/auth/login", &json!({"username": "+31687654321", "password": new})).await;
    assert_eq!(login.status, 200, "it is the password still");
}

#[actix_web::test]
async fn a_picture_turns_into_base64() {
    let server = Server::start().await;
    let post = || server.request(Method::POST, "/user/photo_to_base64");
    let image = |bytes: Vec<u8>| Part::bytes(bytes).file_name("photo.png");
    let form = Form::new().text("caption", "x").part("image", image(picture())).part("image", image(vec![7]));
    let answer = server.send(post().multipart(form)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.json(), json!(BASE64_STANDARD.encode(picture())));

    let text = Form::new().part("image", image(b"text".to_vec()));
    server.send(post().multipart(text)).await.assert_fields(&["image"]);
    server.send(post().multipart(Form::new().text("photo", "x"))).await.assert_fields(&["image"]);
    server.send(post().multipart(Form::new())).await.assert_problem(400, "bad-request");
    server.send(post().json(&json!({}))).await.assert_problem(415, "unsupported-media-type");
    let multipart = |value: &'static str| post().header("content-type", value).body("--x\r\nrubbish");
    server.send(multipart("multipart/form-data; boundary=x")).await.assert_problem(400, "bad-request");
    server.send(multipart("multipart/form-data")).await.assert_problem(400, "bad-request");
}

#[actix_web::test]
async fn a_user_is_online_while_connected() {
    use mango_domain::model::ConnectionId;
    use mango_domain::ports::Presence as _;
    let server = Server::start().await;
    let (ann, bob) = (server.account(1).await, server.account(2).await);
    let path = format!("/user/{}", bob.id);
    assert_eq!(server.get_as(&ann, &path).await.json()["online"], false);
    server.memory.presence.arrive(bob.id, &ConnectionId("socket".to_owned())).await.unwrap();
    assert_eq!(server.get_as(&ann, &path).await.json()["online"], true);
}
