//! The bodies of requests: how large one may be, how long it may take, and how much all of them may hold together.

use std::io;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::{HttpMessage as _, HttpRequest, web};
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use mango_contract::{Problem, ProblemKind};
use mango_domain::model::{Client, Held, Room};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use crate::error::HttpError;
use crate::peer;

/// The slowest that a body may come in the long run, in bytes a second: a bad mobile connection.
const SLOWEST: u32 = 16 * 1024;

/// How long the next part of a body may take to arrive that says that it is small, at most. Such a body mostly comes with its head, and the room
/// for them is what everybody needs who logs in.
const SMALL_PATIENCE: Duration = Duration::from_secs(5);

/// When there may be room again for a body, or an answer, that found none.
pub(crate) const COME_BACK: Duration = Duration::from_secs(5);

/// Up to this size a body takes less time to work on than it takes to hand it to another thread and back.
const QUICK: usize = 64 * 1024;

/// What bodies may be.
#[derive(Debug, Clone, Copy)]
pub struct BodyLimits {
    /// Most bytes of one.
    pub largest: usize,
    /// Most bytes of all that are being read and worked on, those apart that say they have at most [`CALL`](Self::CALL): they have a
    /// quarter as much for themselves, so that they find room while it is crowded with large ones. Bodies from one address hold at
    /// most a quarter of either, or a single one that is as large as may be, and less as it fills: of the large ones half of what all others
    /// leave, of the small ones a quarter.
    pub room: usize,
    /// How long the next part of one may take to arrive; for one that says that it is small, this or five seconds. A body that comes slower
    /// than 16 KiB a second uses this time up, so that all of it has to be there after this time and a second for each 16 KiB.
    pub patience: Duration,
}

impl BodyLimits {
    /// The largest body of a login or of a call that asks for new tokens.
    pub const CALL: usize = 64 * 1024;

    /// Bodies up to this size: four of the largest at once, but 64 MiB in any case, and 30 seconds of patience.
    #[must_use]
    pub fn up_to(largest: usize) -> Self {
        const LEAST_ROOM: usize = 64 * 1024 * 1024;
        Self { largest, room: largest.saturating_mul(4).max(LEAST_ROOM), patience: Duration::from_secs(30) }
    }
}

/// Reads the bodies of requests under limits. Clones share their room.
#[derive(Debug, Clone)]
pub struct Bodies {
    limits: BodyLimits,
    room: Room,
    /// For bodies that say that they are small.
    small: Room,
    /// A permit for each thread that may work on large bodies.
    threads: Arc<Semaphore>,
}

impl Bodies {
    /// Reads bodies under these limits.
    #[must_use]
    pub fn new(limits: BodyLimits) -> Self {
        let threads = available_parallelism().map_or(1, usize::from);
        let small = (limits.room / 4).max(4 * BodyLimits::CALL);
        Self {
            limits,
            room: Room::for_few(limits.room).at_most((limits.room / 4).max(limits.largest)),
            small: Room::new(small),
            threads: Arc::new(Semaphore::new(threads)),
        }
    }

    /// Reads a body whole. The room that it takes is free again when the request is dropped.
    ///
    /// # Errors
    /// 415 when it is compressed, 413 when it is too large, 408 when it takes too long, 400 when it breaks off, and 503 when other
    /// bodies have taken all the room.
    pub async fn read(&self, request: &HttpRequest, payload: Payload) -> Result<Bytes, Problem> {
        let collected = self.parts(request, payload)?.try_fold(BytesMut::new(), |mut body, part| {
            body.extend_from_slice(&part);
            std::future::ready(Ok(body))
        });
        collected.await.map(BytesMut::freeze).map_err(|error| self.refusal(&error))
    }

    /// Reads a body part by part, as [`read`](Self::read) does. The error that may come in place of a part is one for
    /// [`refusal`](Self::refusal).
    pub(crate) fn parts(
        &self,
        request: &HttpRequest,
        payload: Payload,
    ) -> Result<impl Stream<Item = Result<Bytes, PayloadError>> + use<>, Problem> {
        let by = Client::at(peer::address(request));
        let (room, patience) = self.check(request.headers(), by)?;
        let reading = Reading {
            room: room.clone(),
            by,
            patience,
            request: request.clone(),
            payload,
            left: self.limits.largest,
            deadline: Instant::now() + patience,
        };
        Ok(stream::try_unfold(reading, |mut reading| async move {
            let part = reading.next().await?;
            Ok(part.map(|part| (part, reading)))
        }))
    }

    /// Refuses a body for what is said of it, before any of it is read, and finds the room for it and how long its parts may take.
    fn check(&self, headers: &HeaderMap, by: Client) -> Result<(&Room, Duration), Problem> {
        let is_plain = |coding: &HeaderValue| coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity");
        if !headers.get_all(header::CONTENT_ENCODING).all(is_plain) {
            let detail = "the body must not be compressed: send it without Content-Encoding";
            return Err(Problem::new(ProblemKind::UnsupportedMediaType, detail));
        }
        let declared =
            headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        let patience = self.limits.patience;
        let (room, patience) = if declared.is_some_and(|length| length <= BodyLimits::CALL) {
            (&self.small, patience.min(SMALL_PATIENCE))
        } else {
            (&self.room, patience)
        };
        match declared {
            Some(length) if length > self.limits.largest => Err(self.too_large()),
            Some(length) if !room.has(by, length) => Err(no_room()),
            _ => Ok((room, patience)),
        }
    }

    /// What a client is told of a body that did not come whole.
    pub(crate) fn refusal(&self, error: &PayloadError) -> Problem {
        match error {
            PayloadError::Overflow => self.too_large(),
            PayloadError::Io(error) if error.kind() == io::ErrorKind::TimedOut => {
                Problem::new(ProblemKind::RequestTimeout, "the body took too long to arrive")
            }
            PayloadError::Io(error) if error.kind() == io::ErrorKind::OutOfMemory => no_room(),
            _ => Problem::new(ProblemKind::BadRequest, "the body did not arrive whole"),
        }
    }

    fn too_large(&self) -> Problem {
        let detail = format!("the body may have at most {} bytes", self.limits.largest);
        Problem::new(ProblemKind::TooLarge, detail)
    }

    /// Does work whose time grows with the size of a body: right here when that is small, otherwise on a thread of its own, so that
    /// the other requests of this worker need not wait for it. As many threads work at a time as there are cores.
    pub(crate) async fn work<T: Send + 'static>(
        &self,
        size: usize,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, HttpError> {
        if size <= QUICK {
            return Ok(work());
        }
        let crashed = |error: &dyn std::error::Error| HttpError::Crashed(error.to_string());
        let turn = self.threads.clone().acquire_owned().await.map_err(|error| crashed(&error))?;
        let work = move || {
            // The thread is taken until the work ends, even when the client is gone by then.
            let _turn = turn;
            work()
        };
        web::block(work).await.map_err(|error| crashed(&error))
    }
}

fn no_room() -> Problem {
    let detail = "too much is being uploaded at the moment, by all or from your address: try again shortly".to_owned();
    Problem { detail, ..Problem::unavailable(COME_BACK) }
}

/// A body that is being read.
struct Reading {
    room: Room,
    by: Client,
    patience: Duration,
    request: HttpRequest,
    payload: Payload,
    left: usize,
    deadline: Instant,
}

impl Reading {
    async fn next(&mut self) -> Result<Option<Bytes>, PayloadError> {
        let part = timeout_at(self.deadline, self.payload.next()).await;
        let Some(part) = part.map_err(|_| failed(io::ErrorKind::TimedOut))?.transpose()? else { return Ok(None) };
        self.left = self.left.checked_sub(part.len()).ok_or(PayloadError::Overflow)?;
        if !self.hold(part.len()) {
            return Err(failed(io::ErrorKind::OutOfMemory));
        }
        let length = u32::try_from(part.len()).map_err(|_| PayloadError::Overflow)?;
        let earned = Duration::from_secs(length.into()) / SLOWEST;
        self.deadline = (self.deadline + earned).min(Instant::now() + self.patience);
        Ok(Some(part))
    }

    /// Takes room for a part, which the request keeps until it is answered.
    fn hold(&self, bytes: usize) -> bool {
        let mut extensions = self.request.extensions_mut();
        if let Some(held) = extensions.get_mut::<Held>() {
            return held.grow(bytes);
        }
        let held = self.room.hold(self.by, bytes);
        let is_held = held.is_some();
        if let Some(held) = held {
            extensions.insert(held);
        }
        is_held
    }
}

fn failed(kind: io::ErrorKind) -> PayloadError {
    PayloadError::Io(kind.into())
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[actix_web::test]
    async fn large_bodies_are_worked_on_elsewhere() {
        let bodies = Bodies::new(BodyLimits::up_to(1 << 20));
        let here = thread::current().id();
        let place = || thread::current().id();
        assert_eq!(bodies.work(QUICK, place).await.unwrap(), here);
        assert_ne!(bodies.work(QUICK + 1, place).await.unwrap(), here);
        let crashed = bodies.work(QUICK + 1, || panic!("it crashed")).await;
        assert!(matches!(crashed, Err(HttpError::Crashed(_))));
        // The crash has not used up a thread.
        for _ in 0..100 {
            bodies.work(QUICK + 1, || ()).await.unwrap();
        }
    }
}
