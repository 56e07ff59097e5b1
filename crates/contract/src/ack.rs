//! Acknowledgements: `{ok: true, …}` or `{ok: false, error: problem}`.

use mango_domain::model::{LikeToggle, Message, PinToggle};
use mango_domain::usecases::send_message::Sent;
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use crate::chat::ChatReply;
use crate::message::MessageReply;
use crate::problem::Problem;
use crate::time::WireTime;

/// The answer to an event.
#[derive(Debug, Clone)]
pub enum Ack<T> {
    /// It was done.
    Done(T),
    /// It was refused, or failed.
    Refused(Problem),
}

impl<T: Serialize> Serialize for Ack<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Done<'a, T> {
            ok: bool,
            #[serde(flatten)]
            outcome: &'a T,
        }
        #[derive(Serialize)]
        struct Refused<'a> {
            ok: bool,
            error: &'a Problem,
        }
        match self {
            Self::Done(outcome) => Done { ok: true, outcome }.serialize(serializer),
            Self::Refused(error) => Refused { ok: false, error }.serialize(serializer),
        }
    }
}

/// Of `create_chat`.
#[derive(Serialize, ToSchema)]
pub struct ChatAck {
    /// The chat, new or there already.
    pub chat: ChatReply,
}

/// Of `send_message`.
#[derive(Serialize, ToSchema)]
pub struct MessageAck {
    /// The message as it is now.
    pub message: MessageReply,
    /// Whether it was sent before under the same `client_id`; nothing was stored then.
    pub duplicate: bool,
}

impl MessageAck {
    /// Answers the sender of a new message.
    #[must_use]
    pub fn new(message: &Message) -> Self {
        Self { message: MessageReply::as_sent(message), duplicate: false }
    }
}

impl From<&Sent> for MessageAck {
    fn from(sent: &Sent) -> Self {
        Self { message: MessageReply::from(sent), duplicate: sent.duplicate }
    }
}

/// Of `toggle_like_message`.
#[derive(Serialize, ToSchema)]
pub struct LikeAck {
    /// The message's id.
    pub message_id: i64,
    /// Whether the caller likes it now.
    pub liked: bool,
    /// How many like it now.
    pub likes: u64,
    /// The chat's version that this is.
    pub version: i64,
}

impl From<&LikeToggle> for LikeAck {
    fn from(like: &LikeToggle) -> Self {
        Self { message_id: like.message.get(), liked: like.liked, likes: like.likes, version: like.version.get() }
    }
}

/// Of `toggle_chat_pin`.
#[derive(Serialize, ToSchema)]
pub struct PinAck {
    /// The chat's id.
    pub chat: i64,
    /// Whether it is pinned now.
    pub pinned: bool,
    /// The chat's version, which a pin leaves as it is.
    pub version: i64,
}

impl From<&PinToggle> for PinAck {
    fn from(pin: &PinToggle) -> Self {
        Self { chat: pin.chat.get(), pinned: pin.pinned, version: pin.version.get() }
    }
}

/// Of `authenticate`.
#[derive(Serialize, ToSchema)]
pub struct AuthenticateAck {
    /// When the new token stops being good, and the socket with it.
    pub expires_at: WireTime,
}
