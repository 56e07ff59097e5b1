//! The messages of a chat: its history, and sending without a socket.

use actix_web::http::{Method, header};
use actix_web::{HttpRequest, HttpResponse, web};
use mango_contract::message::{HistoryQuery, IDEMPOTENCY_KEY, MessageReply, PostMessageBody};
use mango_domain::model::{ChatId, Rate};
use mango_domain::{Error, FieldError};

use super::link;
use crate::answers;
use crate::error::HttpError;
use crate::extract::{Caller, Id, Json, Query, State};
use crate::limits::Limit;
use crate::peer;
use crate::resource::resource;

pub(super) fn configure(config: &mut web::ServiceConfig) {
    config.service(resource(
        "/message/{chat_id}",
        [
            (Method::GET, Limit::User(Rate::Read), web::route().to(list_messages)),
            (Method::POST, Limit::User(Rate::Send), web::route().to(send_message)),
        ],
    ));
}

/// Read the history of a chat
///
/// A page of messages, newest first. With `after` alone it holds the messages that come next after that `seq`, so that a client
/// which was away catches up without a gap; otherwise it holds the newest. It has as many as were asked for, or as many as fit, and
/// so says nothing of whether there are more: while there are in the same direction, the `Link` header with `rel="next"` leads to
/// them.
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
    request: HttpRequest,
    state: State,
    caller: Caller<(Id<ChatId>, Query<HistoryQuery>)>,
) -> Result<HttpResponse, HttpError> {
    let Caller { principal, rest: (Id(chat), Query(query)) } = caller;
    let asked = query.into_domain()?;
    let page = state.use_cases.list_messages.run(&principal, chat, asked).await?;
    let size = answers::weight(&page.messages);
    let link = link::next(chat, &asked, &page);
    let reply = move || -> Vec<_> {
        page.messages.iter().map(|posted| MessageReply::seen_by(principal.user, posted)).collect()
    };
    let mut response = answers::write(&state, peer::client(&request), size, reply).await?;
    if let Some(link) = link.and_then(|link| link.parse().ok()) {
        response.headers_mut().insert(header::LINK, link);
    }
    Ok(response)
}

/// Send a message
///
/// The same as the event `send_message`, for those who have no socket. With a `client_id`, or the header `Idempotency-Key` in its
/// place, it can be sent again without becoming two.
#[utoipa::path(
    post, path = "/message/{chat_id}", tag = "messages",
    params(
        ("chat_id" = i64, Path, description = "The chat's id"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same as `client_id`: 1 to 64 visible ASCII characters. \
            Double quotes around it are no part of it",
            example = "3f1c9a52-6d0e-4b7a-9a58-0d2f6c1e7b44"),
    ),
    request_body = PostMessageBody,
    security(("login" = []), ("bearer" = [])),
    responses(
        (status = 201, description = "The message, which is stored and told to the members", body = MessageReply),
        (status = 200, description = "The message that was sent before under this client id, as it is now", body = MessageReply),
        (status = 404, description = "There is no such chat, or the caller is not in it"),
        (status = 422, description = "A field is not valid, the client id was sent before with another content, or there are several keys or one \
            that differs from `client_id`"),
        (status = 507, description = "The server has no room left; nothing was stored"),
    )
)]
pub(crate) async fn send_message(
    state: State,
    caller: Caller<(Id<ChatId>, Json<PostMessageBody>)>,
    request: HttpRequest,
) -> Result<HttpResponse, HttpError> {
    let Caller { principal, rest: (Id(chat), Json(body)) } = caller;
    let mut keys = request.headers().get_all(IDEMPOTENCY_KEY);
    let key = match (keys.next(), keys.next()) {
        (Some(_), Some(_)) => return Err(FieldError::new(IDEMPOTENCY_KEY, "must be sent once").into()),
        (Some(key), None) => {
            Some(key.to_str().map_err(|_| FieldError::new(IDEMPOTENCY_KEY, "must be visible ASCII characters"))?)
        }
        (None, _) => None,
    };
    let outgoing = body.into_domain(chat, key).map_err(unprefixed)?;
    let sent = state.use_cases.send_message.run(&principal, outgoing).await.map_err(unprefixed)?;
    let mut response = if sent.duplicate { HttpResponse::Ok() } else { HttpResponse::Created() };
    Ok(response.json(MessageReply::from(&sent)))
}

/// Names fields as they are called here, where they are not inside of a `message`.
fn unprefixed(error: Error) -> Error {
    let Error::Invalid(errors) = error else { return error };
    let named =
        |FieldError { field, message }| FieldError::new(field.strip_prefix("message.").unwrap_or(&field), message);
    Error::Invalid(errors.into_iter().map(named).collect())
}
