//! Builders with sensible defaults: `user(1).name("Ann").add(&stores).await`.
//!
//! A builder's `build` gives what a store takes, its `add` stores it and gives what the store made of it.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta};
use mango_domain::model::{
    ChatId, ChatKind, ChatName, ClientId, Description, MemberList, Message, MessageBody, MessageType, NewChat,
    NewMessage, NewSession, NewUser, PasswordHash, Phone, PhotoId, ProfileVersion, RefreshHash, Renewal, SessionId,
    Timestamp, User, UserBrief, UserId, UserName, Visit,
};
use mango_domain::ports::{Announcer, CreatedChat, Events};

use crate::Stores;
use crate::memory::RecordedEvents;

/// A builder of what a store takes, with what all of them have.
macro_rules! builder {
    ($(#[$doc:meta])* $name:ident($new:ty)) => {
        $(#[$doc])*
        #[derive(Debug, Clone)]
        pub struct $name($new);

        impl $name {
            /// Created at this time.
            #[must_use]
            pub fn at(mut self, time: Timestamp) -> Self {
                self.0.created_at = time;
                self
            }

            /// What the store takes.
            #[must_use]
            pub fn build(self) -> $new {
                self.0
            }
        }
    };
}

/// So many seconds into the tests' day, which begins at 2026-01-01T00:00:00Z.
#[must_use]
pub fn moment(seconds: i64) -> Timestamp {
    const MIDNIGHT: i64 = 1_767_225_600;
    DateTime::from_timestamp(MIDNIGHT + seconds, 0).expect("a second of this century")
}

/// What others see of a user who has changed neither name nor photo since the sign-up.
#[must_use]
pub fn brief(user: &User) -> UserBrief {
    UserBrief { id: user.id, name: user.name.clone(), photo: user.photo.clone(), version: ProfileVersion::new(0) }
}

/// For changes whose news nobody is to hear.
#[must_use]
pub fn unheard() -> Announcer {
    let nobody: Arc<dyn Events> = Arc::new(RecordedEvents::default());
    Announcer::new(&nobody, None)
}

/// The phone of the `n`th user: a Dutch mobile number in E.164 form.
#[must_use]
pub fn phone(n: u32) -> Phone {
    Phone::parse(&format!("+316{:08}", 10_000_000 + n)).expect("a valid phone number")
}

/// The `n`th photo's name.
#[must_use]
pub fn photo(n: u8) -> PhotoId {
    PhotoId::from_random([n; 16])
}

/// The hash of the `n`th refresh token.
#[must_use]
pub fn refresh(n: u32) -> RefreshHash {
    let mut digest = [0xA5; 32];
    digest[..4].copy_from_slice(&n.to_be_bytes());
    RefreshHash::new(digest)
}

/// The `n`th user: a phone of their own, a password hash, and nothing else.
#[must_use]
pub fn user(n: u32) -> UserBuilder {
    UserBuilder(NewUser {
        phone: phone(n),
        password: PasswordHash::new(format!("$test${n}")),
        name: None,
        photo: None,
        description: None,
        created_at: moment(0),
    })
}

builder! {
    /// Builds a user.
    UserBuilder(NewUser)
}

impl UserBuilder {
    /// With this name.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        self.0.name = Some(UserName::parse(name).expect("a valid name"));
        self
    }

    /// With this photo.
    #[must_use]
    pub fn photo(mut self, photo: PhotoId) -> Self {
        self.0.photo = Some(photo);
        self
    }

    /// With this description.
    #[must_use]
    pub fn description(mut self, description: &str) -> Self {
        self.0.description = Some(Description::parse(description).expect("a valid description"));
        self
    }

    /// With this password hash.
    #[must_use]
    pub fn password(mut self, password: PasswordHash) -> Self {
        self.0.password = password;
        self
    }

    /// Stores the user.
    pub async fn add(self, stores: &Stores) -> User {
        stores.users.create(self.0).await.expect("create user")
    }
}

/// Stores users 1 to `count`, called `User 1` and so on; their ids in rising order.
pub async fn users(stores: &Stores, count: u32) -> Vec<UserId> {
    let mut ids = Vec::new();
    for n in 1..=count {
        ids.push(user(n).name(&format!("User {n}")).add(stores).await.id);
    }
    ids.sort();
    ids
}

/// Stores a session of the user whose base is the `n`th refresh token, good for a day from the start of the tests' day.
pub async fn session(stores: &Stores, user: UserId, n: u32) -> SessionId {
    begin(stores, new_session(stores, user, n).await).await
}

/// Stores a session.
pub async fn begin(stores: &Stores, session: NewSession) -> SessionId {
    let id = session.id;
    assert!(stores.sessions.begin(session).await.expect("begin session"), "the password is right");
    id
}

/// A session of the user, from a device and an address that are not known, whose base is the `n`th refresh token. Its id rises with `n`.
pub async fn new_session(stores: &Stores, user: UserId, n: u32) -> NewSession {
    let found = stores.users.find(user).await.expect("find user").expect("the user exists");
    let credentials = stores.users.credentials(&found.phone).await.expect("find credentials");
    NewSession {
        id: SessionId::new(i64::from(n) + 100),
        user,
        password: credentials.expect("the phone is theirs").password,
        visit: Visit::default(),
        refresh: refresh(n),
        created_at: moment(0),
        expires_at: moment(0) + TimeDelta::days(1),
    }
}

/// The presentation of a refresh token at this time, for which the `n`th token is handed out, good until `expires_at`.
#[must_use]
pub fn renewal(n: u32, now: Timestamp, expires_at: Timestamp) -> Renewal {
    // Nothing was made lately.
    Renewal { successor: refresh(n), expires_at, recent: expires_at, now, address: None }
}

/// A group called `Group` of the creator and the members.
#[must_use]
pub fn group(creator: UserId, members: &[UserId]) -> ChatBuilder {
    ChatBuilder::new(ChatKind::Group, creator, members).name("Group")
}

/// A direct chat without a name, opened by the first of the two.
#[must_use]
pub fn direct(creator: UserId, other: UserId) -> ChatBuilder {
    ChatBuilder::new(ChatKind::Direct, creator, &[other])
}

builder! {
    /// Builds a chat.
    ChatBuilder(NewChat)
}

impl ChatBuilder {
    fn new(kind: ChatKind, creator: UserId, members: &[UserId]) -> Self {
        let members = MemberList::parse(kind, creator, members).expect("a valid list of members");
        Self(NewChat { name: None, members, creator, created_at: moment(0) })
    }

    /// With this name.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        self.0.name = Some(ChatName::parse(name).expect("a valid name"));
        self
    }

    /// Stores the chat, or gets the direct chat that the pair has already.
    pub async fn create(self, stores: &Stores) -> CreatedChat {
        stores.chats.create(self.0, unheard()).await.expect("create chat")
    }

    /// Stores the chat and gives its id.
    pub async fn add(self, stores: &Stores) -> ChatId {
        self.create(stores).await.chat.record.id
    }
}

/// A text message that says `hello`.
#[must_use]
pub fn message(chat: ChatId, sender: UserId) -> MessageBuilder {
    MessageBuilder(NewMessage { chat, sender, client_id: None, body: text("hello"), created_at: moment(0) })
}

fn text(content: &str) -> MessageBody {
    MessageBody::from_store(MessageType::Text, content.to_owned())
}

builder! {
    /// Builds a message.
    MessageBuilder(NewMessage)
}

impl MessageBuilder {
    /// With this text.
    #[must_use]
    pub fn text(mut self, content: &str) -> Self {
        self.0.body = text(content);
        self
    }

    /// Called so by its sender.
    #[must_use]
    pub fn client_id(mut self, id: &str) -> Self {
        self.0.client_id = Some(ClientId::parse("client_id", id).expect("a valid client id"));
        self
    }

    /// With this body.
    #[must_use]
    pub fn body(mut self, body: MessageBody) -> Self {
        self.0.body = body;
        self
    }

    /// Appends the message; `None` when the store refused the sender.
    pub async fn try_add(self, stores: &Stores) -> Option<Message> {
        let appended = stores.messages.append(self.0, unheard()).await.expect("append message");
        appended.map(|appended| Arc::unwrap_or_clone(appended.message))
    }

    /// Appends the message.
    pub async fn add(self, stores: &Stores) -> Message {
        self.try_add(stores).await.expect("the sender is a member")
    }
}
