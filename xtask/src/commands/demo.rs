//! `cargo xtask demo`: fills a running server through its public interface, as clients would.

use std::process::ExitCode;

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use api::Api;
use script::{CHATS, Chat, Content, PASSWORD, PEOPLE, Person};
use socket::Socket;

mod api;
mod photo;
mod script;
mod socket;

/// Arguments of `cargo xtask demo`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Where the server is. The users it gets have a well-known password, so not where real people chat
    #[arg(long, default_value = "http://127.0.0.1:5000")]
    url: String,
}

/// Somebody who is signed up and connected.
struct Member {
    person: &'static Person,
    id: i64,
    token: String,
    photo: String,
    socket: Socket,
}

/// Signs everybody up, or logs them in when they are there already, and plays the conversations that are not there yet.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let url = args.url.trim_end_matches('/');
    let api = Api::new(url);
    let mut members = Vec::new();
    for person in &PEOPLE {
        members.push(join(&api, person).with_context(|| format!("cannot sign {} up", person.name))?);
        println!("{} is there", person.name);
    }
    for chat in &CHATS {
        let new = play(&api, &mut members, chat).with_context(|| format!("cannot fill the chat “{}”", chat.name))?;
        println!("{}: {}", chat.name, if new { "filled" } else { "there already" });
    }
    for member in &mut members {
        member.socket.close()?;
    }
    print_login(url, member_named(&mut members, PEOPLE[0].name)?);
    Ok(ExitCode::SUCCESS)
}

fn print_login(url: &str, member: &Member) {
    let (phone, photo) = (member.person.phone, &member.photo);
    println!();
    println!("Log in as {} with the phone {phone} and the password {PASSWORD}.", member.person.name);
    println!("    {url}/docs    the HTTP API, with the same login behind “Authorize”");
    println!("    {url}/static/{photo}/400x400.webp    {}’s photo", member.person.name);
    println!("    curl --data-urlencode username={phone} --data-urlencode password={PASSWORD} {url}/auth/login");
}

/// Signs up, or keeps the account that has the phone; logs in and connects.
fn join(api: &Api, person: &'static Person) -> Result<Member> {
    let user = json!({
        "phone": person.phone,
        "password": PASSWORD,
        "name": person.name,
        "description": person.description,
        "photo": STANDARD.encode(photo::portrait(person.colors)?),
    });
    api.post("/user/create", &user, &[201, 409])?;
    let login = api.post("/auth/login", &json!({ "username": person.phone, "password": PASSWORD }), &[200])?;
    let token = text(&login, "/access_token")?;
    let me = api.get("/user/me", &token)?;
    let socket = Socket::connect(api, &token)?;
    Ok(Member { person, id: number(&me, "/id")?, photo: text(&me, "/photo")?, token, socket })
}

/// Creates a chat and lets its members talk. Tells whether there was anything to say: a chat with messages is left alone.
fn play(api: &Api, members: &mut [Member], chat: &Chat) -> Result<bool> {
    let mut ids = Vec::new();
    for name in chat.members {
        ids.push(member_named(members, name)?.id);
    }
    let creator = member_named(members, chat.members.first().context("a chat of nobody")?)?;
    let known = api.get("/chat/", &creator.token)?;
    let known = known.as_array().into_iter().flatten().find(|known| chat.is_group && known["name"] == chat.name);
    let created = match known {
        Some(known) => known.clone(),
        None => {
            let chat = json!({ "name": chat.name, "is_group": chat.is_group, "members_array": ids });
            let ack = creator.socket.emit("create_chat", &json!({ "chat": chat }))?;
            ack.get("chat").cloned().context("the acknowledgement lacks the chat")?
        }
    };
    if created.get("last_message").is_some_and(|last| !last.is_null()) {
        return Ok(false);
    }
    let id = number(&created, "/id")?;
    for line in chat.lines {
        let speaker = member_named(members, line.speaker)?;
        let (message_type, content) = match line.content {
            Content::Written(message_type, content) => (message_type, content.to_owned()),
            Content::OwnPhoto => {
                let photo = api.get_bytes(&format!("/static/{}/original.jpeg", speaker.photo))?;
                ("image", STANDARD.encode(photo))
            }
        };
        let message = json!({ "chat_id": id, "message_type": message_type, "content": content });
        let sent = speaker.socket.emit("send_message", &json!({ "message": message }))?;
        let message = number(&sent, "/message/id")?;
        for name in line.liked_by {
            let like = json!({ "message": { "id": message } });
            member_named(members, name)?.socket.emit("toggle_like_message", &like)?;
        }
    }
    for name in chat.pinned_by {
        member_named(members, name)?.socket.emit("toggle_chat_pin", &json!({ "chat": { "id": id } }))?;
    }
    Ok(true)
}

fn member_named<'a>(members: &'a mut [Member], name: &str) -> Result<&'a mut Member> {
    let found = members.iter_mut().find(|member| member.person.name == name);
    found.with_context(|| format!("nobody is called {name}"))
}

fn text(reply: &Value, pointer: &str) -> Result<String> {
    let found = reply.pointer(pointer).and_then(Value::as_str);
    Ok(found.with_context(|| format!("the server's reply lacks {pointer}"))?.to_owned())
}

fn number(reply: &Value, pointer: &str) -> Result<i64> {
    let found = reply.pointer(pointer).and_then(Value::as_i64);
    found.with_context(|| format!("the server's reply lacks {pointer}"))
}
