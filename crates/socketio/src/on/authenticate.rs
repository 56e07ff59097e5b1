//! `authenticate`: a fresh token before the old one expires.

use mango_contract::ack::AuthenticateAck;
use mango_contract::event::{AuthenticatePayload, HangUpReason};
use mango_domain::error::Unauthenticated;
use mango_domain::{Error, Result};

use crate::connection::Connection;

/// The token may be of another session of the same user, with which the socket then goes on. The rooms of its chats are those of
/// its user, so another user has to connect anew.
pub(super) async fn run(connection: &Connection, payload: AuthenticatePayload) -> Result<AuthenticateAck> {
    let context = connection.context();
    let fresh = context.use_cases.authenticate.run(&payload.token).await?;
    if fresh.user != connection.principal().user {
        return Err(Error::Forbidden("the token is another user's, connect anew with it"));
    }
    connection.renew(fresh);
    if context.hub.has_ended(fresh.session) {
        // It ended between the check and the move.
        connection.hang_up(HangUpReason::SessionEnded);
        return Err(Error::Unauthenticated(Unauthenticated::Revoked));
    }
    Ok(AuthenticateAck { expires_at: fresh.expires_at.into() })
}
