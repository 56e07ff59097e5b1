//! Access and refresh tokens.

use thiserror::Error;

use crate::Failure;
use crate::model::{RefreshHash, RefreshToken, SessionId, Timestamp, UserId};

/// Makes and checks tokens. Nothing here is stored; nothing here blocks.
pub trait Tokens: Send + Sync {
    /// Signs an access token.
    fn sign(&self, claims: &AccessClaims) -> Result<String, Failure>;

    /// Checks an access token's signature, algorithm, issuer, audience and type, and that it is good at `now`.
    fn verify(&self, token: &str, now: Timestamp) -> Result<AccessClaims, TokenError>;

    /// Makes a refresh token of 256 random bits, and the hash to store.
    fn new_refresh(&self) -> Result<(RefreshToken, RefreshHash), Failure>;

    /// The hash under which a refresh token is stored.
    fn hash_refresh(&self, token: &RefreshToken) -> RefreshHash;
}

/// What an access token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccessClaims {
    /// Who.
    pub user: UserId,
    /// In which session.
    pub session: SessionId,
    /// Since when, in whole seconds.
    pub issued_at: Timestamp,
    /// Until when, in whole seconds.
    pub expires_at: Timestamp,
}

/// Why an access token is no good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TokenError {
    /// Not one of ours, or altered.
    #[error("the token is malformed or its signature is wrong")]
    Malformed,
    /// Ours, and too old.
    #[error("the token has expired")]
    Expired,
}
