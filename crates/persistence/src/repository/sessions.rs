//! The store of sessions and of the hashes of their refresh tokens.

use async_trait::async_trait;
use diesel::dsl::{exists, not};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use futures_util::FutureExt;
use mango_domain::Failure;
use mango_domain::model::{NewSession, RefreshHash, Renewal, Rotation, Session, SessionId, Timestamp, UserId};
use mango_domain::ports::Sessions;

use super::super::Conn;
use super::super::schema::{refresh_tokens, sessions};
use super::Repository;
use super::rows::SessionRow;

#[async_trait]
impl Sessions for Repository {
    async fn begin(&self, session: NewSession) -> Result<SessionId, Failure> {
        self.transact(|conn| begin(conn, session).boxed()).await.map_err(|fault| fault.during("begin session"))
    }

    async fn rotate(&self, presented: &RefreshHash, renewal: Renewal) -> Result<Rotation, Failure> {
        let presented = presented.clone();
        self.transact(move |conn| rotate(conn, presented, renewal).boxed())
            .await
            .map_err(|fault| fault.during("rotate refresh token"))
    }

    async fn is_live(&self, session: SessionId, user: UserId) -> Result<bool, Failure> {
        self.read(move |conn| {
            let owned = sessions::table.find(session.get()).filter(sessions::user_id.eq(user.get()));
            let live = owned.filter(sessions::revoked_at.is_null());
            diesel::select(exists(live)).get_result(conn).boxed()
        })
        .await
        .map_err(|fault| fault.during("look up session"))
    }

    async fn list(&self, user: UserId) -> Result<Vec<Session>, Failure> {
        self.read(move |conn| list(conn, user).boxed()).await.map_err(|fault| fault.during("list sessions"))
    }

    async fn revoke(&self, session: SessionId, user: UserId, now: Timestamp) -> Result<bool, Failure> {
        self.write(move |conn| revoke(conn, session.get(), user.get(), now).boxed())
            .await
            .map_err(|fault| fault.during("revoke session"))
    }

    async fn revoke_others(&self, user: UserId, keep: SessionId, now: Timestamp) -> Result<Vec<SessionId>, Failure> {
        self.write(move |conn| revoke_all(conn, user, Some(keep), now).boxed())
            .await
            .map_err(|fault| fault.during("revoke sessions"))
    }

    async fn purge(&self, now: Timestamp) -> Result<u64, Failure> {
        self.transact(move |conn| purge(conn, now).boxed()).await.map_err(|fault| fault.during("purge sessions"))
    }
}

async fn begin(conn: &mut Conn, session: NewSession) -> QueryResult<SessionId> {
    let id: i64 = diesel::insert_into(sessions::table)
        .values((
            sessions::user_id.eq(session.user.get()),
            sessions::base_token.eq(session.refresh.as_bytes().as_slice()),
            sessions::device.eq(session.visit.device.as_ref().map(|device| device.as_str())),
            sessions::address.eq(session.visit.address.map(|address| address.to_string())),
            sessions::created_at.eq(session.created_at),
            sessions::last_used_at.eq(session.created_at),
        ))
        .returning(sessions::id)
        .get_result(conn)
        .await?;
    add_token(conn, id, &session.refresh, None, session.expires_at).await?;
    Ok(SessionId::new(id))
}

async fn rotate(conn: &mut Conn, presented: RefreshHash, renewal: Renewal) -> QueryResult<Rotation> {
    let Renewal { successor, expires_at, now, address } = renewal;
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

async fn list(conn: &mut Conn, user: UserId) -> QueryResult<Vec<Session>> {
    let rows: Vec<SessionRow> = sessions::table
        .filter(sessions::user_id.eq(user.get()).and(sessions::revoked_at.is_null()))
        .order((sessions::last_used_at.desc(), sessions::id.desc()))
        .limit(Session::MOST_LISTED)
        .select(SessionRow::as_select())
        .load(conn)
        .await?;
    rows.into_iter().map(SessionRow::into_session).collect()
}

async fn revoke(conn: &mut Conn, session: i64, user: i64, now: Timestamp) -> QueryResult<bool> {
    let theirs = sessions::table.find(session).filter(sessions::user_id.eq(user));
    let live = theirs.filter(sessions::revoked_at.is_null());
    let revoked = diesel::update(live).set(sessions::revoked_at.eq(now)).execute(conn).await?;
    Ok(revoked > 0)
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
