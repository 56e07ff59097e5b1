//! `toggle_like_message`.

use mango_contract::ack::LikeAck;
use mango_contract::message::ToggleLikePayload;
use mango_domain::Result;

use crate::connection::Connection;

pub(super) async fn run(connection: &Connection, payload: ToggleLikePayload) -> Result<LikeAck> {
    let (principal, origin) = (connection.principal(), connection.id().clone());
    let like = connection.context().use_cases.toggle_like.run(&principal, payload.into_domain(), Some(origin)).await?;
    Ok(LikeAck::from(&like))
}
