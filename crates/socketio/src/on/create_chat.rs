//! `create_chat`.

use mango_contract::ack::ChatAck;
use mango_contract::chat::{ChatReply, CreateChatPayload};
use mango_domain::Result;
use mango_domain::model::Origin;

use crate::connection::Connection;

pub(super) async fn run(connection: &Connection, payload: CreateChatPayload, origin: Origin) -> Result<ChatAck> {
    let request = payload.into_domain(origin)?;
    let principal = connection.principal();
    let chat = connection.context().use_cases.create_chat.run(&principal, request).await?;
    Ok(ChatAck { chat: ChatReply::seen_by(principal.user, &chat) })
}
