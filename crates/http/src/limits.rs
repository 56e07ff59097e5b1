//! The limits on how often a route may be called, and how its answers tell of them.

use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::{HttpMessage as _, HttpRequest};
use mango_domain::Error;
use mango_domain::model::{Rate, Standing, Subject, UserId};

use crate::error::HttpError;
use crate::extract::State;
use crate::peer;

/// How often a route may be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limit {
    /// As often as one likes: it costs next to nothing.
    Free,
    /// At this rate by everybody at an address, counted before anything of the request is read.
    Address(Rate),
    /// At this rate by a user, counted as soon as it is known who that is.
    User(Rate),
}

/// Left with a request for the extractor of the caller.
struct CallerRate(Rate);

const LIMIT: &str = "ratelimit";
const POLICY: &str = "ratelimit-policy";

/// The headers of draft-ietf-httpapi-ratelimit-headers-10.
pub(crate) const RATE_LIMIT: HeaderName = HeaderName::from_static(LIMIT);
/// What the quota is.
pub(crate) const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static(POLICY);

impl Limit {
    /// Counts a request by its address, or sees to it that it is counted by its user.
    pub fn apply(self, request: &ServiceRequest) -> Result<(), HttpError> {
        match self {
            Self::Free => Ok(()),
            Self::Address(rate) => match peer::address(request.request()) {
                Some(address) => count(request.request(), rate, Subject::Address(address)),
                None => Ok(()),
            },
            Self::User(rate) => {
                request.extensions_mut().insert(CallerRate(rate));
                Ok(())
            }
        }
    }
}

/// Counts a request of a user, at the rate of its route.
pub(crate) fn count_user(request: &HttpRequest, user: UserId) -> Result<(), HttpError> {
    let rate = request.extensions().get::<CallerRate>().map(|rate| rate.0);
    rate.map_or(Ok(()), |rate| count(request, rate, Subject::User(user)))
}

/// Counts a request by its address at the rate of sign-ups, which it does as much as, beside what its route is counted at. Its answer tells of
/// this count only when it is refused.
pub(crate) fn count_as_sign_up(request: &HttpRequest) -> Result<(), HttpError> {
    let told = request.extensions_mut().remove::<Standing>();
    if let Some(address) = peer::address(request) {
        count(request, Rate::SignUp, Subject::Address(address))?;
    }
    request.extensions_mut().remove::<Standing>();
    if let Some(told) = told {
        request.extensions_mut().insert(told);
    }
    Ok(())
}

fn count(request: &HttpRequest, rate: Rate, subject: Subject) -> Result<(), HttpError> {
    let state = request.app_data::<State>();
    let Some(standing) = state.and_then(|state| state.use_cases.limit.take(rate, subject)) else { return Ok(()) };
    request.extensions_mut().insert(standing);
    match standing.retry_after {
        Some(retry_after) => Err(Error::TooMany { retry_after }.into()),
        None => Ok(()),
    }
}

/// Tells how whoever was counted stands.
pub(crate) fn tell<B>(response: &mut ServiceResponse<B>) {
    let standing = response.request().extensions().get::<Standing>().copied();
    // Who is refused for something else, such as failed logins, would be misled by how much of the rate is left.
    let other = response.status() == StatusCode::TOO_MANY_REQUESTS;
    if let Some(standing) = standing.filter(|standing| standing.retry_after.is_some() || !other) {
        tell_standing(&standing, response.headers_mut());
    }
}

/// Tells in the headers of an answer how whoever was counted stands.
pub fn tell_standing(standing: &Standing, headers: &mut HeaderMap) {
    for (name, value) in fields(standing) {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
}

/// The headers that tell how somebody stands.
pub(crate) fn fields(standing: &Standing) -> [(&'static str, String); 2] {
    let Standing { rate, quota, left, retry_after } = standing;
    let seconds = |cells: u32| quota.interval.saturating_mul(cells).as_secs_f64().ceil();
    let burst = quota.burst.get();
    // When the quota is whole again, or when there is any at all.
    let until = retry_after.map_or_else(|| seconds(burst.saturating_sub(*left)), |after| after.as_secs_f64().ceil());
    [
        (POLICY, format!("\"{}\";q={burst};w={}", rate.name(), seconds(burst))),
        (LIMIT, format!("\"{}\";r={left};t={until}", rate.name())),
    ]
}
