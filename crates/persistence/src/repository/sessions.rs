//! The store of sessions and of the hashes of their refresh tokens.

use std::net::IpAddr;
use std::time::Instant;

use async_trait::async_trait;
use diesel::dsl::{exists, not};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use futures_util::FutureExt;
use mango_domain::Failure;
use mango_domain::model::{NewSession, Phone, RefreshHash, Renewal, Rotation, Session, SessionId, Timestamp, UserId};
use mango_domain::ports::Sessions;

use super::super::Conn;
use super::super::schema::{refresh_tokens, sessions, users};
use super::Repository;
use super::rows::{SessionRow, address};
use crate::error::Fault;

#[async_trait]
impl Sessions for Repository {
    async fn begin(&self, session: NewSession) -> Result<bool, Failure> {
        let (id, user, look) = (session.id, session.user, self.live.look(Instant::now()));
        let begun = self.transact(|conn| begin(conn, session).boxed()).await;
        let begun = begun.map_err(|fault| fault.during("begin session"))?;
        if begun {
            self.live.remember(id, user, &look);
        }
        Ok(begun)
    }

    async fn rotate(&self, presented: &RefreshHash, renewal: Renewal) -> Result<Rotation, Failure> {
        let presented = presented.clone();
        let rotation = self.transact(move |conn| rotate(conn, presented, renewal).boxed()).await;
        match &rotation {
            Ok(Rotation::Reused { session, .. } | Rotation::TooOften { session, .. }) => self.live.forget(&[*session]),
            Ok(Rotation::Rotated { .. } | Rotation::Unknown) => {}
            Err(fault) => self.doubt(fault),
        }
        rotation.map_err(|fault| fault.during("rotate refresh token"))
    }

    async fn is_live(&self, session: SessionId, user: UserId) -> Result<bool, Failure> {
        let now = Instant::now();
        if self.live.has(session, user, now) {
            return Ok(true);
        }
        let look = self.live.look(now);
        let is_live = self.read(move |conn| {
            let owned = sessions::table.find(session.get()).filter(sessions::user_id.eq(user.get()));
            let live = owned.filter(sessions::revoked_at.is_null());
            diesel::select(exists(live)).get_result(conn).boxed()
        });
        let is_live = is_live.await.map_err(|fault| fault.during("look up session"))?;
        if is_live {
            self.live.remember(session, user, &look);
        }
        Ok(is_live)
    }

    async fn list(&self, user: UserId, now: Timestamp, active: Timestamp) -> Result<Vec<Session>, Failure> {
        let sessions = self.read(move |conn| list(conn, user, now, active).boxed()).await;
        sessions.map_err(|fault| fault.during("list sessions"))
    }

    async fn addresses(&self, phone: &Phone) -> Result<Vec<IpAddr>, Failure> {
        let phone = phone.as_str().to_owned();
        let addresses = self.read(move |conn| addresses(conn, phone).boxed()).await;
        addresses.map_err(|fault| fault.during("find addresses of sessions"))
    }

    async fn revoke(&self, session: SessionId, user: UserId, now: Timestamp) -> Result<bool, Failure> {
        let revoked = self.write(move |conn| revoke(conn, session.get(), user.get(), now).boxed()).await;
        // Also when it was revoked already: the answer to an earlier attempt may have been lost.
        self.live.forget(&[session]);
        revoked.map_err(|fault| fault.during("revoke session"))
    }

    async fn revoke_others(&self, user: UserId, keep: SessionId, now: Timestamp) -> Result<Vec<SessionId>, Failure> {
        let revoked = self.write(move |conn| revoke_all(conn, user, Some(keep), now).boxed()).await;
        match &revoked {
            Ok(ended) => self.live.forget(ended),
            Err(fault) => self.doubt(fault),
        }
        revoked.map_err(|fault| fault.during("revoke sessions"))
    }

    async fn purge(&self, now: Timestamp) -> Result<u64, Failure> {
        let gone = self.transact(move |conn| purge(conn, now).boxed()).await;
        self.live.forget_all();
        gone.map_err(|fault| fault.during("purge sessions"))
    }
}

impl Repository {
    /// Forgets which sessions are live, when the database may have ended some but did not say so.
    pub(super) fn doubt(&self, fault: &Fault) {
        if fault.is_uncertain() {
            self.live.forget_all();
        }
    }
}

async fn begin(conn: &mut Conn, session: NewSession) -> QueryResult<bool> {
    // A change of the password waits until the session is there, to end it, or has been before it.
    let right = users::table.find(session.user.get()).filter(users::password_hash.eq(session.password.expose()));
    if locking!(right.select(users::id)).get_result::<i64>(conn).await.optional()?.is_none() {
        return Ok(false);
    }
    diesel::insert_into(sessions::table)
        .values((
            sessions::id.eq(session.id.get()),
            sessions::user_id.eq(session.user.get()),
            sessions::base_token.eq(session.refresh.as_bytes().as_slice()),
            sessions::device.eq(session.visit.device.as_ref().map(|device| device.as_str())),
            sessions::address.eq(session.visit.address.map(|address| address.to_string())),
            sessions::created_at.eq(session.created_at),
            sessions::last_used_at.eq(session.created_at),
        ))
        .execute(conn)
        .await?;
    add_token(conn, session.id.get(), &session.refresh, None, session.expires_at).await?;
    Ok(true)
}

async fn rotate(conn: &mut Conn, presented: RefreshHash, renewal: Renewal) -> QueryResult<Rotation> {
    let Renewal { successor, expires_at, recent, now, address } = renewal;
    let token = refresh_tokens::table
        .find(presented.as_bytes().as_slice())
        .filter(refresh_tokens::expires_at.gt(now))
        .select((refresh_tokens::session_id, refresh_tokens::parent));
    let Some((session, parent)) = token.get_result::<(i64, Option<Vec<u8>>)>(conn).await.optional()? else {
        return Ok(Rotation::Unknown);
    };
    // From here on, who presents another token of the session waits.
    let live = sessions::table
        .find(session)
        .filter(sessions::revoked_at.is_null())
        .select((sessions::user_id, sessions::base_token));
    let Some((user, base)) = locking!(live).get_result::<(i64, Vec<u8>)>(conn).await.optional()? else {
        return Ok(Rotation::Unknown);
    };
    if base != presented.as_bytes() && parent.as_ref() != Some(&base) {
        revoke(conn, session, user, now).await?;
        return Ok(Rotation::Reused { user: UserId::new(user), session: SessionId::new(session) });
    }
    let recent = recent.max(now);
    let lately: i64 = refresh_tokens::table
        .filter(refresh_tokens::session_id.eq(session).and(refresh_tokens::hash.ne(presented.as_bytes().as_slice())))
        .filter(refresh_tokens::expires_at.gt(recent).and(refresh_tokens::expires_at.le(expires_at)))
        .count()
        .get_result(conn)
        .await?;
    // The presented one and the successor are two more.
    if lately > Session::MOST_RECENT_TOKENS - 2 {
        revoke(conn, session, user, now).await?;
        return Ok(Rotation::TooOften { user: UserId::new(user), session: SessionId::new(session) });
    }
    diesel::update(sessions::table.find(session))
        .set((
            sessions::base_token.eq(presented.as_bytes().as_slice()),
            sessions::last_used_at.eq(now),
            // Without one, the column is left as it is.
            address.map(|address| sessions::address.eq(address.to_string())),
        ))
        .execute(conn)
        .await?;
    add_token(conn, session, &successor, Some(&presented), expires_at).await?;
    forget_oldest(conn, session, [&presented, &successor], (recent, expires_at)).await?;
    Ok(Rotation::Rotated { user: UserId::new(user), session: SessionId::new(session) })
}

async fn add_token(
    conn: &mut Conn,
    session: i64,
    hash: &RefreshHash,
    parent: Option<&RefreshHash>,
    expires_at: Timestamp,
) -> QueryResult<()> {
    diesel::insert_into(refresh_tokens::table)
        .values((
            refresh_tokens::hash.eq(hash.as_bytes().as_slice()),
            refresh_tokens::session_id.eq(session),
            refresh_tokens::parent.eq(parent.map(|parent| parent.as_bytes().as_slice())),
            refresh_tokens::expires_at.eq(expires_at),
        ))
        .execute(conn)
        .await
        .map(drop)
}

/// How many tokens of a session are kept beside the one that was presented and the newest, unless more were made lately.
const MOST_KEPT: i64 = Session::MOST_TOKENS - 2;

/// Forgets the tokens of a session that are too many: first those that expire later than the newest, then those that expire soonest, but never
/// those that are to be kept, or that expire between `recent` and the newest.
async fn forget_oldest(
    conn: &mut Conn,
    session: i64,
    [keep_one, keep_other]: [&RefreshHash; 2],
    (recent, newest): (Timestamp, Timestamp),
) -> QueryResult<()> {
    // A statement cannot delete from a table and read it under one name.
    let known = diesel::alias!(refresh_tokens as known_tokens);
    let hash = known.field(refresh_tokens::hash);
    let oldest = known
        .filter(known.field(refresh_tokens::session_id).eq(session))
        .filter(hash.ne(keep_one.as_bytes().as_slice()).and(hash.ne(keep_other.as_bytes().as_slice())))
        .order((
            known.field(refresh_tokens::expires_at).gt(newest).asc(),
            known.field(refresh_tokens::expires_at).desc(),
        ))
        .offset(MOST_KEPT)
        .select(hash);
    let not_lately = refresh_tokens::expires_at.le(recent).or(refresh_tokens::expires_at.gt(newest));
    diesel::delete(refresh_tokens::table.filter(refresh_tokens::hash.eq_any(oldest)).filter(not_lately))
        .execute(conn)
        .await
        .map(drop)
}

async fn list(conn: &mut Conn, user: UserId, now: Timestamp, active: Timestamp) -> QueryResult<Vec<Session>> {
    let lasting = refresh_tokens::table
        .filter(refresh_tokens::session_id.eq(sessions::id))
        .filter(refresh_tokens::expires_at.gt(now));
    let rows: Vec<SessionRow> = sessions::table
        .filter(sessions::user_id.eq(user.get()).and(sessions::revoked_at.is_null()))
        .filter(sessions::last_used_at.gt(active).or(exists(lasting)))
        .order((sessions::last_used_at.desc(), sessions::created_at.desc(), sessions::id.desc()))
        .limit(Session::MOST_LISTED)
        .select(SessionRow::as_select())
        .load(conn)
        .await?;
    rows.into_iter().map(SessionRow::into_session).collect()
}

async fn addresses(conn: &mut Conn, phone: String) -> QueryResult<Vec<IpAddr>> {
    let owner = users::table.filter(users::phone.eq(phone)).select(users::id);
    let known: Vec<Option<String>> = sessions::table
        .filter(sessions::user_id.eq_any(owner).and(sessions::revoked_at.is_null()))
        .filter(sessions::address.is_not_null())
        .order((sessions::last_used_at.desc(), sessions::created_at.desc(), sessions::id.desc()))
        .limit(Session::MOST_LISTED)
        .select(sessions::address)
        .load(conn)
        .await?;
    known.into_iter().filter_map(|known| address(known, "sessions.address").transpose()).collect()
}

async fn revoke(conn: &mut Conn, session: i64, user: i64, now: Timestamp) -> QueryResult<bool> {
    let theirs = sessions::table.find(session).filter(sessions::user_id.eq(user));
    let live = theirs.filter(sessions::revoked_at.is_null());
    let revoked = diesel::update(live).set(sessions::revoked_at.eq(now)).execute(conn).await?;
    Ok(revoked > 0)
}

/// Whether a session is live, which it stays until the transaction ends.
pub(super) async fn holds(conn: &mut Conn, session: SessionId) -> QueryResult<bool> {
    let live = sessions::table.find(session.get()).filter(sessions::revoked_at.is_null()).select(sessions::id);
    Ok(locking!(live).get_result::<i64>(conn).await.optional()?.is_some())
}

/// Ends every session of a user, or every session but one; which they were, in order of id.
pub(super) async fn revoke_all(
    conn: &mut Conn,
    user: UserId,
    keep: Option<SessionId>,
    now: Timestamp,
) -> QueryResult<Vec<SessionId>> {
    let live = sessions::user_id.eq(user.get()).and(sessions::revoked_at.is_null());
    // Ids begin at 1, so that 0 keeps none.
    let others = live.and(sessions::id.ne(keep.map_or(0, SessionId::get)));
    let mut ids: Vec<i64> = diesel::update(sessions::table.filter(others))
        .set(sessions::revoked_at.eq(now))
        .returning(sessions::id)
        .get_results(conn)
        .await?;
    ids.sort_unstable();
    Ok(ids.into_iter().map(SessionId::new).collect())
}

async fn purge(conn: &mut Conn, now: Timestamp) -> QueryResult<u64> {
    let expired = refresh_tokens::expires_at.lt(now);
    let with_expired = refresh_tokens::table.filter(expired).select(refresh_tokens::session_id);
    let left = refresh_tokens::table
        .filter(refresh_tokens::session_id.eq(sessions::id))
        .filter(refresh_tokens::expires_at.ge(now));
    let gone = diesel::delete(sessions::table.filter(sessions::id.eq_any(with_expired)).filter(not(exists(left))))
        .execute(conn)
        .await?;
    diesel::delete(refresh_tokens::table.filter(expired)).execute(conn).await?;
    Ok(u64::try_from(gone).unwrap_or(u64::MAX))
}
