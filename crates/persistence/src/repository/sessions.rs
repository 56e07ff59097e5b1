//! The store of sessions and of the hashes of their refresh tokens.

use async_trait::async_trait;
use diesel::dsl::{exists, not};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use futures_util::FutureExt;
use mango_domain::Failure;
use mango_domain::model::{NewSession, RefreshHash, Rotation, SessionId, Timestamp, UserId};
use mango_domain::ports::Sessions;

use super::super::Conn;
use super::super::schema::{refresh_tokens, sessions};
use super::Repository;

#[async_trait]
impl Sessions for Repository {
    async fn begin(&self, session: NewSession) -> Result<SessionId, Failure> {
        self.transact(|conn| begin(conn, session).boxed()).await.map_err(|fault| fault.during("begin session"))
    }

    async fn rotate(
        &self,
        presented: &RefreshHash,
        successor: &RefreshHash,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<Rotation, Failure> {
        let (presented, successor) = (presented.clone(), successor.clone());
        self.transact(move |conn| rotate(conn, presented, successor, now, expires_at).boxed())
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

    async fn revoke(&self, session: SessionId, now: Timestamp) -> Result<bool, Failure> {
        self.write(move |conn| revoke(conn, session.get(), now).boxed())
            .await
            .map_err(|fault| fault.during("revoke session"))
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
            sessions::created_at.eq(session.created_at),
        ))
        .returning(sessions::id)
        .get_result(conn)
        .await?;
    add_token(conn, id, &session.refresh, None, session.expires_at).await?;
    Ok(SessionId::new(id))
}

async fn rotate(
    conn: &mut Conn,
    presented: RefreshHash,
    successor: RefreshHash,
    now: Timestamp,
    expires_at: Timestamp,
) -> QueryResult<Rotation> {
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
    if base != presented.as_bytes() {
        if parent.as_ref() != Some(&base) {
            revoke(conn, session, now).await?;
            return Ok(Rotation::Reused { session: SessionId::new(session) });
        }
        diesel::update(sessions::table.find(session))
            .set(sessions::base_token.eq(presented.as_bytes().as_slice()))
            .execute(conn)
            .await?;
    }
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

async fn revoke(conn: &mut Conn, session: i64, now: Timestamp) -> QueryResult<bool> {
    let live = sessions::table.find(session).filter(sessions::revoked_at.is_null());
    let revoked = diesel::update(live).set(sessions::revoked_at.eq(now)).execute(conn).await?;
    Ok(revoked > 0)
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
