//! Sessions in memory.

use std::cmp::Reverse;
use std::net::IpAddr;

use async_trait::async_trait;
use mango_domain::Failure;
use mango_domain::model::{
    NewSession, Phone, RefreshHash, Renewal, Rotation, Session, SessionId, Timestamp, UserId, Visit,
};
use mango_domain::ports::Sessions;

use super::MemoryStore;
use super::store::{Login, Standing, State, Token};
use super::users::owner;

#[async_trait]
impl Sessions for MemoryStore {
    async fn begin(&self, session: NewSession) -> Result<bool, Failure> {
        let mut state = self.enter("begin session")?;
        let NewSession { id, user, password, visit, refresh, created_at, expires_at } = session;
        if state.users.get(&user).is_none_or(|account| account.password != password) {
            return Ok(false);
        }
        let Visit { device, address } = visit;
        let session = Session { id, device, address, created_at, last_used_at: created_at };
        state.sessions.insert(id, Login { user, live: true, session });
        state.tokens.insert(refresh, Token { session: id, standing: Standing::Base, expires_at });
        Ok(true)
    }

    async fn rotate(&self, presented: &RefreshHash, renewal: Renewal) -> Result<Rotation, Failure> {
        let mut state = self.enter("rotate refresh token")?;
        let Renewal { successor, expires_at, recent, now, address } = renewal;
        let Some((id, user, standing)) = good(&state, presented, now) else {
            return Ok(Rotation::Unknown);
        };
        if standing == Standing::Retired {
            state.sessions.entry(id).and_modify(|login| login.live = false);
            return Ok(Rotation::Reused { user, session: id });
        }
        let recent = recent.max(now);
        let lately = state.tokens.iter().filter(|(hash, token)| {
            let made_lately = recent < token.expires_at && token.expires_at <= expires_at;
            token.session == id && *hash != presented && made_lately
        });
        if lately.count() > most_beside(Session::MOST_RECENT_TOKENS) {
            state.sessions.entry(id).and_modify(|login| login.live = false);
            return Ok(Rotation::TooOften { user, session: id });
        }
        if standing == Standing::Successor {
            for (hash, token) in state.tokens.iter_mut().filter(|(_, token)| token.session == id) {
                token.standing = if hash == presented { Standing::Base } else { Standing::Retired };
            }
        }
        state.tokens.insert(successor.clone(), Token { session: id, standing: Standing::Successor, expires_at });
        if let Some(Login { session, .. }) = state.sessions.get_mut(&id) {
            session.last_used_at = now;
            session.address = address.or(session.address);
        }
        forget_oldest(&mut state, id, [presented, &successor], (recent, expires_at));
        Ok(Rotation::Rotated { user, session: id })
    }

    async fn is_live(&self, session: SessionId, user: UserId) -> Result<bool, Failure> {
        let state = self.enter("check session")?;
        Ok(state.sessions.get(&session).is_some_and(|login| login.live && login.user == user))
    }

    async fn list(&self, user: UserId, now: Timestamp, active: Timestamp) -> Result<Vec<Session>, Failure> {
        let state = self.enter("list sessions")?;
        let lasts = |id| state.tokens.values().any(|token| token.session == id && now < token.expires_at);
        let theirs = newest_first(&state, user).filter(|session| active < session.last_used_at || lasts(session.id));
        Ok(theirs.take(most_listed()).cloned().collect())
    }

    async fn addresses(&self, phone: &Phone) -> Result<Vec<IpAddr>, Failure> {
        let state = self.enter("find addresses of sessions")?;
        let theirs = owner(&state, phone).into_iter().flat_map(|user| newest_first(&state, user));
        Ok(theirs.filter_map(|session| session.address).take(most_listed()).collect())
    }

    async fn revoke(&self, session: SessionId, user: UserId, _now: Timestamp) -> Result<bool, Failure> {
        let mut state = self.enter("revoke session")?;
        let login = state.sessions.get_mut(&session).filter(|login| login.user == user);
        Ok(login.is_some_and(|login| std::mem::take(&mut login.live)))
    }

    async fn revoke_others(&self, user: UserId, keep: SessionId, _now: Timestamp) -> Result<Vec<SessionId>, Failure> {
        Ok(end_all(&mut *self.enter("revoke sessions")?, user, Some(keep)))
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

fn most_listed() -> usize {
    Session::MOST_LISTED.try_into().unwrap_or(usize::MAX)
}

/// The live sessions of a user, the one that was used last first.
fn newest_first(state: &State, user: UserId) -> impl Iterator<Item = &Session> {
    let theirs = state.sessions.values().filter(|login| login.live && login.user == user);
    let mut sessions: Vec<&Session> = theirs.map(|login| &login.session).collect();
    sessions.sort_by_key(|session| Reverse((session.last_used_at, session.created_at, session.id)));
    sessions.into_iter()
}

/// Whose a token is and how it stands, when it has not expired and its session is live.
fn good(state: &State, presented: &RefreshHash, now: Timestamp) -> Option<(SessionId, UserId, Standing)> {
    let token = state.tokens.get(presented).filter(|token| now < token.expires_at)?;
    let login = state.sessions.get(&token.session).filter(|login| login.live)?;
    Some((token.session, login.user, token.standing))
}

/// Forgets the tokens of a session that are too many: first those that expire later than the newest, then those that expire soonest, but never
/// those that are to be kept, or that expire between `recent` and the newest.
fn forget_oldest(
    state: &mut State,
    session: SessionId,
    keep: [&RefreshHash; 2],
    (recent, newest): (Timestamp, Timestamp),
) {
    let theirs = state.tokens.iter().filter(|(hash, token)| token.session == session && !keep.contains(hash));
    let (lately, others): (Vec<_>, Vec<_>) =
        theirs.partition(|(_, token)| recent < token.expires_at && token.expires_at <= newest);
    let mut others: Vec<_> = others
        .into_iter()
        .map(|(hash, token)| ((newest < token.expires_at, Reverse(token.expires_at)), hash.clone()))
        .collect();
    others.sort_by_key(|(order, _)| *order);
    let places = most_beside(Session::MOST_TOKENS).saturating_sub(lately.len());
    for (_, hash) in others.into_iter().skip(places) {
        state.tokens.remove(&hash);
    }
}

/// How many of so many tokens there can be beside the one that was presented and the newest.
fn most_beside(most: i64) -> usize {
    usize::try_from(most - 2).unwrap_or(usize::MAX)
}

/// Ends every live session of a user but one; which they were, in order of id.
pub(super) fn end_all(state: &mut State, user: UserId, keep: Option<SessionId>) -> Vec<SessionId> {
    let ending = state.sessions.iter_mut().filter(|(id, login)| login.user == user && Some(**id) != keep);
    ending.filter_map(|(id, login)| std::mem::take(&mut login.live).then_some(*id)).collect()
}
