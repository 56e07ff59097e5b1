//! `send_message`.

use mango_contract::ack::MessageAck;
use mango_contract::message::{MessageReply, SendMessagePayload};
use mango_domain::Result;

use crate::connection::Connection;

pub(super) async fn run(connection: &Connection, payload: SendMessagePayload) -> Result<MessageAck> {
    let outgoing = payload.into_domain(Some(connection.id().clone()))?;
    let message = connection.context().use_cases.send_message.run(&connection.principal(), outgoing).await?;
    Ok(MessageAck { message: MessageReply::from(&*message) })
}
