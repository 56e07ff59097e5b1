//! One line in the log and one count in the metrics for each request.

use std::net::IpAddr;
use std::time::Instant;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::HeaderValue;
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _};
use mango_domain::model::UserId;
use tracing::Instrument as _;
use tracing::field::display;

use super::request_id::{self, X_REQUEST_ID};
use crate::error::HttpError;
use crate::extract::State;
use crate::peer::ClientAddress;

/// Left with a request by whoever finds out who sent it.
pub(crate) struct SentBy(pub UserId);

/// Left with a request by whoever knows that it comes all the time. It goes to the log at `debug`, unless it is refused or fails.
pub struct Routine;

/// The route of what has none. A path would be no template: anybody can make up a million of them.
pub const UNMATCHED: &str = "unmatched";

/// Gives the request its id, finds out whose it is, logs it and counts it.
pub(crate) async fn access(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let id = request_id::of(request.headers().get(X_REQUEST_ID).map(HeaderValue::as_bytes));
    let span = tracing::info_span!("request", request_id = %id);
    let address = client(&request);
    if let Some(address) = address {
        request.extensions_mut().insert(ClientAddress(address));
    }
    let mut entry = Entry::begin(request.method().as_str(), address);
    async move {
        let mut response = match next.call(request).await {
            Ok(response) => response.map_into_boxed_body(),
            Err(error) => {
                entry.end(error.as_response_error().status_code(), UNMATCHED, None);
                log_failure(&error);
                return Err(error);
            }
        };
        let route = response.request().match_pattern();
        let (user, routine) = {
            let extensions = response.request().extensions();
            (extensions.get::<SentBy>().map(|sender| sender.0), extensions.contains::<Routine>())
        };
        entry.quiet = routine && !response.status().is_client_error() && !response.status().is_server_error();
        entry.end(response.status(), route.as_deref().unwrap_or(UNMATCHED), user);
        if let Some(error) = response.response().error() {
            log_failure(error);
        }
        if let Ok(id) = HeaderValue::from_str(&id) {
            response.headers_mut().insert(X_REQUEST_ID, id);
        }
        Ok(response)
    }
    .instrument(span)
    .await
}

/// The address of the client.
fn client(request: &ServiceRequest) -> Option<IpAddr> {
    let (state, peer) = (request.app_data::<State>()?, request.peer_addr()?);
    Some(state.settings.trusted_proxies.client(peer.ip(), request.headers()))
}

fn log_failure(error: &Error) {
    if let Some(error) = error.as_error::<HttpError>() {
        error.log();
    }
}

/// A request that is being answered.
pub(crate) struct Entry {
    method: &'static str,
    address: Option<IpAddr>,
    begun: Instant,
    pub quiet: bool,
    written: bool,
}

impl Entry {
    pub fn begin(method: &str, address: Option<IpAddr>) -> Self {
        Self { method: known(method), address, begun: Instant::now(), quiet: false, written: false }
    }

    pub fn end(mut self, status: StatusCode, route: &str, user: Option<UserId>) {
        self.write(status.as_u16(), route, user);
    }

    fn write(&mut self, status: u16, route: &str, user: Option<UserId>) {
        self.written = true;
        let elapsed = self.begun.elapsed();
        let (method, user) = (self.method, user.map(UserId::get));
        let address = self.address.map(display);
        let labels = [("method", method.to_owned()), ("route", route.to_owned()), ("status", status.to_string())];
        metrics::counter!("mango_http_requests_total", &labels).increment(1);
        metrics::histogram!("mango_http_request_duration_seconds", "route" => route.to_owned()).record(elapsed);
        // To the microsecond: what comes after it is noise.
        let elapsed_ms = (elapsed.as_secs_f64() * 1e6).round() / 1e3;
        if self.quiet {
            tracing::debug!(method, route, status, elapsed_ms, user, address, "request");
        } else {
            tracing::info!(method, route, status, elapsed_ms, user, address, "request");
        }
    }
}

/// A client that goes away takes the handler with it, and no answer ever comes by. 499 is what nginx writes then.
impl Drop for Entry {
    fn drop(&mut self) {
        if !self.written {
            self.write(499, UNMATCHED, None);
        }
    }
}

/// The method as a label; anybody can make up methods.
fn known(method: &str) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    KNOWN.into_iter().find(|known| *known == method).unwrap_or("OTHER")
}
