//! Requests that are answered outside of the application: WebSocket handshakes, and what cannot be read as a request.

use std::net::IpAddr;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use mango_contract::Problem;
use mango_domain::model::Standing;

use crate::middleware::access::Entry;
use crate::middleware::headers::DEFAULTS;
use crate::middleware::request_id;
use crate::{limits, problem};

/// A request that is answered outside of the application. It gets what the middleware gives to all others: an id, a line in the log, a
/// count in the metrics, and the headers that every answer has.
pub struct Exchange {
    id: String,
    entry: Entry,
    standing: Option<Standing>,
}

impl Exchange {
    /// Begins it. `id` is the `x-request-id` that came along, `client` whose request it is.
    #[must_use]
    pub fn begin(method: &str, id: Option<&[u8]>, client: Option<IpAddr>) -> Self {
        Self { id: request_id::of(id), entry: Entry::begin(method, client), standing: None }
    }

    /// The same for one that came without a request: it goes to the log at `debug`, since there is nothing to tell of it.
    #[must_use]
    pub fn in_silence(client: Option<IpAddr>) -> Self {
        let mut exchange = Self::begin("", None, client);
        exchange.entry.quiet = true;
        exchange
    }

    /// The same for one that was counted: its answer tells how whoever sent it stands.
    #[must_use]
    pub fn counted(self, standing: Option<Standing>) -> Self {
        Self { standing, ..self }
    }

    /// The headers of its answer, unless the answer has them already.
    #[must_use]
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        let defaults = DEFAULTS.iter().map(|(name, value)| (*name, (*value).to_owned()));
        let standing = self.standing.iter().flat_map(limits::fields);
        defaults.chain([(request_id::NAME, self.id.clone())]).chain(standing).collect()
    }

    /// Ends it with an answer of this status. `route` is the template of its path, for the log and the metrics.
    pub fn end(self, status: u16, route: &str) {
        let span = tracing::info_span!("request", request_id = %self.id);
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        span.in_scope(|| self.entry.end(status, route, None));
    }

    /// Ends it with a problem, and gives the whole answer.
    #[must_use]
    pub fn refuse(self, problem: &Problem, route: &str) -> HttpResponse {
        let mut answer = problem::respond(problem);
        for (name, value) in self.headers() {
            if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(&value)) {
                answer.headers_mut().insert(name, value);
            }
        }
        self.end(problem.status, route);
        answer
    }
}
