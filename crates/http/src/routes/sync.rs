//! Catching up without a socket.

use actix_web::http::Method;
use actix_web::{HttpRequest, HttpResponse, web};
use mango_contract::sync::{SyncPayload, SyncReply};
use mango_domain::model::Rate;

use crate::answers;
use crate::error::HttpError;
use crate::extract::{Caller, Json, State};
use crate::limits::Limit;
use crate::peer;
use crate::resource::resource;

pub(super) fn configure(config: &mut web::ServiceConfig) {
    config.service(resource("/sync", [(Method::POST, Limit::User(Rate::Read), web::route().to(sync))]));
}

/// Catch up
///
/// The same as the event `sync`: what changed in the caller's chats since the versions that the client knows, as it is now.
/// While `more` is true there is more: ask again with the versions of the answer. A client that knows more chats than one call may name asks
/// part by part, with `chats_after` and `chats_until`.
#[utoipa::path(
    post, path = "/sync", tag = "messages",
    request_body = SyncPayload,
    security(("login" = []), ("bearer" = [])),
    responses((status = 200, description = "What changed", body = SyncReply))
)]
pub(crate) async fn sync(
    request: HttpRequest,
    state: State,
    caller: Caller<Json<SyncPayload>>,
) -> Result<HttpResponse, HttpError> {
    let Caller { principal, rest: Json(known) } = caller;
    let page = state.use_cases.sync.run(&principal, known).await?;
    let last = page.chats.iter().filter_map(|changes| changes.chat.as_ref()?.last_message.as_ref());
    let size = answers::weight(page.chats.iter().flat_map(|changes| &changes.messages).chain(last));
    let reply = move || SyncReply::seen_by(principal.user, &page);
    answers::write(&state, peer::client(&request), size, reply).await
}
