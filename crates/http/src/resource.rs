//! Paths with the methods they take.

use std::panic::AssertUnwindSafe;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{HttpServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::guard;
use actix_web::http::{Method, header};
use actix_web::middleware::{Next, from_fn};
use actix_web::{Error, HttpResponse, Route, web};
use futures_util::FutureExt as _;
use mango_contract::{Problem, ProblemKind};

use crate::error::HttpError;
use crate::problem;

/// A path and its methods. GET takes HEAD along; any other method is answered with 405 and `Allow`.
pub(crate) fn resource(path: &str, routes: impl IntoIterator<Item = (Method, Route)>) -> impl HttpServiceFactory {
    let mut allowed = Vec::new();
    let mut resource = web::resource(path);
    for (method, route) in routes {
        allowed.push(method.to_string());
        resource = if method == Method::GET {
            allowed.push(Method::HEAD.to_string());
            resource.route(route.guard(guard::Any(guard::Get()).or(guard::Head())))
        } else {
            resource.route(route.method(method))
        };
    }
    let allow = allowed.join(", ");
    resource
        .default_service(web::to(move || std::future::ready(method_not_allowed(&allow))))
        .wrap(from_fn(catch_panics))
}

fn method_not_allowed(allow: &str) -> HttpResponse {
    let refusal = Problem::new(ProblemKind::MethodNotAllowed, format!("this path takes {allow}"));
    let mut response = problem::respond(&refusal);
    if let Ok(allow) = allow.parse() {
        response.headers_mut().insert(header::ALLOW, allow);
    }
    response
}

/// Turns a panic into a 500. Otherwise it would end the connection without an answer and without an entry in the log.
async fn catch_panics(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    // The request is routed, so from here on nobody needs it exclusively.
    let routed = request.request().clone();
    match AssertUnwindSafe(next.call(request)).catch_unwind().await {
        Ok(outcome) => outcome.map(ServiceResponse::map_into_boxed_body),
        Err(panic) => Ok(ServiceResponse::from_err(HttpError::Crashed(panic_message(&*panic)), routed)),
    }
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("without a message").to_owned()
}
