//! Entities and value types. A value type can only be made from what is valid, so that nothing behind it checks again.

pub mod audit;
pub mod chat;
pub mod event;
pub mod ids;
pub mod like;
pub mod message;
pub mod page;
pub mod photo;
pub mod rate;
pub mod room;
pub mod session;
pub mod sync;
pub mod text;
pub mod time;
pub mod user;

pub use audit::{AuditEntry, AuditEvent};
pub use chat::{Chat, ChatKind, ChatMember, ChatName, ChatRecord, DirectPair, MemberList, NewChat, PinToggle};
pub use event::{ConnectionId, Event, Origin};
pub use ids::{ChatId, MessageId, ProfileVersion, Seq, SessionId, UserId, Version};
pub use like::LikeToggle;
pub use message::{ClientId, Message, MessageBody, MessageType, NewMessage, PostedMessage};
pub use page::{MessagePage, PageRequest};
pub use photo::{PhotoFile, PhotoId};
pub use rate::{Quota, Quotas, Rate, Standing, Subject};
pub use room::{Client, Held, Room};
pub use session::{
    AccessToken, Device, Grant, NewSession, PasswordHash, Principal, RefreshHash, RefreshToken, Renewal, Rotation,
    Session, Visit,
};
pub use sync::{ChatChanges, Epoch, SyncPage, SyncPlan, SyncRange, SyncRequest, Weights};
pub use time::Timestamp;
pub use user::{Credentials, Description, NewUser, Password, Phone, Profile, User, UserBrief, UserChange, UserName};
