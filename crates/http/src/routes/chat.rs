//! Chats of the caller. They are made over Socket.IO.

use std::future::ready;
use std::io;

use actix_web::http::Method;
use actix_web::http::header::ContentType;
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::{Stream, StreamExt as _, stream};
use mango_contract::chat::ChatReply;
use mango_domain::model::{ChatId, Held, Principal, Rate};
use mango_domain::ports::ChatSelection;
use mango_domain::usecases::list_chats::ListedChats;
use mango_domain::{Error, Failure};

use crate::error::HttpError;
use crate::extract::{Caller, Id, State};
use crate::limits::Limit;
use crate::peer;
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
pub(crate) async fn list_chats(request: HttpRequest, state: State, caller: Caller) -> Result<HttpResponse, HttpError> {
    list(&request, &state, &caller, ChatSelection::All).await
}

/// List your pinned chats
///
/// Most recently active first.
#[utoipa::path(
    get, path = "/chat/pinned", tag = "chats",
    security(("login" = []), ("bearer" = [])),
    responses((status = 200, description = "The chats that the caller has pinned", body = [ChatReply]))
)]
pub(crate) async fn list_pinned_chats(
    request: HttpRequest,
    state: State,
    caller: Caller,
) -> Result<HttpResponse, HttpError> {
    list(&request, &state, &caller, ChatSelection::Pinned).await
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

async fn list(
    request: &HttpRequest,
    state: &State,
    caller: &Caller,
    selection: ChatSelection,
) -> Result<HttpResponse, HttpError> {
    let first = state.use_cases.list_chats.run(&caller.principal, selection).await?;
    if first.rest.is_empty() {
        return Ok(HttpResponse::Ok().json(replies(&caller.principal, &first)));
    }
    let reader = caller.principal;
    let chats = written(&reader, &first).map_err(|error| Error::Failed(Failure::broken("write a list", error)))?;
    let held = state.answers.hold(peer::client(request), chats.len())?;
    let opening = Ok(Bytes::from(["[", &chats].concat()));
    let array = stream::once(ready(opening)).chain(following(state.clone(), reader, held, first.rest));
    Ok(HttpResponse::Ok().content_type(ContentType::json()).streaming(array))
}

fn replies(reader: &Principal, listed: &ListedChats) -> Vec<ChatReply> {
    listed.chats.iter().map(|chat| ChatReply::seen_by(reader.user, chat)).collect()
}

/// Chats as they stand in an array.
fn written(reader: &Principal, page: &ListedChats) -> serde_json::Result<String> {
    let chats = serde_json::to_string(&replies(reader, page))?;
    Ok(chats.strip_prefix('[').unwrap_or_default().strip_suffix(']').unwrap_or_default().to_owned())
}

/// What follows the first page in the JSON array of a list that is too large to be held at once, however many ask for theirs: a page is
/// read when the client has taken the one before, and takes its room over. When one cannot be read or is too large for what room there
/// is, the answer breaks off, since its status is said already.
fn following(state: State, reader: Principal, held: Held, rest: Vec<ChatId>) -> impl Stream<Item = io::Result<Bytes>> {
    stream::try_unfold((held, Some(rest)), move |(mut held, rest)| {
        let state = state.clone();
        async move {
            let Some(rest) = rest else { return Ok(None) };
            let page = read(&state, &reader, rest).await?;
            let chats = written(&reader, &page)?;
            if !state.answers.hold_more(&mut held, chats.len()) {
                return Err(io::Error::other("there is no room for the rest of the list"));
            }
            let comma = if page.chats.is_empty() { "" } else { "," };
            let (rest, closing) = if page.rest.is_empty() { (None, "]") } else { (Some(page.rest), "") };
            Ok(Some((Bytes::from([comma, &chats, closing].concat()), (held, rest))))
        }
    })
}

async fn read(state: &State, reader: &Principal, chats: Vec<ChatId>) -> io::Result<ListedChats> {
    state.use_cases.list_chats.run(reader, ChatSelection::These(chats)).await.map_err(|error| {
        HttpError::Domain(error).log();
        io::Error::other("the rest of the list could not be read")
    })
}
