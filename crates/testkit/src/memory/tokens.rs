//! Tokens that can be read.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::DateTime;
use mango_domain::Failure;
use mango_domain::model::{RefreshHash, RefreshToken, SessionId, Timestamp, UserId};
use mango_domain::ports::{AccessClaims, Random as _, TokenError, Tokens};

use super::SeededRandom;

/// Access tokens such as `plain.7.12.1767225600.1767226500` (user, session, issued, expires), and refresh tokens from a seed.
#[derive(Debug)]
pub struct PlainTokens {
    random: SeededRandom,
}

impl PlainTokens {
    /// Tokens that are the same in every run with this seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { random: SeededRandom::new(seed) }
    }
}

impl Tokens for PlainTokens {
    fn sign(&self, claims: &AccessClaims) -> Result<String, Failure> {
        let AccessClaims { user, session, issued_at, expires_at } = claims;
        Ok(format!("plain.{user}.{session}.{}.{}", issued_at.timestamp(), expires_at.timestamp()))
    }

    fn verify(&self, token: &str, now: Timestamp) -> Result<AccessClaims, TokenError> {
        let claims = read(token).ok_or(TokenError::Malformed)?;
        if now < claims.expires_at { Ok(claims) } else { Err(TokenError::Expired) }
    }

    fn new_refresh(&self) -> Result<(RefreshToken, RefreshHash), Failure> {
        let mut bytes = [0; 32];
        self.random.fill(&mut bytes)?;
        let token = RefreshToken::new(BASE64_URL_SAFE_NO_PAD.encode(bytes));
        let hash = self.hash_refresh(&token);
        Ok((token, hash))
    }

    fn hash_refresh(&self, token: &RefreshToken) -> RefreshHash {
        let mut digest = [0; 32];
        for (lane, part) in (0_u64..).zip(digest.chunks_exact_mut(8)) {
            part.copy_from_slice(&fnv1a(lane, token.expose()).to_be_bytes());
        }
        RefreshHash::new(digest)
    }
}

fn read(token: &str) -> Option<AccessClaims> {
    let numbers: Vec<i64> = token.strip_prefix("plain.")?.split('.').map(str::parse).collect::<Result<_, _>>().ok()?;
    let [user, session, issued_at, expires_at] = numbers[..] else {
        return None;
    };
    Some(AccessClaims {
        user: UserId::new(user),
        session: SessionId::new(session),
        issued_at: DateTime::from_timestamp(issued_at, 0)?,
        expires_at: DateTime::from_timestamp(expires_at, 0)?,
    })
}

/// The 64-bit FNV-1a hash, begun differently for each lane.
fn fnv1a(lane: u64, text: &str) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325 ^ lane;
    text.bytes().fold(start, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
