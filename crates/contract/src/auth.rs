//! Logins and tokens.

use mango_domain::model::{Grant, RefreshToken};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Who logs in. The field names are those of the OAuth 2.0 password grant (RFC 6749, section 4.3), so that Swagger UI can fill it in.
#[derive(Deserialize, ToSchema)]
pub struct LoginRequest {
    /// The phone.
    #[schema(example = "+31612345678")]
    pub username: String,
    /// The password.
    #[schema(example = "correct horse battery")]
    pub password: String,
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
