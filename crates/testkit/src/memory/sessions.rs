//! Sessions in memory.

use async_trait::async_trait;
use mango_domain::Failure;
use mango_domain::model::{NewSession, RefreshHash, Rotation, SessionId, Timestamp, UserId};
use mango_domain::ports::Sessions;

use super::MemoryStore;
use super::store::{Session, Standing, State, Token};

#[async_trait]
impl Sessions for MemoryStore {
    async fn begin(&self, session: NewSession) -> Result<SessionId, Failure> {
        let mut state = self.enter("begin session")?;
        let NewSession { user, refresh, created_at: _, expires_at } = session;
        let id = SessionId::new(state.next_id());
        state.sessions.insert(id, Session { user, live: true });
        state.tokens.insert(refresh, Token { session: id, standing: Standing::Base, expires_at });
        Ok(id)
    }

    async fn rotate(
        &self,
        presented: &RefreshHash,
        successor: &RefreshHash,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<Rotation, Failure> {
        let mut state = self.enter("rotate refresh token")?;
        let Some((id, user, standing)) = good(&state, presented, now) else {
            return Ok(Rotation::Unknown);
        };
        match standing {
            Standing::Base => {}
            Standing::Successor => {
                for (hash, token) in state.tokens.iter_mut().filter(|(_, token)| token.session == id) {
                    token.standing = if hash == presented { Standing::Base } else { Standing::Retired };
                }
            }
            Standing::Retired => {
                state.sessions.entry(id).and_modify(|session| session.live = false);
                return Ok(Rotation::Reused { session: id });
            }
        }
        state.tokens.insert(successor.clone(), Token { session: id, standing: Standing::Successor, expires_at });
        Ok(Rotation::Rotated { user, session: id })
    }

    async fn is_live(&self, session: SessionId, user: UserId) -> Result<bool, Failure> {
        let state = self.enter("check session")?;
        Ok(state.sessions.get(&session).is_some_and(|found| found.live && found.user == user))
    }

    async fn revoke(&self, session: SessionId, _now: Timestamp) -> Result<bool, Failure> {
        let mut state = self.enter("revoke session")?;
        Ok(state.sessions.get_mut(&session).is_some_and(|found| std::mem::take(&mut found.live)))
    }

    async fn purge(&self, now: Timestamp) -> Result<u64, Failure> {
        let mut guard = self.enter("purge sessions")?;
        let State { sessions, tokens, .. } = &mut *guard;
        tokens.retain(|_, token| token.expires_at >= now);
        let before = sessions.len();
        sessions.retain(|id, _| tokens.values().any(|token| token.session == *id));
        Ok((before - sessions.len()).try_into().unwrap_or(u64::MAX))
    }
}

/// Whose a token is and how it stands, when it has not expired and its session is live.
fn good(state: &State, presented: &RefreshHash, now: Timestamp) -> Option<(SessionId, UserId, Standing)> {
    let token = state.tokens.get(presented).filter(|token| now < token.expires_at)?;
    let session = state.sessions.get(&token.session).filter(|session| session.live)?;
    Some((token.session, session.user, token.standing))
}
