//! Access tokens (signed JWTs) and refresh tokens (random bits, stored as a hash).

use std::borrow::Cow;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta};
use jsonwebtoken::{Algorithm, Header, Validation, decode, encode};
use mango_domain::Failure;
use mango_domain::model::{RefreshHash, RefreshToken, SessionId, Timestamp, UserId};
use mango_domain::ports::{AccessClaims, Random, TokenError, Tokens};
use serde::{Deserialize, Deserializer, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::KeyRing;

/// The one algorithm; a token that names another is refused whatever its signature (RFC 8725, section 3.1).
const ALGORITHM: Algorithm = Algorithm::HS256;

/// Who signs tokens, and for whom: Mango for itself.
const ISSUER: &str = "mango";
const AUDIENCE: &str = "mango";

/// Says what the token is for, so that no other token that the key may ever sign is taken for it (RFC 8725, section 3.11).
const TYPE: &str = "access";

/// The type of the header, that of any JSON Web Token.
const HEADER_TYPE: &str = "JWT";

/// How far ahead of the clock a token may have been issued, or begin to be good. The clocks of nodes differ by milliseconds where they are kept by NTP, and a clock
/// that is being put right may be a few seconds off; a token of a later time was made by somebody who has no business to.
const MOST_AHEAD: TimeDelta = TimeDelta::minutes(1);

/// Our tokens have some 300 bytes. What is much longer is not ours, and not worth decoding.
const LONGEST: usize = 1024;

/// Tokens signed with HMAC-SHA-256.
pub struct JwtTokens {
    keys: Arc<KeyRing>,
    validation: Validation,
    random: Arc<dyn Random>,
}

impl JwtTokens {
    /// Signs and checks with these keys; refresh tokens come from `random`.
    #[must_use]
    pub fn new(keys: Arc<KeyRing>, random: Arc<dyn Random>) -> Self {
        let mut validation = Validation::new(ALGORITHM);
        // The library is left with the algorithm and the signature. The claims are checked here: it would compare the expiry
        // with the system's clock, and take an issuer or an audience that is one of a list.
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_aud = false;
        Self { keys, validation, random }
    }
}

impl Tokens for JwtTokens {
    fn sign(&self, claims: &AccessClaims) -> Result<String, Failure> {
        let claims = Claims {
            iss: ISSUER.into(),
            aud: AUDIENCE.into(),
            sub: claims.user.to_string(),
            sid: claims.session.to_string(),
            iat: claims.issued_at.timestamp(),
            exp: claims.expires_at.timestamp(),
            nbf: None,
            typ: TYPE.into(),
        };
        let keys = self.keys.keys();
        let header = Header { kid: Some(keys.id.clone()), ..Header::new(ALGORITHM) };
        encode(&header, &claims, &keys.sign).map_err(|e| Failure::broken("sign access token", e))
    }

    fn verify(&self, token: &str, now: Timestamp) -> Result<AccessClaims, TokenError> {
        if token.len() > LONGEST {
            return Err(TokenError::Malformed);
        }
        // The header says no more than which of our own keys to try (RFC 8725, section 3.10).
        let kid = JoseHeader::of(token).ok_or(TokenError::Malformed)?.kid;
        let keys = self.keys.keys();
        let mut candidates = keys.candidates(kid.as_deref(), now);
        let claims: Claims =
            candidates.find_map(|key| decode(token, key, &self.validation).ok()).ok_or(TokenError::Malformed)?.claims;
        let not_before = claims.nbf.map(time).transpose()?;
        let claims = AccessClaims::try_from(claims)?;
        if claims.issued_at > now + MOST_AHEAD || not_before.is_some_and(|start| start > now + MOST_AHEAD) {
            return Err(TokenError::Malformed);
        }
        // RFC 7519, section 4.1.4: not accepted on or after this time. There is no leeway, since the server that made the token
        // is the one that checks it.
        if now < claims.expires_at { Ok(claims) } else { Err(TokenError::Expired) }
    }

    fn new_refresh(&self) -> Result<(RefreshToken, RefreshHash), Failure> {
        let mut bits = Zeroizing::new([0; 32]);
        self.random.fill(&mut *bits)?;
        let token = RefreshToken::new(URL_SAFE_NO_PAD.encode(*bits));
        let hash = self.hash_refresh(&token);
        Ok((token, hash))
    }

    fn hash_refresh(&self, token: &RefreshToken) -> RefreshHash {
        // A fast hash without salt is enough: nobody guesses 256 random bits.
        RefreshHash::new(Sha256::digest(token.expose()).into())
    }
}

/// The header of an access token, as far as it may go. One that wants something else understood (`crit`, RFC 7515, section 4.1.11), brings a
/// key or the address of one (RFC 8725, section 3.10), or says that it is of another kind (section 3.11) is not ours, whoever has signed it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JoseHeader {
    alg: Algorithm,
    /// Which key has signed; tokens from before keys had names say nothing.
    kid: Option<String>,
    typ: String,
}

impl JoseHeader {
    /// The header of a token, unless it holds anything that those of ours do not.
    fn of(token: &str) -> Option<Self> {
        let (header, _) = token.split_once('.')?;
        let header: Self = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
        (header.alg == ALGORITHM && header.typ == HEADER_TYPE).then_some(header)
    }
}

/// The claims of an access token (RFC 7519). All that ours have are required.
#[derive(Serialize, Deserialize)]
struct Claims {
    iss: Cow<'static, str>,
    aud: Cow<'static, str>,
    /// The user's id; the standard wants a string.
    sub: String,
    /// The session's id, a string too (OpenID Connect Front-Channel Logout 1.0, section 3).
    sid: String,
    iat: i64,
    exp: i64,
    /// Since when it is good. Ours do not say so, and are good at once; whoever says so means it (section 4.1.5).
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    nbf: Option<i64>,
    typ: Cow<'static, str>,
}

impl TryFrom<Claims> for AccessClaims {
    type Error = TokenError;

    fn try_from(claims: Claims) -> Result<Self, TokenError> {
        if claims.iss != ISSUER || claims.aud != AUDIENCE || claims.typ != TYPE {
            return Err(TokenError::Malformed);
        }
        let id = |id: &str| id.parse::<i64>().map_err(|_| TokenError::Malformed);
        Ok(Self {
            user: UserId::new(id(&claims.sub)?),
            session: SessionId::new(id(&claims.sid)?),
            issued_at: time(claims.iat)?,
            expires_at: time(claims.exp)?,
        })
    }
}

/// Takes no `null` for a claim that is left out.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    i64::deserialize(deserializer).map(Some)
}

fn time(seconds: i64) -> Result<Timestamp, TokenError> {
    DateTime::from_timestamp(seconds, 0).ok_or(TokenError::Malformed)
}
