//! Logins and tokens.

use mango_domain::model::{Grant, RefreshToken, Session, SessionId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::time::WireTime;

/// Who logs in. The field names are those of the OAuth 2.0 password grant (RFC 6749, section 4.3), so that Swagger UI can fill it in.
#[derive(Deserialize, ToSchema)]
pub struct LoginRequest {
    /// The phone.
    #[schema(example = "+31612345678")]
    pub username: String,
    /// The password.
    #[schema(example = "correct horse battery")]
    pub password: String,
    /// What this device is called in the list of sessions, at most 255 characters of it. Without it the device is called by the
    /// header `User-Agent`.
    #[serde(default)]
    #[schema(example = "Ada's phone")]
    pub device: Option<String>,
}

/// A refresh token in the body, for clients that keep no cookies.
#[derive(Deserialize, ToSchema)]
pub struct RefreshRequest {
    /// The refresh token of the last grant.
    #[schema(example = "Zq3v…")]
    pub refresh_token: String,
}

impl RefreshRequest {
    /// The token.
    #[must_use]
    pub fn into_domain(self) -> RefreshToken {
        RefreshToken::new(self.refresh_token)
    }
}

/// The tokens of a session.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "access_token": "eyJhbGciOiJIUzI1NiJ9.…", "token_type": "bearer", "expires_in": 900, "refresh_token": "Zq3v…"
}))]
pub struct TokenReply {
    /// Goes into `Authorization: Bearer …` and into the `token` of a Socket.IO connection.
    pub access_token: String,
    /// Always `bearer`.
    #[schema(example = "bearer")]
    pub token_type: &'static str,
    /// How long the access token is good, in seconds.
    #[schema(example = 900)]
    pub expires_in: u64,
    /// Good for the next pair of tokens.
    pub refresh_token: String,
}

impl From<&Grant> for TokenReply {
    fn from(grant: &Grant) -> Self {
        Self {
            access_token: grant.access_token.expose().to_owned(),
            token_type: "bearer",
            expires_in: grant.access_ttl.as_secs(),
            refresh_token: grant.refresh_token.expose().to_owned(),
        }
    }
}

/// One of your own sessions.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "id": 17, "device": "Ada's phone", "address": "203.0.113.7", "created_at": "2026-01-31T09:30:00.000000Z",
    "last_used_at": "2026-01-31T10:15:00.000000Z", "current": true
}))]
pub struct SessionReply {
    /// Its id, the same as `session_id` in the event `ready`.
    pub id: i64,
    /// What the device said of itself at the login.
    pub device: Option<String>,
    /// The address from which it last logged in or refreshed its tokens, as the server saw it.
    pub address: Option<String>,
    /// When it began.
    pub created_at: WireTime,
    /// When it last logged in or refreshed its tokens.
    pub last_used_at: WireTime,
    /// Whether it is the session that asks.
    pub current: bool,
}

impl SessionReply {
    /// The session as it looks from another one of the same user, or from itself.
    #[must_use]
    pub fn seen_by(caller: SessionId, session: &Session) -> Self {
        Self {
            id: session.id.get(),
            device: session.device.as_ref().map(|device| device.as_str().to_owned()),
            address: session.address.map(|address| address.to_string()),
            created_at: session.created_at.into(),
            last_used_at: session.last_used_at.into(),
            current: session.id == caller,
        }
    }
}
