//! The answers that wait to be read: how much all of them may hold together, and how much those of one client.

use actix_web::HttpResponse;
use actix_web::body::{BodySize, BoxBody, MessageBody as _};
use actix_web::dev::ServiceResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::ContentType;
use bytes::Bytes;
use mango_contract::Problem;
use mango_domain::model::{Client, Held, PostedMessage, Room};
use mango_domain::{Error, Failure};
use serde::Serialize;

use crate::HttpState;
use crate::bodies::COME_BACK;
use crate::error::HttpError;
use crate::extract::State;
use crate::peer;
use crate::pieces::Pieces;

/// An answer up to this size is not counted. It fits in what the operating system buffers for a connection.
const SMALL: usize = 64 * 1024;

/// About how many bytes a message takes in JSON without its content and its likes.
const FRAME: usize = 256;

/// About how many bytes somebody who likes a message takes in JSON.
const LIKER: usize = 128;

/// Holds answers until they are read. Clones share their room.
#[derive(Debug, Clone)]
pub struct Answers {
    room: Room,
    /// As much as an answer takes that is larger.
    most: usize,
}

impl Answers {
    /// How many bytes large answers hold together, where nothing else is said.
    pub const ROOM: usize = 128 * 1024 * 1024;

    /// Large answers hold at most so many bytes together, those of one user an eighth of what all others leave of it, and those to one address a
    /// quarter.
    #[must_use]
    pub fn new(room: usize) -> Self {
        Self { room: Room::new(room), most: room / 8 }
    }

    /// Takes room for an answer, or the part of one that is there. One that is larger than what a user may ever hold takes all of that.
    pub(crate) fn hold(&self, by: Client, bytes: usize) -> Result<Held, HttpError> {
        self.room.hold(by, bytes.min(self.most)).ok_or_else(|| no_room().into())
    }

    /// Takes more room for what comes next of an answer.
    pub(crate) fn hold_more(&self, held: &mut Held, bytes: usize) -> bool {
        held.grow_to(bytes.min(self.most))
    }
}

/// Writes an answer in JSON, given about how large that will be. For a large one room is taken first, and it is written on another
/// thread, as [`Bodies::work`](crate::Bodies::work) has it.
pub(crate) async fn write<T: Serialize>(
    state: &HttpState,
    by: Client,
    size: usize,
    reply: impl FnOnce() -> T + Send + 'static,
) -> Result<HttpResponse, HttpError> {
    let held = (size > SMALL).then(|| state.answers.hold(by, size)).transpose()?;
    let written = state.uploads.work(size, move || serde_json::to_vec(&reply())).await?;
    let written = Bytes::from(written.map_err(|error| Error::Failed(Failure::broken("write an answer", error)))?);
    let mut response = HttpResponse::Ok();
    response.content_type(ContentType::json());
    let Some(mut held) = held else { return Ok(response.body(written)) };
    if !state.answers.hold_more(&mut held, written.len()) {
        return Err(no_room().into());
    }
    Ok(response.body(Pieces::holding(written, Some(held))))
}

/// About how large messages are in JSON, with those who like them.
pub(crate) fn weight<'a>(messages: impl IntoIterator<Item = &'a PostedMessage>) -> usize {
    let more = |byte: u8| match byte {
        0..=0x1F => 5,
        b'"' | b'\\' => 1,
        _ => 0,
    };
    let in_json = |content: &str| content.len() + content.bytes().map(more).sum::<usize>();
    let weigh = |posted: &PostedMessage| in_json(posted.message.body.content()) + FRAME + posted.likes.len() * LIKER;
    messages.into_iter().map(weigh).sum()
}

/// Has a large answer hold room until it is read or its client is gone, or answers 503 where there is none.
pub(crate) fn bounded(response: ServiceResponse) -> ServiceResponse {
    let large = |length: u64| usize::try_from(length).is_ok_and(|length| length > SMALL);
    if !matches!(response.response().body().size(), BodySize::Sized(length) if large(length)) {
        return response;
    }
    let (request, response) = response.into_parts();
    let (response, body) = response.into_parts();
    let body = match body.try_into_bytes() {
        Ok(body) => body,
        // It is not there yet, but read from a file, or holds room already.
        Err(body) => return ServiceResponse::new(request, response.set_body(body)),
    };
    let held =
        request.app_data::<State>().map(|state| state.answers.hold(peer::client(&request), body.len())).transpose();
    match held {
        Ok(held) => ServiceResponse::new(request, response.set_body(BoxBody::new(Pieces::holding(body, held)))),
        // What was done is done, and who is told otherwise would do it again.
        Err(_) if response.status() != StatusCode::OK => {
            ServiceResponse::new(request, response.set_body(BoxBody::new(Pieces::of(body))))
        }
        Err(refusal) => ServiceResponse::from_err(refusal, request),
    }
}

fn no_room() -> Problem {
    let detail =
        "too many large answers wait to be read, by all or by you: read them, and try again shortly".to_owned();
    Problem { detail, ..Problem::unavailable(COME_BACK) }
}
