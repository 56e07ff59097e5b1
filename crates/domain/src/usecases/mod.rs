//! What can be done with Mango: one use case a verb, the same whether it came over HTTP or over a socket. Who may do it is
//! decided here, and never in a route or a handler. Where that takes a member of a chat, the store looks in the transaction that
//! does the work, as its port says, and gives nothing to others.

use std::sync::Arc;
use std::time::Duration;

use crate::ports::{
    Audit, Changes, Chats, Clock, Events, Images, Likes, Media, Messages, Passwords, Presence, Random, Rates, Sessions,
    Tokens, Users,
};

mod attempts;
pub mod audit;
pub mod authenticate;
pub mod check_picture;
pub mod come_online;
pub mod create_chat;
pub mod end_other_sessions;
pub mod end_session;
mod ending;
pub mod get_chat;
pub mod get_user;
pub mod go_offline;
mod grant;
pub mod limit;
pub mod list_chats;
pub mod list_messages;
pub mod list_sessions;
pub mod log_in;
pub mod log_out;
mod new_password;
mod photos;
pub mod purge_sessions;
pub mod refresh_session;
pub mod register;
pub mod send_message;
pub mod sweep_photos;
pub mod sync;
pub mod toggle_like;
pub mod toggle_pin;
pub mod update_user;
mod view;

/// The rules that an operator can set.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// How long an access token is good.
    pub access_ttl: Duration,
    /// How long a refresh token is good.
    pub refresh_ttl: Duration,
    /// Most bytes of a message's content.
    pub max_content: usize,
    /// How long the audit log is kept.
    pub audit_retention: Duration,
    /// Whether a new password or phone takes the current password.
    pub require_current_password: bool,
}

/// Every port, for wiring.
#[derive(Clone)]
#[expect(missing_docs, reason = "each field is the port of its type")]
pub struct Ports {
    pub users: Arc<dyn Users>,
    pub sessions: Arc<dyn Sessions>,
    pub chats: Arc<dyn Chats>,
    pub messages: Arc<dyn Messages>,
    pub likes: Arc<dyn Likes>,
    pub changes: Arc<dyn Changes>,
    pub audit: Arc<dyn Audit>,
    pub passwords: Arc<dyn Passwords>,
    pub tokens: Arc<dyn Tokens>,
    pub images: Arc<dyn Images>,
    pub media: Arc<dyn Media>,
    pub events: Arc<dyn Events>,
    pub presence: Arc<dyn Presence>,
    pub clock: Arc<dyn Clock>,
    pub random: Arc<dyn Random>,
    pub rates: Arc<dyn Rates>,
}

/// Every use case, for the inbound adapters.
#[expect(missing_docs, reason = "each field is the use case of its type")]
pub struct UseCases {
    pub authenticate: authenticate::Authenticate,
    pub check_picture: check_picture::CheckPicture,
    pub come_online: come_online::ComeOnline,
    pub create_chat: create_chat::CreateChat,
    pub end_other_sessions: end_other_sessions::EndOtherSessions,
    pub end_session: end_session::EndSession,
    pub get_chat: get_chat::GetChat,
    pub get_user: get_user::GetUser,
    pub go_offline: go_offline::GoOffline,
    pub limit: limit::Limit,
    pub list_chats: list_chats::ListChats,
    pub list_messages: list_messages::ListMessages,
    pub list_sessions: list_sessions::ListSessions,
    pub log_in: log_in::LogIn,
    pub log_out: log_out::LogOut,
    pub prune_audit: audit::PruneAudit,
    pub purge_sessions: purge_sessions::PurgeSessions,
    pub refresh_session: refresh_session::RefreshSession,
    pub register: register::Register,
    pub send_message: send_message::SendMessage,
    pub sweep_photos: sweep_photos::SweepPhotos,
    pub sync: sync::Sync,
    pub toggle_like: toggle_like::ToggleLike,
    pub toggle_pin: toggle_pin::TogglePin,
    pub update_user: update_user::UpdateUser,
}

impl UseCases {
    /// Gives each use case the ports it needs.
    #[must_use]
    pub fn new(ports: Ports, policy: Policy) -> Self {
        let Ports {
            users,
            sessions,
            chats,
            messages,
            likes,
            changes,
            audit,
            passwords,
            tokens,
            images,
            media,
            events,
            presence,
            clock,
            random,
            rates,
        } = ports;
        let photos = photos::Photos::new(images.clone(), media.clone(), random.clone());
        let auditor = audit::Auditor::new(audit.clone(), clock.clone());
        let ender = ending::Ender::new(sessions.clone(), events.clone(), clock.clone(), auditor.clone());
        let granter = grant::Granter::new(tokens.clone(), clock.clone(), random, policy);
        let lister = list_sessions::Lister::new(sessions.clone(), clock.clone(), policy.access_ttl);
        let attempts = attempts::Attempts::new(rates.clone(), sessions.clone(), lister.clone());
        let limit = limit::Limit::new(rates);
        let new_passwords = new_password::NewPasswords::new(
            users.clone(),
            passwords.clone(),
            attempts.clone(),
            auditor.clone(),
            limit.clone(),
            policy.require_current_password,
        );
        Self {
            authenticate: authenticate::Authenticate::new(tokens.clone(), sessions.clone(), clock.clone()),
            check_picture: check_picture::CheckPicture::new(images),
            come_online: come_online::ComeOnline::new(
                presence.clone(),
                users.clone(),
                chats.clone(),
                changes.clone(),
                clock.clone(),
            ),
            create_chat: create_chat::CreateChat::new(chats.clone(), presence.clone(), events.clone(), clock.clone()),
            end_other_sessions: end_other_sessions::EndOtherSessions::new(ender.clone()),
            end_session: end_session::EndSession::new(ender.clone()),
            get_chat: get_chat::GetChat::new(chats.clone(), presence.clone()),
            get_user: get_user::GetUser::new(users.clone(), presence.clone()),
            go_offline: go_offline::GoOffline::new(presence.clone(), users.clone(), clock.clone()),
            limit,
            list_chats: list_chats::ListChats::new(chats.clone(), presence.clone()),
            list_messages: list_messages::ListMessages::new(messages.clone()),
            list_sessions: list_sessions::ListSessions::new(lister),
            log_in: log_in::LogIn::new(
                users.clone(),
                passwords.clone(),
                sessions.clone(),
                granter.clone(),
                auditor.clone(),
                attempts,
            ),
            log_out: log_out::LogOut::new(ender),
            prune_audit: audit::PruneAudit::new(audit, clock.clone(), policy.audit_retention),
            purge_sessions: purge_sessions::PurgeSessions::new(sessions.clone(), clock.clone()),
            refresh_session: refresh_session::RefreshSession::new(
                sessions,
                tokens,
                events.clone(),
                granter,
                auditor.clone(),
            ),
            register: register::Register::new(users.clone(), passwords.clone(), photos.clone(), clock.clone()),
            send_message: send_message::SendMessage::new(messages, events.clone(), clock.clone(), policy.max_content),
            sweep_photos: sweep_photos::SweepPhotos::new(media, users.clone(), changes.clone(), clock.clone()),
            sync: sync::Sync::new(changes, presence.clone()),
            toggle_like: toggle_like::ToggleLike::new(likes, events.clone(), clock.clone()),
            toggle_pin: toggle_pin::TogglePin::new(chats, events.clone(), clock.clone()),
            update_user: update_user::UpdateUser::new(users, new_passwords, photos, presence, events, clock, auditor),
        }
    }
}
