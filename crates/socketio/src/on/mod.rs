//! What clients send: one file an event.

mod authenticate;
mod create_chat;
mod send_message;
mod sync;
mod toggle_chat_pin;
mod toggle_like_message;

use mango_contract::ack::{AuthenticateAck, ChatAck, LikeAck, MessageAck, PinAck};
use mango_contract::sync::SyncReply;
use mango_contract::{Problem, ProblemKind, catalogue, decode_str};
use mango_domain::model::{Origin, Rate};
use mango_domain::{Error, FieldError, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::connection::Connection;

/// What a client wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    CreateChat,
    SendMessage,
    ToggleLikeMessage,
    ToggleChatPin,
    Authenticate,
    Sync,
    /// Something that there is not.
    Unknown,
}

impl Verb {
    /// Everything that there is.
    pub(crate) const ALL: [Self; 6] = [
        Self::CreateChat,
        Self::SendMessage,
        Self::ToggleLikeMessage,
        Self::ToggleChatPin,
        Self::Authenticate,
        Self::Sync,
    ];

    /// The one that an event of this name asks for.
    pub(crate) fn named(name: &str) -> Self {
        Self::ALL.into_iter().find(|verb| verb.name() == name).unwrap_or(Self::Unknown)
    }

    /// The name of the event.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::CreateChat => catalogue::CREATE_CHAT,
            Self::SendMessage => catalogue::SEND_MESSAGE,
            Self::ToggleLikeMessage => catalogue::TOGGLE_LIKE_MESSAGE,
            Self::ToggleChatPin => catalogue::TOGGLE_CHAT_PIN,
            Self::Authenticate => catalogue::AUTHENTICATE,
            Self::Sync => catalogue::SYNC,
            Self::Unknown => "unknown",
        }
    }

    /// The rate that it is limited by.
    pub(crate) const fn rate(self) -> Rate {
        match self {
            Self::CreateChat => Rate::Create,
            Self::SendMessage | Self::ToggleLikeMessage | Self::ToggleChatPin => Rate::Send,
            Self::Authenticate | Self::Sync | Self::Unknown => Rate::Read,
        }
    }
}

/// What a successful acknowledgement holds.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum Done {
    Chat(ChatAck),
    Message(MessageAck),
    Like(LikeAck),
    Pin(PinAck),
    Authenticate(AuthenticateAck),
    Sync(SyncReply),
}

/// Does what an event asks for. `text` is the JSON array of its name and arguments.
pub(crate) async fn run(connection: &Connection, verb: Verb, text: &str, origin: Origin) -> Result<Done> {
    match verb {
        Verb::CreateChat => create_chat::run(connection, payload(text)?, origin).await.map(Done::Chat),
        Verb::SendMessage => send_message::run(connection, payload(text)?, origin).await.map(Done::Message),
        Verb::ToggleLikeMessage => toggle_like_message::run(connection, payload(text)?, origin).await.map(Done::Like),
        Verb::ToggleChatPin => toggle_chat_pin::run(connection, payload(text)?).await.map(Done::Pin),
        Verb::Authenticate => authenticate::run(connection, payload(text)?).await.map(Done::Authenticate),
        Verb::Sync => sync::run(connection, payload(text)?).await.map(Done::Sync),
        Verb::Unknown => Err(Error::NotFound("event")),
    }
}

/// What the client is told of an error. Nothing is hidden behind an event that there is not.
pub(crate) fn problem(verb: Verb, error: &Error) -> Problem {
    match (verb, error) {
        (Verb::Unknown, Error::NotFound(_)) => {
            Problem::new(ProblemKind::NotFound, "there is no such event; docs/events.md lists them")
        }
        _ => Problem::from(error),
    }
}

/// Reads the one argument of an event, which is an object.
fn payload<T: DeserializeOwned>(text: &str) -> Result<T> {
    let refused = |message: &str| Error::from(FieldError::new("", message));
    let parts: Vec<&RawValue> = serde_json::from_str(text).map_err(|_| refused("the event is not valid JSON"))?;
    match parts.as_slice() {
        [_name, argument] if argument.get().starts_with('{') => decode_str(argument.get()),
        [_name, _] => Err(refused("the argument of an event must be an object")),
        [] | [_] => Err(refused("an event needs an argument, which is an object")),
        _ => Err(refused("an event takes one argument, which is an object")),
    }
}

#[cfg(test)]
mod tests {
    use mango_contract::catalogue::{Direction, EVENTS};

    use super::*;

    #[test]
    fn every_event_of_a_client_has_a_handler() {
        let sent = |direction| matches!(direction, Direction::FromClient { .. });
        let listed: Vec<_> = EVENTS.iter().filter(|event| sent(event.direction)).map(|event| event.name).collect();
        assert_eq!(listed, Verb::ALL.map(Verb::name));
    }
}
