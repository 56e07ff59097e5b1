//! `sync`.

use mango_contract::sync::{SyncPayload, SyncReply};
use mango_domain::Result;

use crate::connection::Connection;

/// The answer is read while the socket is in the rooms of all chats of its user, so that what is committed afterwards comes as an event. It has
/// been in them since it connected and is put into those of new chats, but for a chat of which it is not known yet that it was created:
/// then it is put there, and the answer is read once more.
pub(super) async fn run(connection: &Connection, payload: SyncPayload) -> Result<SyncReply> {
    let (principal, request) = (connection.principal(), payload.into_domain()?);
    loop {
        let page = connection.context().use_cases.sync.run(&principal, request.clone()).await?;
        if !connection.enter(&page.member_of) {
            return Ok(SyncReply::seen_by(principal.user, &page));
        }
    }
}
