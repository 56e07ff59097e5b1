//! The history of a chat. Messages are sent over Socket.IO.

use actix_web::http::{Method, header};
use actix_web::{HttpResponse, web};
use mango_contract::message::{HistoryQuery, MessageReply};
use mango_domain::model::ChatId;

use super::link;
use crate::error::HttpError;
use crate::extract::{Caller, Id, Query, State};
use crate::resource::resource;

pub(super) fn configure(config: &mut web::ServiceConfig) {
    config.service(resource("/message/{chat_id}", [(Method::GET, web::route().to(list_messages))]));
}

/// Read the history of a chat
///
/// A page of messages, newest first. With `after` alone it holds the messages that come next after that `seq`, so that a client
/// which was away catches up without a gap; otherwise it holds the newest that fit. While there are more in the same
/// direction, the `Link` header with `rel="next"` leads to them.
#[utoipa::path(
    get, path = "/message/{chat_id}", tag = "messages",
    params(("chat_id" = i64, Path, description = "The chat's id"), HistoryQuery),
    security(("login" = []), ("bearer" = [])),
    responses(
        (status = 200, description = "The messages, newest first", body = [MessageReply],
            headers(("Link" = String, description = "`<…>; rel=\"next\"` while there are more messages"))),
        (status = 404, description = "There is no such chat, or the caller is not in it"),
        (status = 422, description = "A parameter is not a number or out of bounds"),
    )
)]
pub(crate) async fn list_messages(
    state: State,
    caller: Caller<(Id<ChatId>, Query<HistoryQuery>)>,
) -> Result<HttpResponse, HttpError> {
    let Caller { principal, rest: (Id(chat), Query(query)) } = caller;
    let request = query.into_domain()?;
    let page = state.use_cases.list_messages.run(&principal, chat, request).await?;
    let mut response = HttpResponse::Ok();
    if let Some(link) = link::next(chat, &request, &page) {
        response.insert_header((header::LINK, link));
    }
    let messages: Vec<MessageReply> = page.messages.iter().map(MessageReply::from).collect();
    Ok(response.json(messages))
}
