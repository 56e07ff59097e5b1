//! The audit log: what happened to accounts, for whoever runs the server to look into.

use std::net::IpAddr;

use crate::model::{SessionId, Timestamp, UserId};

/// One entry. It holds no phone, no token and no password, so that it can be read and kept without care.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// When it happened, in whole microseconds.
    pub at: Timestamp,
    /// What happened.
    pub event: AuditEvent,
    /// Whom it concerns; `None` when that is nobody, or nobody that is known.
    pub user: Option<UserId>,
    /// Which session it concerns.
    pub session: Option<SessionId>,
    /// Where it was asked for.
    pub address: Option<IpAddr>,
}

macro_rules! events {
    ($($(#[$doc:meta])* $variant:ident = $name:literal;)*) => {
        /// What can happen to an account.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum AuditEvent {
            $($(#[$doc])* $variant,)*
        }

        impl AuditEvent {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name under which it is stored and shown.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }
        }
    };
}

events! {
    /// A session began.
    LoggedIn = "login";
    /// Somebody gave a wrong password, or a phone that nobody has; with a session, a wrong current password for a new password or
    /// phone.
    LoginFailed = "login_failed";
    /// A user chose a new password, which ended all other sessions.
    PasswordChanged = "password_change";
    /// A user took another phone, with which they log in from now on. The phones are not told.
    PhoneChanged = "phone_change";
    /// A session was ended by its user, by itself or by another session.
    SessionRevoked = "session_revoked";
    /// All sessions of all users were ended by the operator.
    SessionsEnded = "sessions_ended";
    /// A refresh token that had been replaced came again, or a session wanted more of them than any client needs, and the session was ended.
    RefreshReused = "refresh_reuse";
    /// The key that signs access tokens was replaced, by a rotation, or by a new one at a start that found none though there are users.
    KeyRotated = "key_rotation";
}

impl AuditEvent {
    /// The event of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|event| event.name() == name).copied()
    }
}
