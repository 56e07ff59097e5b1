//! Sessions: one login on one device, and the tokens that keep it alive.

use std::fmt;
use std::time::Duration;

use crate::model::{SessionId, Timestamp, UserId};

/// Who is calling, shown by a valid access token of a session that has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Principal {
    /// The user.
    pub user: UserId,
    /// The session that the token belongs to.
    pub session: SessionId,
    /// When the token stops being good.
    pub expires_at: Timestamp,
}

/// What a client gets for a login or a refresh token.
#[derive(Debug, Clone)]
pub struct Grant {
    /// Shows who is calling, for [`access_ttl`](Self::access_ttl). Never log it.
    pub access_token: AccessToken,
    /// How long the access token is good.
    pub access_ttl: Duration,
    /// Good for the next grant.
    pub refresh_token: RefreshToken,
    /// How long the refresh token is good.
    pub refresh_ttl: Duration,
}

/// A signed access token. It does not show in debug output.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessToken(String);

impl AccessToken {
    /// Wraps a signed token.
    #[must_use]
    pub fn new(token: String) -> Self {
        Self(token)
    }

    /// The token. Never log it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessToken(…)")
    }
}

/// What a store needs to begin a session.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// Whose session.
    pub user: UserId,
    /// The hash of its first refresh token.
    pub refresh: RefreshHash,
    /// When it began, in whole microseconds.
    pub created_at: Timestamp,
    /// When its first refresh token stops being good.
    pub expires_at: Timestamp,
}

/// What came of presenting a refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// It was good; the successor is stored.
    Rotated {
        /// Whose session.
        user: UserId,
        /// Which session.
        session: SessionId,
    },
    /// No live session has such a token.
    Unknown,
    /// It was replaced by a successor that has been used since: somebody has a copy. The session is now revoked.
    Reused {
        /// The session that was revoked.
        session: SessionId,
    },
}

/// A refresh token as handed to the client: 256 random bits in base64url. It does not show in debug output.
#[derive(Clone, PartialEq, Eq)]
pub struct RefreshToken(String);

impl RefreshToken {
    /// Takes what a client sent or randomness gave.
    #[must_use]
    pub fn new(token: String) -> Self {
        Self(token)
    }

    /// The token. Never log it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefreshToken(…)")
    }
}

/// The SHA-256 of a refresh token, all that is stored of it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RefreshHash([u8; 32]);

impl RefreshHash {
    /// Wraps a digest.
    #[must_use]
    pub const fn new(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// The digest.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for RefreshHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefreshHash(…)")
    }
}

/// The hash of a password in PHC string form. It does not show in debug output.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Takes what a hasher made or the store holds.
    #[must_use]
    pub fn new(phc: String) -> Self {
        Self(phc)
    }

    /// The PHC string, such as `$argon2id$v=19$…`. Never log it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}
