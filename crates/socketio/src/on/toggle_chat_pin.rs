//! `toggle_chat_pin`.

use mango_contract::ack::PinAck;
use mango_contract::chat::TogglePinPayload;
use mango_domain::Result;

use crate::connection::Connection;

pub(super) async fn run(connection: &Connection, payload: TogglePinPayload) -> Result<PinAck> {
    let chat = payload.into_domain();
    let pin = connection.context().use_cases.toggle_pin.run(&connection.principal(), chat).await?;
    Ok(PinAck::from(&pin))
}
