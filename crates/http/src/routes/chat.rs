//! Chats of the caller. They are made over Socket.IO.

use actix_web::http::Method;
use actix_web::{HttpResponse, web};
use mango_contract::chat::ChatReply;
use mango_domain::model::{ChatId, Rate};
use mango_domain::usecases::list_chats::ChatFilter;

use crate::error::HttpError;
use crate::extract::{Caller, Id, State};
use crate::limits::Limit;
use crate::resource::resource;

pub(super) fn configure(config: &mut web::ServiceConfig) {
    config
        .service(resource("/chat", [(Method::GET, Limit::User(Rate::Read), web::route().to(list_chats))]))
        .service(resource("/chat/pinned", [(Method::GET, Limit::User(Rate::Read), web::route().to(list_pinned_chats))]))
        .service(resource("/chat/{id}", [(Method::GET, Limit::User(Rate::Read), web::route().to(get_chat))]));
}

/// List one's chats
///
/// Most recently active first.
#[utoipa::path(
    get, path = "/chat", tag = "chats",
    security(("login" = []), ("bearer" = [])),
    responses((status = 200, description = "All chats that the caller is in", body = [ChatReply]))
)]
pub(crate) async fn list_chats(state: State, caller: Caller) -> Result<HttpResponse, HttpError> {
    list(&state, &caller, ChatFilter::All).await
}

/// List one's pinned chats
///
/// Most recently active first.
#[utoipa::path(
    get, path = "/chat/pinned", tag = "chats",
    security(("login" = []), ("bearer" = [])),
    responses((status = 200, description = "The chats that the caller has pinned", body = [ChatReply]))
)]
pub(crate) async fn list_pinned_chats(state: State, caller: Caller) -> Result<HttpResponse, HttpError> {
    list(&state, &caller, ChatFilter::Pinned).await
}

/// Look at a chat
#[utoipa::path(
    get, path = "/chat/{id}", tag = "chats",
    params(("id" = i64, Path, description = "The chat's id")),
    security(("login" = []), ("bearer" = [])),
    responses(
        (status = 200, description = "The chat", body = ChatReply),
        (status = 404, description = "There is no such chat, or the caller is not in it"),
    )
)]
pub(crate) async fn get_chat(state: State, caller: Caller<Id<ChatId>>) -> Result<HttpResponse, HttpError> {
    let chat = state.use_cases.get_chat.run(&caller.principal, caller.rest.0).await?;
    Ok(HttpResponse::Ok().json(ChatReply::seen_by(caller.principal.user, &chat)))
}

async fn list(state: &State, caller: &Caller, filter: ChatFilter) -> Result<HttpResponse, HttpError> {
    let chats = state.use_cases.list_chats.run(&caller.principal, filter).await?;
    let reader = caller.principal.user;
    let chats: Vec<ChatReply> = chats.iter().map(|chat| ChatReply::seen_by(reader, chat)).collect();
    Ok(HttpResponse::Ok().json(chats))
}
