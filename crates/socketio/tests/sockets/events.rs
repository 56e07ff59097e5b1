//! What each event does, and how each can fail.

use std::sync::Arc;

use mango_domain::model::{ChatId, UserName};
use mango_domain::usecases::Ports;
use mango_domain::usecases::update_user::ProfileEdit;
use serde_json::{Value, json};

use crate::support::{Client, PanickingLikes, Person, World, limits, text_message};

/// Two people in a group, the first with two devices, and a stranger.
struct Scene {
    world: World,
    ann: Person,
    bob: Person,
    phone: Client,
    laptop: Client,
    other: Client,
    stranger: Client,
    chat: i64,
}

impl Scene {
    async fn new() -> Self {
        Self::in_world(World::new().await).await
    }

    async fn in_world(world: World) -> Self {
        let (ann, bob, eve) = (world.person(1).await, world.person(2).await, world.person(3).await);
        let chat = world.group(&[&ann, &bob]).await.get();
        let (phone, laptop) = (world.connect(&ann).await, world.connect(&ann).await);
        let (other, stranger) = (world.connect(&bob).await, world.connect(&eve).await);
        Self { world, ann, bob, phone, laptop, other, stranger, chat }
    }

    /// Checks which event each socket has got since the last time, and that the stranger has got none.
    async fn check(&mut self, phone: Option<&Value>, laptop: Option<&Value>, other: Option<&Value>) {
        check_event("phone", &mut self.phone, phone).await;
        check_event("laptop", &mut self.laptop, laptop).await;
        check_event("other", &mut self.other, other).await;
        check_event("stranger", &mut self.stranger, None).await;
    }

    fn user(&self, person: &Person, online: bool) -> Value {
        let n = if person.id == self.ann.id { 1 } else { 2 };
        json!({ "id": person.id, "name": format!("User {n}"), "photo": null, "version": 0, "online": online })
    }
}

async fn check_event(who: &str, client: &mut Client, expected: Option<&Value>) {
    let got: Vec<Value> = client.events().await.into_iter().map(|(name, payload)| json!([name, payload])).collect();
    assert_eq!(got, expected.into_iter().cloned().collect::<Vec<_>>(), "what {who} gets");
}

/// Checks that an acknowledgement is a problem, and which fields it names.
#[track_caller]
fn check_problem(answer: &Value, status: u16, fields: &[&str]) {
    assert_eq!(answer["ok"], json!(false), "{answer}");
    let error = &answer["error"];
    assert_eq!(error["status"], json!(status), "{answer}");
    assert!(error["type"].as_str().unwrap().starts_with("urn:mango:problem:"), "{answer}");
    let errors = error["errors"].as_array().cloned().unwrap_or_default();
    let named: Vec<_> = errors.iter().map(|error| error["field"].as_str().unwrap()).collect();
    assert_eq!(named, fields, "{answer}");
}

#[tokio::test]
async fn create_chat_tells_every_socket_of_every_member_and_lets_them_in() {
    let mut scene = Scene::new().await;
    let members = [scene.bob.id, scene.bob.id];
    let ask = json!({ "chat": { "name": " Book club ", "is_group": true, "members_array": members } });
    let answer = scene.phone.call("create_chat", ask).await;
    let id = answer["chat"]["id"].as_i64().unwrap();
    let people = [scene.user(&scene.ann, true), scene.user(&scene.bob, true)];
    let chat = json!({
        "id": id, "name": "Book club", "is_group": true, "members_array": people, "last_message": null,
        "pinned": false, "created_at": "2026-01-01T00:00:00.000000Z", "version": 1,
    });
    assert_eq!(answer, json!({ "ok": true, "chat": chat }));
    let members = [scene.ann.id, scene.bob.id];
    let told = json!({ "chat": id, "name": "Book club", "is_group": true, "members_array": members, "version": 1 });
    let news = json!(["chat_created", told]);
    scene.check(Some(&news), Some(&news), Some(&news)).await;

    let hello = text_message(id, "welcome");
    assert_eq!(scene.phone.call("send_message", hello).await["ok"], true);
    assert_eq!(scene.laptop.event().await.1["content"], "welcome");
    assert_eq!(scene.other.event().await.1["content"], "welcome");
    scene.check(None, None, None).await;
}

#[tokio::test]
async fn another_name_is_told_once_to_whoever_sees_it() {
    let mut scene = Scene::new().await;
    // They share two chats.
    scene.world.group(&[&scene.bob, &scene.ann]).await;
    let name = UserName::parse("Robert").unwrap();
    let edit = ProfileEdit { name: Some(Some(name)), ..ProfileEdit::default() };
    let caller = scene.bob.principal(&scene.world);
    scene.world.use_cases.update_user.run(&caller, scene.bob.id, edit.clone(), None).await.unwrap();
    let user = json!({ "id": scene.bob.id, "name": "Robert", "photo": null, "version": 1 });
    let news = json!(["user_changed", user]);
    scene.check(Some(&news), Some(&news), Some(&news)).await;

    // The same name is no other, and a client that was away is told by the next answer.
    scene.world.use_cases.update_user.run(&caller, scene.bob.id, edit, None).await.unwrap();
    scene.check(None, None, None).await;
    let page = scene.phone.call("sync", json!({ "users_since": 0 })).await;
    assert_eq!((&page["users"], &page["users_since"]), (&json!([user]), &json!(1)));
    let page = scene.phone.call("sync", json!({ "users_since": 1 })).await;
    assert_eq!((&page["users"], &page["users_since"]), (&json!([]), &json!(1)));
    let refused = scene.phone.call("sync", json!({ "users_since": -1 })).await;
    check_problem(&refused, 422, &["users_since"]);
}

#[tokio::test]
async fn a_direct_chat_is_made_once_and_then_told_only_to_the_socket_that_asks() {
    let mut scene = Scene::new().await;
    let ask = |person: &Person| json!({ "chat": { "name": "", "is_group": false, "members_array": [person.id] } });
    let made = scene.phone.call("create_chat", ask(&scene.bob)).await;
    let members = [scene.ann.id, scene.bob.id];
    let id = &made["chat"]["id"];
    let told = json!({ "chat": id, "name": null, "is_group": false, "members_array": members, "version": 1 });
    let news = json!(["chat_created", told]);
    scene.check(Some(&news), Some(&news), Some(&news)).await;

    let found = scene.other.call("create_chat", ask(&scene.ann)).await;
    assert_eq!(found["chat"]["id"], *id);
    scene.check(None, None, Some(&news)).await;
}

#[tokio::test]
async fn create_chat_says_what_is_wrong() {
    let mut scene = Scene::new().await;
    let (ann, bob) = (scene.ann.id.get(), scene.bob.id.get());
    let long = "x".repeat(256);
    let table = [
        (json!({ "name": "", "is_group": true, "members_array": [bob] }), "chat.name"),
        (json!({ "name": long, "is_group": true, "members_array": [bob] }), "chat.name"),
        (json!({ "is_group": true, "members_array": [bob] }), "chat.name"),
        (json!({ "name": "x", "is_group": true, "members_array": [999_999] }), "chat.members_array"),
        (json!({ "is_group": false, "members_array": [] }), "chat.members_array"),
        (json!({ "is_group": false, "members_array": [ann] }), "chat.members_array"),
        (json!({ "is_group": false, "members_array": [bob, 999_999] }), "chat.members_array"),
        (json!({ "is_group": false, "members_array": [999_999] }), "chat.members_array"),
    ];
    for (chat, field) in table {
        let answer = scene.phone.call("create_chat", json!({ "chat": chat })).await;
        check_problem(&answer, 422, &[field]);
    }
    scene.world.memory.store.fail_next("create chat");
    let answer =
        scene.phone.call("create_chat", json!({ "chat": { "is_group": false, "members_array": [bob] } })).await;
    check_problem(&answer, 500, &[]);
    scene.check(None, None, None).await;
}

#[tokio::test]
async fn send_message_tells_every_socket_of_every_member_but_the_sending_one() {
    let mut scene = Scene::new().await;
    let ask = json!({ "message": { "chat_id": scene.chat, "content": "{\"a\":[1]}", "message_type": "json" } });
    let answer = scene.phone.call("send_message", ask).await;
    let id = &answer["message"]["id"];
    let created_at = "2026-01-01T00:00:00.000000Z";
    let message = json!({
        "id": id, "chat_id": scene.chat, "seq": 1, "user_id": scene.ann.id, "message_type": "json",
        "content": "{\"a\":[1]}", "likes_array": [], "created_at": created_at, "version": 2,
    });
    assert_eq!(answer, json!({ "ok": true, "message": message, "duplicate": false }));
    let news = json!(["new_message", {
        "chat": scene.chat, "content": "{\"a\":[1]}", "message_type": "json", "id": id, "seq": 1,
        "user_id": scene.ann.id, "created_at": created_at, "version": 2,
    }]);
    scene.check(None, Some(&news), Some(&news)).await;
}

#[tokio::test]
async fn send_message_says_what_is_wrong() {
    let mut scene = Scene::new().await;
    let (chat, long) = (scene.chat, "x".repeat(64 * 1024 + 1));
    let content: &[&str] = &["message.content"];
    let table = [
        (chat, "", "text", 422, content),
        (chat, long.as_str(), "text", 422, content),
        (chat, "not base64!", "image", 422, content),
        (chat, "{", "json", 422, content),
        (chat, "x", "hologram", 422, &["message.message_type"]),
        (999_999, "x", "text", 404, &[]),
        (-1, "x", "text", 404, &[]),
    ];
    for (chat_id, content, message_type, status, fields) in table {
        let message = json!({ "chat_id": chat_id, "content": content, "message_type": message_type });
        let answer = scene.phone.call("send_message", json!({ "message": message })).await;
        check_problem(&answer, status, fields);
    }
    let ask = text_message(chat, "x");
    check_problem(&scene.stranger.call("send_message", ask.clone()).await, 404, &[]);
    scene.world.memory.store.fail_next("append message");
    check_problem(&scene.phone.call("send_message", ask).await, 500, &[]);
    scene.check(None, None, None).await;
}

#[tokio::test]
async fn toggle_like_message_tells_every_socket_of_every_member_but_the_liking_one() {
    let mut scene = Scene::new().await;
    let bob = scene.bob.clone();
    let message = scene.world.message(ChatId::new(scene.chat), &bob).await;
    let (ann, chat) = (scene.ann.id, scene.chat);
    let steps = [(true, 1, 3), (false, 0, 4), (true, 1, 5)];
    for (liked, likes, version) in steps {
        let answer = scene.phone.call("toggle_like_message", json!({ "message": { "id": message } })).await;
        let own = json!({ "ok": true, "message_id": message, "liked": liked, "likes": likes, "version": version });
        assert_eq!(answer, own);
        let news = json!(["message_liked", {
            "message_id": message, "chat": chat, "user_id": ann, "liked": liked, "likes": likes, "version": version,
        }]);
        scene.check(None, Some(&news), Some(&news)).await;
    }
    let answer = scene.other.call("toggle_like_message", json!({ "message": { "id": message } })).await;
    assert_eq!(answer["likes"], 2);
    assert_eq!(scene.phone.event().await.1["likes"], 2);
    assert_eq!(scene.laptop.event().await.1["user_id"], json!(scene.bob.id));

    let unknown = scene.phone.call("toggle_like_message", json!({ "message": { "id": 999_999 } })).await;
    check_problem(&unknown, 404, &[]);
    let ask = json!({ "message": { "id": message } });
    check_problem(&scene.stranger.call("toggle_like_message", ask.clone()).await, 404, &[]);
    scene.world.memory.store.fail_next("toggle like");
    check_problem(&scene.phone.call("toggle_like_message", ask).await, 500, &[]);
    scene.check(None, None, None).await;
}

#[tokio::test]
async fn toggle_chat_pin_tells_every_socket_of_that_user_alone() {
    let mut scene = Scene::new().await;
    let ask = json!({ "chat": { "id": scene.chat } });
    for (pinned, name) in [(true, "chat_pinned"), (false, "chat_unpinned")] {
        let answer = scene.phone.call("toggle_chat_pin", ask.clone()).await;
        assert_eq!(answer, json!({ "ok": true, "chat": scene.chat, "pinned": pinned, "version": 1 }));
        let news = json!([name, { "chat": scene.chat, "version": 1 }]);
        scene.check(Some(&news), Some(&news), None).await;
    }
    check_problem(&scene.phone.call("toggle_chat_pin", json!({ "chat": { "id": 999_999 } })).await, 404, &[]);
    check_problem(&scene.stranger.call("toggle_chat_pin", ask.clone()).await, 404, &[]);
    scene.world.memory.store.fail_next("toggle pin");
    check_problem(&scene.phone.call("toggle_chat_pin", ask).await, 500, &[]);
    scene.check(None, None, None).await;
}

#[tokio::test]
async fn who_asks_for_no_acknowledgement_gets_none() {
    let mut scene = Scene::new().await;
    let message = json!({ "chat_id": scene.chat, "content": "x", "message_type": "text" });
    scene.phone.emit("send_message", &json!({ "message": message })).await;
    scene.phone.emit("send_message", &json!({ "nonsense": true })).await;
    scene.phone.emit("no such event", &json!({})).await;
    // The phone would stumble over an acknowledgement that it has not asked for.
    assert_eq!(scene.phone.events().await, []);
    assert_eq!(scene.other.events().await.len(), 1);
}

#[tokio::test]
async fn a_panic_is_answered_and_harms_nobody() {
    let options = limits();
    let world = World::with(options, |ports| Ports { likes: Arc::new(PanickingLikes), ..ports }).await;
    let mut scene = Scene::in_world(world).await;
    let answer = scene.phone.call("toggle_like_message", json!({ "message": { "id": 1 } })).await;
    check_problem(&answer, 500, &[]);
    assert_eq!(answer["error"]["detail"], "the server could not do this");
    let pinned = scene.phone.call("toggle_chat_pin", json!({ "chat": { "id": scene.chat } })).await;
    assert_eq!(pinned["pinned"], true, "the socket goes on");
}
