//! Chats of the caller. They are made over Socket.IO.

use std::io;

use actix_web::http::Method;
use actix_web::http::header::ContentType;
use actix_web::web::Bytes;
use actix_web::{HttpResponse, web};
use futures_util::Stream;
use mango_contract::chat::ChatReply;
use mango_domain::model::{ChatId, Principal, Rate};
use mango_domain::ports::ChatSelection;
use mango_domain::usecases::list_chats::ListedChats;

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

/// List your chats
///
/// Most recently active first.
#[utoipa::path(
    get, path = "/chat", tag = "chats",
    security(("login" = []), ("bearer" = [])),
    responses((status = 200, description = "All chats that the caller is in", body = [ChatReply]))
)]
pub(crate) async fn list_chats(state: State, caller: Caller) -> Result<HttpResponse, HttpError> {
    list(&state, &caller, ChatSelection::All).await
}

/// List your pinned chats
///
/// Most recently active first.
#[utoipa::path(
    get, path = "/chat/pinned", tag = "chats",
    security(("login" = []), ("bearer" = [])),
    responses((status = 200, description = "The chats that the caller has pinned", body = [ChatReply]))
)]
pub(crate) async fn list_pinned_chats(state: State, caller: Caller) -> Result<HttpResponse, HttpError> {
    list(&state, &caller, ChatSelection::Pinned).await
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

async fn list(state: &State, caller: &Caller, selection: ChatSelection) -> Result<HttpResponse, HttpError> {
    let first = state.use_cases.list_chats.run(&caller.principal, selection).await?;
    if first.rest.is_empty() {
        return Ok(HttpResponse::Ok().json(replies(&caller.principal, &first)));
    }
    Ok(HttpResponse::Ok().content_type(ContentType::json()).streaming(array(state.clone(), caller.principal, first)))
}

fn replies(reader: &Principal, listed: &ListedChats) -> Vec<ChatReply> {
    listed.chats.iter().map(|chat| ChatReply::seen_by(reader.user, chat)).collect()
}

/// What comes next of an array.
enum Next {
    First(ListedChats),
    More(Vec<ChatId>),
}

/// The JSON array of a list that is too large to be held at once, however many ask for theirs: a page is read when the client has
/// taken the one before. When one cannot be read the answer breaks off, since its status is said already.
fn array(state: State, reader: Principal, first: ListedChats) -> impl Stream<Item = io::Result<Bytes>> {
    futures_util::stream::try_unfold(Some(Next::First(first)), move |next| {
        let state = state.clone();
        async move {
            let (opening, page) = match next {
                None => return Ok(None),
                Some(Next::First(page)) => ("[", page),
                Some(Next::More(rest)) => (",", read(&state, &reader, rest).await?),
            };
            let chats = serde_json::to_string(&replies(&reader, &page))?;
            let chats = chats.strip_prefix('[').unwrap_or_default().strip_suffix(']').unwrap_or_default();
            let opening = if page.chats.is_empty() { "" } else { opening };
            let (next, closing) = match page.rest {
                rest if rest.is_empty() => (None, "]"),
                rest => (Some(Next::More(rest)), ""),
            };
            Ok(Some((Bytes::from([opening, chats, closing].concat()), next)))
        }
    })
}

async fn read(state: &State, reader: &Principal, chats: Vec<ChatId>) -> io::Result<ListedChats> {
    state.use_cases.list_chats.run(reader, ChatSelection::These(chats)).await.map_err(|error| {
        HttpError::Domain(error).log();
        io::Error::other("the rest of the list could not be read")
    })
}
