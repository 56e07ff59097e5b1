//! Rows as they come from the tables, and what they are in the domain.

use std::net::IpAddr;

use diesel::prelude::*;
use diesel::result::Error;
use mango_domain::model::{
    AuditEntry, AuditEvent, ChatId, ChatKind, ChatName, ChatRecord, ClientId, Description, Device, Message,
    MessageBody, MessageId, MessageType, Phone, PhotoId, ProfileVersion, Seq, Session, SessionId, Timestamp, User,
    UserBrief, UserId, UserName, Version,
};

use super::super::schema::{audit_log, chats, messages, sessions, users};

/// How a group is called in `chats.kind`.
pub(super) const GROUP: &str = "group";
/// How a direct chat is called in `chats.kind`.
pub(super) const DIRECT: &str = "direct";

#[derive(Queryable, Selectable)]
#[diesel(table_name = users)]
pub(super) struct UserRow {
    id: i64,
    phone: String,
    name: Option<String>,
    photo: Option<String>,
    description: Option<String>,
    last_seen_at: Option<Timestamp>,
    created_at: Timestamp,
}

impl UserRow {
    pub(super) fn into_user(self) -> QueryResult<User> {
        Ok(User {
            id: UserId::new(self.id),
            phone: Phone::from_store(self.phone),
            name: self.name.map(UserName::from_store),
            photo: photo(self.photo)?,
            description: self.description.map(Description::from_store),
            last_seen_at: self.last_seen_at,
            created_at: self.created_at,
        })
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = users)]
pub(in super::super) struct BriefRow {
    id: i64,
    name: Option<String>,
    photo: Option<String>,
    version: i64,
}

impl BriefRow {
    pub(in super::super) fn into_brief(self) -> QueryResult<UserBrief> {
        Ok(UserBrief {
            id: UserId::new(self.id),
            name: self.name.map(UserName::from_store),
            photo: photo(self.photo)?,
            version: ProfileVersion::new(self.version),
        })
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = sessions)]
pub(super) struct SessionRow {
    id: i64,
    device: Option<String>,
    address: Option<String>,
    created_at: Timestamp,
    last_used_at: Timestamp,
}

impl SessionRow {
    pub(super) fn into_session(self) -> QueryResult<Session> {
        Ok(Session {
            id: SessionId::new(self.id),
            device: self.device.map(Device::from_store),
            address: address(self.address, "sessions.address")?,
            created_at: self.created_at,
            last_used_at: self.last_used_at,
        })
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = audit_log)]
pub(super) struct AuditRow {
    at: Timestamp,
    event: String,
    user_id: Option<i64>,
    session_id: Option<i64>,
    address: Option<String>,
}

impl AuditRow {
    pub(super) fn into_entry(self) -> QueryResult<AuditEntry> {
        Ok(AuditEntry {
            at: self.at,
            event: AuditEvent::parse(&self.event).ok_or_else(|| corrupt("audit_log.event"))?,
            user: self.user_id.map(UserId::new),
            session: self.session_id.map(SessionId::new),
            address: address(self.address, "audit_log.address")?,
        })
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = chats)]
pub(super) struct ChatRow {
    pub(super) id: i64,
    kind: String,
    name: Option<String>,
    version: i64,
    created_at: Timestamp,
}

impl ChatRow {
    pub(super) fn into_record(self) -> QueryResult<ChatRecord> {
        Ok(ChatRecord {
            id: ChatId::new(self.id),
            name: self.name.map(ChatName::from_store),
            kind: match self.kind.as_str() {
                DIRECT => ChatKind::Direct,
                GROUP => ChatKind::Group,
                _ => return Err(corrupt("chats.kind")),
            },
            created_at: self.created_at,
            version: Version::new(self.version),
        })
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = messages)]
pub(in super::super) struct MessageRow {
    pub(super) id: i64,
    pub(super) chat_id: i64,
    seq: i64,
    pub(super) version: i64,
    sender_id: i64,
    client_id: Option<String>,
    message_type: String,
    pub(super) content: String,
    created_at: Timestamp,
}

impl MessageRow {
    pub(in super::super) fn into_message(self) -> QueryResult<Message> {
        let kind = MessageType::parse(&self.message_type).map_err(|_| corrupt("messages.message_type"))?;
        Ok(Message {
            id: MessageId::new(self.id),
            chat: ChatId::new(self.chat_id),
            seq: Seq::new(self.seq),
            version: Version::new(self.version),
            sender: UserId::new(self.sender_id),
            client_id: self.client_id.map(ClientId::from_store),
            body: MessageBody::from_store(kind, self.content),
            created_at: self.created_at,
        })
    }
}

/// Reads a photo's name.
pub(super) fn photo(raw: Option<String>) -> QueryResult<Option<PhotoId>> {
    raw.map(|raw| PhotoId::parse(&raw).ok_or_else(|| corrupt("users.photo"))).transpose()
}

pub(super) fn address(raw: Option<String>, column: &'static str) -> QueryResult<Option<IpAddr>> {
    raw.map(|raw| raw.parse().map_err(|_| corrupt(column))).transpose()
}

/// The column holds what its check should have kept out.
fn corrupt(column: &'static str) -> Error {
    Error::DeserializationError(format!("{column} holds what it cannot hold").into())
}
