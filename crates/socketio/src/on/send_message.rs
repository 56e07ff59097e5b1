//! `send_message`.

use mango_contract::ack::MessageAck;
use mango_contract::message::SendMessagePayload;
use mango_domain::Result;
use mango_domain::model::Origin;

use crate::connection::Connection;

pub(super) async fn run(connection: &Connection, payload: SendMessagePayload, origin: Origin) -> Result<MessageAck> {
    let outgoing = payload.into_domain(origin)?;
    let sent = connection.context().use_cases.send_message.run(&connection.principal(), outgoing).await?;
    Ok(MessageAck::from(&sent))
}
