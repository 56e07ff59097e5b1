//! Messages: what was said, where, by whom, and in which of the 25 types.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::FieldError;
use crate::model::{ChatId, MessageId, Seq, Timestamp, UserBrief, UserId, Version};

/// A stored message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its id among all messages.
    pub id: MessageId,
    /// The chat it is in.
    pub chat: ChatId,
    /// Its place in the chat.
    pub seq: Seq,
    /// The chat's version at its last change: that it was sent, or that a like was given or taken back.
    pub version: Version,
    /// Who sent it.
    pub sender: UserId,
    /// What its sender calls it, which is nobody else's business.
    pub client_id: Option<ClientId>,
    /// Its type and content.
    pub body: MessageBody,
    /// When the server took it.
    pub created_at: Timestamp,
}

/// A message with the likes it has, as a member sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostedMessage {
    /// The message.
    pub message: Message,
    /// Who likes it, in order of their ids.
    pub likes: Vec<UserBrief>,
}

/// What a store needs to append a message to a chat.
#[derive(Debug, Clone)]
pub struct NewMessage {
    /// The chat.
    pub chat: ChatId,
    /// Who sends it.
    pub sender: UserId,
    /// What its sender calls it; the same one in the same chat means the same message.
    pub client_id: Option<ClientId>,
    /// Its type and content.
    pub body: MessageBody,
    /// When the server took it, in whole microseconds.
    pub created_at: Timestamp,
}

/// What a client calls a message that it sends, so that sending it again does not make it two: 1 to 64 visible ASCII
/// characters, unique for sender and chat.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ClientId(String);

impl ClientId {
    /// Most characters.
    pub const MAX: usize = 64;

    /// Checks an id that came in `field`.
    ///
    /// # Errors
    /// A [`FieldError`] on that field.
    pub fn parse(field: &str, raw: &str) -> Result<Self, FieldError> {
        let fits = (1..=Self::MAX).contains(&raw.len()) && raw.bytes().all(|byte| byte.is_ascii_graphic());
        if fits {
            Ok(Self(raw.to_owned()))
        } else {
            Err(FieldError::new(field, format!("must be 1 to {} visible ASCII characters", Self::MAX)))
        }
    }

    /// Takes what the store holds.
    #[must_use]
    pub fn from_store(id: String) -> Self {
        Self(id)
    }

    /// The id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Type and content that fit each other. The content does not show in debug output.
#[derive(Clone, PartialEq, Eq)]
pub struct MessageBody {
    message_type: MessageType,
    content: String,
}

impl MessageBody {
    /// Checks that the content is there, is not larger than `max_bytes`, is valid base64 (RFC 4648 section 4, padding
    /// optional) where the type is binary, and valid JSON (RFC 8259) where the type is `json`.
    ///
    /// # Errors
    /// A [`FieldError`] on `message.content`.
    pub fn parse(message_type: MessageType, content: String, max_bytes: usize) -> Result<Self, FieldError> {
        let refused = |message: String| Err(FieldError::new("message.content", message));
        if content.is_empty() {
            return refused("must not be empty".to_owned());
        }
        if content.len() > max_bytes {
            return refused(format!("must have at most {max_bytes} bytes, has {}", content.len()));
        }
        if content.contains('\0') {
            return refused("must not contain the character U+0000".to_owned());
        }
        if message_type.is_binary() && BASE64.decode(&content).is_err() {
            return refused(format!("must be base64, since {message_type} is a binary type"));
        }
        if message_type == MessageType::Json
            && let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(&content)
        {
            return refused(format!("must be valid JSON: line {}, column {}", error.line(), error.column()));
        }
        Ok(Self { message_type, content })
    }

    /// Takes what the store holds.
    #[must_use]
    pub fn from_store(message_type: MessageType, content: String) -> Self {
        Self { message_type, content }
    }

    /// The type.
    #[must_use]
    pub const fn message_type(&self) -> MessageType {
        self.message_type
    }

    /// The content. Never log it.
    #[must_use]
    pub fn content(&self) -> &str {
        &self.content
    }
}

impl std::fmt::Debug for MessageBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MessageBody({}, {} bytes)", self.message_type, self.content.len())
    }
}

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

macro_rules! message_types {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $media:literal, $form:ident;)*) => {
        /// The type of a message's content.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum MessageType {
            $(#[doc = concat!("`", $name, "`, ", $media)] $(#[$doc])* $variant,)*
        }

        impl MessageType {
            /// All 25 of them, in the order of the contract.
            pub const ALL: [Self; 25] = [$(Self::$variant),*];

            /// The name on the wire and in the store.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// The media type (IANA's where one is registered).
            #[must_use]
            pub const fn media_type(self) -> &'static str {
                match self { $(Self::$variant => $media),* }
            }

            /// Whether the content is base64 of bytes.
            #[must_use]
            pub const fn is_binary(self) -> bool {
                match self { $(Self::$variant => message_types!(@ $form)),* }
            }
        }
    };
    (@ text) => { false };
    (@ binary) => { true };
}

message_types! {
    Text = "text", "text/plain", text;
    Html = "html", "text/html", text;
    Json = "json", "application/json", text;
    Xml = "xml", "application/xml", text;
    Binary = "binary", "application/octet-stream", binary;
    Image = "image", "image/jpeg", binary;
    Pdf = "pdf", "application/pdf", binary;
    Csv = "csv", "text/csv", text;
    Excel = "excel", "application/vnd.ms-excel", binary;
    Word = "word", "application/msword", binary;
    Zip = "zip", "application/zip", binary;
    Gzip = "gzip", "application/gzip", binary;
    Tar = "tar", "application/x-tar", binary;
    Audio = "audio", "audio/mpeg", binary;
    Video = "video", "video/mp4", binary;
    Rtf = "rtf", "application/rtf", text;
    Yaml = "yaml", "application/yaml", text;
    JavaScript = "javascript", "text/javascript", text;
    Css = "css", "text/css", text;
    Svg = "svg", "image/svg+xml", text;
    Markdown = "markdown", "text/markdown", text;
    Protobuf = "protobuf", "application/protobuf", binary;
    Avro = "avro", "application/avro", binary;
    Parquet = "parquet", "application/vnd.apache.parquet", binary;
    Orc = "orc", "application/orc", binary;
}

impl MessageType {
    /// Reads a type's name.
    ///
    /// # Errors
    /// A [`FieldError`] on `message.message_type` that lists the names.
    pub fn parse(raw: &str) -> Result<Self, FieldError> {
        Self::ALL.into_iter().find(|kind| kind.name() == raw).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            FieldError::new("message.message_type", format!("must be one of {names}"))
        })
    }
}

impl std::fmt::Display for MessageType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
