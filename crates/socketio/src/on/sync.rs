//! `sync`.

use mango_contract::sync::{SyncPayload, SyncReply};
use mango_domain::Result;

use crate::connection::Connection;

/// The socket has been in its rooms since it connected, so what is committed after this has read comes as an event.
pub(super) async fn run(connection: &Connection, payload: SyncPayload) -> Result<SyncReply> {
    let principal = connection.principal();
    let page = connection.context().use_cases.sync.run(&principal, payload.into_domain()?).await?;
    Ok(SyncReply::seen_by(principal.user, &page))
}
