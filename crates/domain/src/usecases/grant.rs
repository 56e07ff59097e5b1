//! The making of a pair of tokens, shared by login and refresh.

use std::sync::Arc;
use std::time::Duration;

use chrono::{SubsecRound, TimeDelta};

use crate::model::{AccessToken, Grant, RefreshHash, RefreshToken, Session, SessionId, Timestamp, UserId};
use crate::ports::{AccessClaims, Clock, Random, Tokens};
use crate::usecases::Policy;
use crate::{Failure, Result};

/// Makes tokens as the policy says.
#[derive(Clone)]
pub(super) struct Granter {
    tokens: Arc<dyn Tokens>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    policy: Policy,
}

/// A refresh token that is about to be stored.
pub(super) struct Fresh {
    pub token: RefreshToken,
    pub hash: RefreshHash,
    pub now: Timestamp,
    pub expires_at: Timestamp,
}

impl Granter {
    pub fn new(tokens: Arc<dyn Tokens>, clock: Arc<dyn Clock>, random: Arc<dyn Random>, policy: Policy) -> Self {
        Self { tokens, clock, random, policy }
    }

    /// Makes the id of a session that is about to begin.
    pub fn session(&self) -> Result<SessionId> {
        let mut bytes = [0; 8];
        self.random.fill(&mut bytes)?;
        Ok(SessionId::from_random(bytes))
    }

    /// Makes a refresh token; the caller stores its hash.
    pub fn fresh(&self) -> Result<Fresh> {
        let (token, hash) = self.tokens.new_refresh()?;
        let now = self.clock.now();
        let expires_at = later(now, self.policy.refresh_ttl)?;
        Ok(Fresh { token, hash, now, expires_at })
    }

    /// How long a refresh token is remembered, also when it was replaced: a day, within which its owner comes back and finds it used by somebody
    /// else. With access tokens so short-lived that a client that refreshes twice in their time would get too many in a day, it is less.
    pub fn remembered(&self) -> TimeDelta {
        let twice = u32::try_from(Session::MOST_RECENT_TOKENS / 2).unwrap_or(u32::MAX);
        let needed = self.policy.access_ttl.saturating_mul(twice);
        TimeDelta::from_std(needed).unwrap_or(TimeDelta::MAX).min(TimeDelta::days(1))
    }

    /// Signs the access token that goes with a stored refresh token.
    pub fn grant(&self, user: UserId, session: SessionId, fresh: Fresh) -> Result<Grant> {
        let issued_at = fresh.now.trunc_subsecs(0);
        let expires_at = later(issued_at, self.policy.access_ttl)?;
        let access_token = self.tokens.sign(&AccessClaims { user, session, issued_at, expires_at })?;
        Ok(Grant {
            access_token: AccessToken::new(access_token),
            access_ttl: self.policy.access_ttl,
            refresh_token: fresh.token,
            refresh_ttl: self.policy.refresh_ttl,
        })
    }
}

fn later(start: Timestamp, ttl: Duration) -> Result<Timestamp> {
    TimeDelta::from_std(ttl)
        .ok()
        .and_then(|ttl| start.checked_add_signed(ttl))
        .ok_or_else(|| Failure::broken("grant tokens", "the lifetime of a token leaves the calendar").into())
}
