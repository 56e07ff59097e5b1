//! For the people who run the server: liveness, readiness, metrics.

use std::time::Duration;

use actix_web::http::{Method, header};
use actix_web::{HttpResponse, web};
use mango_contract::Problem;
use mango_contract::problem::FieldProblem;
use serde::Serialize;
use utoipa::ToSchema;

use crate::FailedCheck;
use crate::extract::State;
use crate::limits::Limit;
use crate::problem;
use crate::resource::resource;

/// When to ask again whether the server is ready.
const ASK_AGAIN: Duration = Duration::from_secs(5);

pub(super) fn configure(config: &mut web::ServiceConfig) {
    config
        .service(resource("/healthz", [(Method::GET, Limit::Free, web::route().to(health))]))
        .service(resource("/readyz", [(Method::GET, Limit::Free, web::route().to(ready))]))
        .service(resource("/metrics", [(Method::GET, Limit::Free, web::route().to(metrics))]));
}

/// How the server is.
#[derive(Serialize, ToSchema)]
pub(crate) struct StatusReply {
    /// Always `ok`: otherwise there is a problem, or no answer.
    #[schema(example = "ok")]
    status: &'static str,
}

/// Is it alive?
///
/// Answers as long as the process can answer at all, whatever state the database is in.
#[utoipa::path(
    get, path = "/healthz", tag = "operations",
    responses((status = 200, description = "It is", body = StatusReply))
)]
pub(crate) async fn health() -> HttpResponse {
    HttpResponse::Ok().json(StatusReply { status: "ok" })
}

/// Is it ready?
///
/// Whether requests can be served now: the database can be reached and has all migrations. If not, `errors` names the checks that
/// fail.
#[utoipa::path(
    get, path = "/readyz", tag = "operations",
    responses(
        (status = 200, description = "It is", body = StatusReply),
        (status = 503, description = "It is not"),
    )
)]
pub(crate) async fn ready(state: State) -> HttpResponse {
    let failed = state.readiness.failed().await;
    if failed.is_empty() {
        return HttpResponse::Ok().json(StatusReply { status: "ok" });
    }
    let errors =
        failed.into_iter().map(|FailedCheck { name: field, message }| FieldProblem { field, message }).collect();
    problem::respond(&Problem {
        errors,
        detail: "the server is not ready".to_owned(),
        ..Problem::unavailable(ASK_AGAIN)
    })
}

/// Metrics
///
/// In the text format of Prometheus.
#[utoipa::path(
    get, path = "/metrics", tag = "operations",
    responses((status = 200, description = "The metrics", body = String, content_type = "text/plain",
        example = json!("# TYPE mango_sockets gauge\nmango_sockets 3\n")))
)]
pub(crate) async fn metrics(state: State) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8"))
        .body((state.metrics)())
}
