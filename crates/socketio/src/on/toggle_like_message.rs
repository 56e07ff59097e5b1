//! `toggle_like_message`.

use mango_contract::ack::LikeAck;
use mango_contract::message::ToggleLikePayload;
use mango_domain::Result;
use mango_domain::model::Origin;

use crate::connection::Connection;

pub(super) async fn run(connection: &Connection, payload: ToggleLikePayload, origin: Origin) -> Result<LikeAck> {
    let principal = connection.principal();
    let like = connection.context().use_cases.toggle_like.run(&principal, payload.into_domain(), Some(origin)).await?;
    Ok(LikeAck::from(&like))
}
