//! The audit log.

use async_trait::async_trait;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use futures_util::FutureExt;
use mango_domain::Failure;
use mango_domain::model::{AuditEntry, SessionId, Timestamp, UserId};
use mango_domain::ports::Audit;

use super::super::Conn;
use super::super::schema::audit_log;
use super::Repository;
use super::rows::AuditRow;

#[async_trait]
impl Audit for Repository {
    async fn append(&self, entries: Vec<AuditEntry>) -> Result<(), Failure> {
        self.transact(|conn| append(conn, entries).boxed())
            .await
            .map_err(|fault| fault.during("append to the audit log"))
    }

    async fn newest(&self, limit: u32) -> Result<Vec<AuditEntry>, Failure> {
        self.read(move |conn| newest(conn, limit).boxed()).await.map_err(|fault| fault.during("read the audit log"))
    }

    async fn prune(&self, before: Timestamp) -> Result<u64, Failure> {
        self.write(move |conn| diesel::delete(audit_log::table.filter(audit_log::at.lt(before))).execute(conn).boxed())
            .await
            .map(|gone| u64::try_from(gone).unwrap_or(u64::MAX))
            .map_err(|fault| fault.during("prune the audit log"))
    }
}

/// One statement for each entry: SQLite numbers rows in the order of its statements, and a transaction is one trip to the disk
/// anyway.
async fn append(conn: &mut Conn, entries: Vec<AuditEntry>) -> QueryResult<()> {
    for AuditEntry { at, event, user, session, address } in entries {
        diesel::insert_into(audit_log::table)
            .values((
                audit_log::at.eq(at),
                audit_log::event.eq(event.name()),
                audit_log::user_id.eq(user.map(UserId::get)),
                audit_log::session_id.eq(session.map(SessionId::get)),
                audit_log::address.eq(address.map(|address| address.to_string())),
            ))
            .execute(conn)
            .await?;
    }
    Ok(())
}

async fn newest(conn: &mut Conn, limit: u32) -> QueryResult<Vec<AuditEntry>> {
    let rows: Vec<AuditRow> = audit_log::table
        .order(audit_log::id.desc())
        .limit(limit.into())
        .select(AuditRow::as_select())
        .load(conn)
        .await?;
    rows.into_iter().map(AuditRow::into_entry).collect()
}
