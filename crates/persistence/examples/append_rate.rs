//! Measures how many messages a second a database appends: `append_rate <database URL> [tasks] [chats] [seconds] [writers]`.
//!
//! Each task appends a message of 100 bytes, waits until it is committed, and appends the next. It adds users and chats to the
//! database, so give it one that is not needed any more.

#![expect(clippy::print_stdout, reason = "a program that tells its user what it measured")]

use std::time::{Duration, Instant};

use chrono::Utc;
use mango_domain::model::time::to_micros;
use mango_domain::model::{
    ChatName, MemberList, MessageBody, MessageType, NewChat, NewMessage, NewUser, PasswordHash, Phone,
};
use mango_persistence::{Database, Options};
use mango_testkit::build::unheard;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let url = arguments.first().ok_or("give a database URL")?.parse()?;
    let number = |at: usize, default: u32| arguments.get(at).map_or(Ok(default), |raw| raw.parse());
    let (tasks, chats, seconds) = (number(1, 64)?, number(2, 1)?, number(3, 5)?);

    let mut options = Options::default();
    if let Some(writers) = arguments.get(4) {
        options.writers = writers.parse()?;
    }
    let database = Database::connect(&url, options).await?;
    database.migrate().await?;
    let now = to_micros(Utc::now());
    let phone = Phone::from_store(format!("+316{:08}", now.timestamp_micros().rem_euclid(100_000_000)));
    let password = PasswordHash::new("none".to_owned());
    let user = NewUser { phone, password, name: None, photo: None, description: None, created_at: now };
    let user = database.users().create(user).await?.id;
    let mut rooms = Vec::new();
    for _ in 0..chats.max(1) {
        let name = Some(ChatName::from_store("Rate".to_owned()));
        let members = MemberList::Group(vec![user]);
        let chat = NewChat { name, members, creator: user, created_at: now };
        rooms.push(database.chats().create(chat, unheard()).await?.chat.record.id);
    }

    let body = MessageBody::from_store(MessageType::Text, "x".repeat(100));
    let start = Instant::now();
    let end = start + Duration::from_secs(seconds.into());
    let appending: Vec<_> = rooms
        .into_iter()
        .cycle()
        .zip(0..tasks)
        .map(|(chat, _)| {
            let (messages, body) = (database.messages(), body.clone());
            tokio::spawn(async move {
                let mut taken = Vec::new();
                while Instant::now() < end {
                    let sent = Instant::now();
                    let message = NewMessage {
                        chat,
                        sender: user,
                        client_id: None,
                        body: body.clone(),
                        created_at: to_micros(Utc::now()),
                    };
                    messages.append(message, unheard()).await?.ok_or("not a member")?;
                    taken.push(sent.elapsed());
                }
                Result::Ok(taken)
            })
        })
        .collect();
    let mut taken = Vec::new();
    for task in appending {
        taken.extend(task.await??);
    }
    let rate = u32::try_from(taken.len()).map(f64::from)? / start.elapsed().as_secs_f64();
    taken.sort_unstable();
    let quantile = |hundredths: usize| taken.get(taken.len() * hundredths / 100).copied().unwrap_or_default();
    println!("{} with {tasks} tasks and {chats} chats: {rate:.0} appends/s", database.url());
    println!("p50 {:?}, p99 {:?}", quantile(50), quantile(99));
    database.close().await;
    Ok(())
}
