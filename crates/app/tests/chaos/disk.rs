//! A disk that is full, and has room again.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::people::{PICTURE, Socket, User};
use crate::support::Server;

/// How large the disk is.
const SIZE: &str = "24m";

/// A server whose data lies on a small disk of its own: a file system in memory that only its process sees.
fn on_a_small_disk(disk: &Path) -> Server {
    let disk = disk.to_str().unwrap();
    let plain = Server::command(&[("MANGO_DATA_DIR", disk)]);
    let mount = format!("mount -t tmpfs -o size={SIZE} tmpfs \"$0\" && exec \"$1\"");
    let mut command = Command::new("unshare");
    command
        .args(["--map-root-user", "--mount", "sh", "-c", &mount, disk])
        .arg(plain.get_program())
        .stdin(Stdio::null());
    for (name, value) in plain.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    Server::launch(command)
}

/// Writes until there is no room left, and gives what has to be removed for room.
fn fill(server: &Server, disk: &Path) -> PathBuf {
    let seen_by_the_server = format!("/proc/{}/root{}", server.id(), disk.display());
    let path = Path::new(&seen_by_the_server).join("filler");
    let mut file = File::create(&path).unwrap();
    for size in [1 << 20, 1 << 12] {
        while file.write_all(&vec![0; size]).is_ok() {}
    }
    path
}

fn message(chat: &Value, n: usize) -> Value {
    let content = format!("{n} {}", "x".repeat(32 * 1024));
    json!({ "message": { "chat_id": chat, "content": content, "message_type": "text", "client_id": n.to_string() } })
}

/// Sends a message: what was stored, or why nothing was.
async fn send(socket: &mut Socket, chat: &Value, n: usize) -> (Option<Value>, Value) {
    let answer = socket.call("send_message", message(chat, n)).await;
    if answer["ok"] == true { (Some(answer["message"].clone()), Value::Null) } else { (None, answer["error"].clone()) }
}

fn sign_up(phone: &str) -> Value {
    json!({ "phone": phone, "password": "eight or more", "photo": PICTURE })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_told_and_harms_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let server = on_a_small_disk(folder.path());
    let user = User::sign_up(server.url(), "+31612345678", None).await;
    let mut socket = Socket::connect(server.url(), &user).await;
    let chat = json!({ "name": "Full", "is_group": true, "members_array": [] });
    let chat = socket.call("create_chat", json!({ "chat": chat })).await["chat"]["id"].clone();
    let mut acknowledged = Vec::new();
    for n in 0..10 {
        acknowledged.extend(send(&mut socket, &chat, n).await.0);
    }
    assert_eq!(acknowledged.len(), 10);

    let filler = fill(&server, folder.path());
    let mut refused = None;
    for n in 10..200 {
        let (taken, error) = send(&mut socket, &chat, n).await;
        match taken {
            Some(message) => acknowledged.push(message),
            None => {
                assert_eq!((&error["status"], &error["type"]), (&json!(507), &json!("urn:mango:problem:storage-full")));
                refused = Some(n);
                break;
            }
        }
    }
    let refused = refused.expect("a full disk takes no two hundred messages");
    let url = format!("{}/user/create", server.url());
    let answer = user.http.post(&url).json(&sign_up("+31612345679")).send().await.unwrap();
    assert_eq!(answer.status(), 507, "{}", answer.text().await.unwrap());

    fs::remove_file(filler).unwrap();
    for n in refused..refused + 10 {
        acknowledged.push(send(&mut socket, &chat, n).await.0.expect("there is room again"));
    }
    let answer = user.http.post(&url).json(&sign_up("+31612345679")).send().await.unwrap();
    assert_eq!(answer.status(), 201, "{}", answer.text().await.unwrap());
    let mut history = user.get(server.url(), &format!("/message/{chat}?limit=200")).await;
    history.as_array_mut().unwrap().reverse();
    assert_eq!(history, json!(acknowledged), "what was acknowledged, once and in order");
}
