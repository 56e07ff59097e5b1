//! `create_chat`.

use mango_contract::ack::ChatAck;
use mango_contract::chat::{ChatReply, CreateChatPayload};
use mango_domain::Result;

use crate::connection::Connection;

pub(super) async fn run(connection: &Connection, payload: CreateChatPayload) -> Result<ChatAck> {
    let request = payload.into_domain(Some(connection.id().clone()))?;
    let chat = connection.context().use_cases.create_chat.run(&connection.principal(), request).await?;
    Ok(ChatAck { chat: ChatReply::from(&chat) })
}
