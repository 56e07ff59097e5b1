//! The use cases over ports in memory: what each does, what it tells, and whom it refuses.

#![expect(clippy::expect_used, reason = "helpers of tests are outside the functions that clippy takes for tests")]

mod accounts;
mod audit;
mod authorization;
mod chats;
mod devices;
mod messages;
mod passwords;
mod photos;
mod presence;
mod rates;
mod sessions;

use mango_domain::Error;
use mango_domain::model::{
    ChatId, ChatKind, ChatName, ConnectionId, Event, MessageType, Origin, Password, Principal, UserId, UserName, Visit,
};
use mango_domain::usecases::UseCases;
use mango_domain::usecases::create_chat::ChatRequest;
use mango_domain::usecases::register::NewAccount;
use mango_domain::usecases::send_message::Outgoing;
use mango_testkit::Memory;
use mango_testkit::build::phone;

/// The use cases, and the ports behind them to look into.
struct House {
    memory: Memory,
    cases: UseCases,
}

impl House {
    fn new() -> Self {
        let memory = Memory::new();
        Self { cases: memory.use_cases(), memory }
    }

    /// Registers the `n`th user and logs them in.
    async fn user(&self, n: u32) -> Principal {
        self.cases.register.run(account(n), None).await.expect("register");
        self.log_in(n).await
    }

    /// Registers as many users and logs each of them in.
    async fn users<const N: usize>(&self) -> [Principal; N] {
        let mut users = Vec::new();
        for n in (1..).take(N) {
            users.push(self.user(n).await);
        }
        users.try_into().expect("as many as were made")
    }

    /// Logs the `n`th user in once more.
    async fn log_in(&self, n: u32) -> Principal {
        let grant = self.cases.log_in.run(phone(n).as_str(), password(n), Visit::default()).await.expect("log in");
        self.cases.authenticate.run(grant.access_token.expose()).await.expect("authenticate")
    }

    /// Creates a group, without the news of it.
    async fn group(&self, creator: &Principal, members: &[&Principal]) -> ChatId {
        let chat = self.cases.create_chat.run(creator, group_of(members)).await.expect("create chat");
        self.news();
        chat.record.id
    }

    /// What was told since the last time, as debug output, which tables can hold.
    fn news(&self) -> Vec<String> {
        self.memory.events.take().iter().map(|event| format!("{event:?}")).collect()
    }

    /// Checks what was told since the last time.
    #[track_caller]
    fn check_news(&self, expected: &[Event]) {
        let expected: Vec<String> = expected.iter().map(|event| format!("{event:?}")).collect();
        assert_eq!(self.news(), expected);
    }
}

/// The password of the `n`th user.
fn password(n: u32) -> String {
    format!("  password {n}  ")
}

/// The `n`th user as they sign up: a name, no photo.
fn account(n: u32) -> NewAccount {
    NewAccount {
        phone: phone(n),
        password: Password::parse(password(n)).expect("a password"),
        name: Some(UserName::parse(&format!("User {n}")).expect("a name")),
        description: None,
        picture: None,
    }
}

fn group_of(members: &[&Principal]) -> ChatRequest {
    ChatRequest {
        name: Some(ChatName::parse("Group").expect("a name")),
        kind: ChatKind::Group,
        members: ids(members),
        origin: None,
    }
}

fn direct_with(other: UserId) -> ChatRequest {
    ChatRequest { name: None, kind: ChatKind::Direct, members: vec![other], origin: None }
}

fn text(chat: ChatId, content: &str) -> Outgoing {
    Outgoing { chat, message_type: MessageType::Text, content: content.to_owned(), client_id: None, origin: None }
}

/// A request of a connection of this name.
fn asked_by(connection: &str) -> Option<Origin> {
    Some(Origin { connection: ConnectionId(connection.to_owned()), request: 1 })
}

fn ids(principals: &[&Principal]) -> Vec<UserId> {
    principals.iter().map(|principal| principal.user).collect()
}

/// Checks that a use case refused, and how.
#[track_caller]
fn check_refused<T: std::fmt::Debug>(result: Result<T, Error>, expected: &str) {
    match result {
        Err(error) => assert_eq!(refusal(&error), expected),
        Ok(answer) => assert_eq!(format!("{answer:?}"), expected),
    }
}

/// A refusal in a word: its kind, and its fields where there are any.
fn refusal(error: &Error) -> String {
    match error {
        Error::Invalid(fields) => {
            let fields: Vec<&str> = fields.iter().map(|error| &*error.field).collect();
            format!("invalid {}", fields.join(", "))
        }
        Error::Unauthenticated(why) => format!("unauthenticated {why:?}"),
        Error::Forbidden(_) => "forbidden".to_owned(),
        Error::NotFound(what) => format!("no {what}"),
        Error::PhoneTaken => "phone taken".to_owned(),
        Error::TooMany { .. } => "too many".to_owned(),
        Error::Failed(failure) => format!("failed {}", failure.operation),
    }
}
