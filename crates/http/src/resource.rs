//! Paths with the methods they take.

use std::panic::AssertUnwindSafe;

use actix_web::body::BoxBody;
use actix_web::dev::{HttpServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::guard;
use actix_web::http::{Method, header};
use actix_web::middleware::{Next, from_fn};
use actix_web::{Error, HttpResponse, Route, web};
use futures_util::FutureExt as _;
use mango_contract::{Problem, ProblemKind};

use crate::answers;
use crate::error::HttpError;
use crate::limits::{self, Limit};
use crate::problem;

/// A path and its methods, each with its limit. GET takes HEAD along; any other method is answered with 405 and `Allow`.
pub(crate) fn resource(
    path: &str,
    routes: impl IntoIterator<Item = (Method, Limit, Route)>,
) -> impl HttpServiceFactory {
    let (mut allowed, mut limits) = (Vec::new(), Vec::new());
    let mut resource = web::resource(path);
    for (method, limit, route) in routes {
        limits.push((method.clone(), limit));
        allowed.push(method.to_string());
        resource = if method == Method::GET {
            allowed.push(Method::HEAD.to_string());
            resource.route(route.guard(guard::Any(guard::Get()).or(guard::Head())))
        } else {
            resource.route(route.method(method))
        };
    }
    let allow = allowed.join(", ");
    resource.default_service(web::to(move || std::future::ready(method_not_allowed(&allow)))).wrap(from_fn(
        move |request: ServiceRequest, next: Next<BoxBody>| limited(limit_of(&limits, &request), request, next),
    ))
}

fn method_not_allowed(allow: &str) -> HttpResponse {
    let refusal = Problem::new(ProblemKind::MethodNotAllowed, format!("this path takes {allow}"));
    let mut response = problem::respond(&refusal);
    if let Ok(allow) = allow.parse() {
        response.headers_mut().insert(header::ALLOW, allow);
    }
    response
}

fn limit_of(limits: &[(Method, Limit)], request: &ServiceRequest) -> Limit {
    let method = if request.method() == Method::HEAD { &Method::GET } else { request.method() };
    limits.iter().find(|(limited, _)| limited == method).map_or(Limit::Free, |(_, limit)| *limit)
}

/// Refuses what comes too often, and tells everybody else how they stand.
async fn limited(
    limit: Limit,
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let mut response = match limit.apply(&request) {
        Ok(()) => answers::bounded(catch_panics(request, next).await?),
        Err(refusal) => ServiceResponse::from_err(refusal, request.into_parts().0),
    };
    limits::tell(&mut response);
    Ok(response)
}

/// Turns a panic into a 500. Otherwise it would end the connection without an answer and without an entry in the log.
async fn catch_panics(request: ServiceRequest, next: Next<BoxBody>) -> Result<ServiceResponse<BoxBody>, Error> {
    // The request is routed, so from here on nobody needs it exclusively.
    let routed = request.request().clone();
    match AssertUnwindSafe(next.call(request)).catch_unwind().await {
        Ok(outcome) => outcome,
        Err(panic) => Ok(ServiceResponse::from_err(HttpError::Crashed(panic_message(&*panic)), routed)),
    }
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("without a message").to_owned()
}
