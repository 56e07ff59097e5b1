//! Who is a member of a chat.

use diesel::dsl::exists;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use mango_domain::model::{ChatId, UserId};

use super::super::Conn;
use super::super::schema::members;

/// Whether the user is a member of the chat; false when there is no such chat.
pub(super) async fn is_member(conn: &mut Conn, chat: ChatId, user: UserId) -> QueryResult<bool> {
    diesel::select(exists(members::table.find((chat.get(), user.get())))).get_result(conn).await
}
