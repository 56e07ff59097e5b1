//! The documentation: the OpenAPI document, and Swagger UI to read it and try it out.

use std::future::ready;
use std::sync::{Arc, LazyLock};

use actix_http::encoding::Decoder;
use actix_web::http::Method;
use actix_web::http::header::{self, AcceptEncoding, ContentEncoding, Encoding};
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse, web};
use bytes::Bytes;
use futures_util::stream;
use mango_domain::{Error, Failure};
use utoipa_swagger_ui::Config;

use crate::error::HttpError;
use crate::limits::Limit;
use crate::resource::resource;

/// The page. Swagger UI's own has links relative to a path with a slash at the end, which no path has here.
const PAGE: &str = include_str!("docs.html");

/// Scripts and pictures only from here: nothing on the page is inline. Swagger UI sets styles from scripts and has pictures in
/// `data:` URLs.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
    connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The files change with the program only.
const A_DAY: &str = "public, max-age=86400";

static DOCUMENT: LazyLock<Result<Bytes, String>> =
    LazyLock::new(|| crate::openapi().to_json().map(Bytes::from).map_err(|error| error.to_string()));

pub(super) fn configure(config: &mut web::ServiceConfig) {
    config
        .service(resource("/", [(Method::GET, Limit::Free, web::route().to(root))]))
        .service(resource("/openapi.json", [(Method::GET, Limit::Free, web::route().to(document))]))
        .service(resource("/docs", [(Method::GET, Limit::Free, web::route().to(page))]))
        .service(resource("/docs/{file}", [(Method::GET, Limit::Free, web::route().to(file))]));
}

/// The place of a web client. Until there is one, whoever comes by with a browser is led to the documentation.
async fn root() -> HttpResponse {
    HttpResponse::Found().insert_header((header::LOCATION, "/docs")).finish()
}

async fn document() -> Result<HttpResponse, HttpError> {
    let document = DOCUMENT
        .as_ref()
        .map_err(|error| Error::Failed(Failure::broken("write the OpenAPI document", error.as_str())))?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .insert_header((header::CONTENT_TYPE, "application/json"))
        .body(document.clone()))
}

async fn page() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((header::CONTENT_TYPE, "text/html; charset=utf-8"))
        .body(PAGE)
}

async fn file(request: HttpRequest, name: web::Path<String>) -> Result<HttpResponse, HttpError> {
    // Swagger UI would otherwise have the document checked by a server on the Internet.
    let config = Config::from("/openapi.json").validator_url("none").deep_linking(true).try_it_out_enabled(true);
    let found = utoipa_swagger_ui::serve(&name, Arc::new(config))
        .map_err(|error| Error::Failed(Failure::broken("serve Swagger UI", error.to_string())))?;
    let file = found.ok_or(HttpError::Domain(Error::NotFound("page")))?;
    let bytes = Bytes::from(file.bytes.into_owned());
    let mut response = HttpResponse::Ok();
    response
        .insert_header((header::CACHE_CONTROL, A_DAY))
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((header::CONTENT_TYPE, file.content_type));
    if !file.gzpipped {
        return Ok(response.body(bytes));
    }
    if takes_gzip(&request) {
        response.insert_header((header::VARY, "accept-encoding")).insert_header(ContentEncoding::Gzip);
        return Ok(response.body(bytes));
    }
    // The file is only there compressed.
    let bytes = stream::once(ready(Ok(bytes)));
    Ok(response.streaming(Decoder::new(bytes, ContentEncoding::Gzip)))
}

fn takes_gzip(request: &HttpRequest) -> bool {
    let accepted = request.get_header::<AcceptEncoding>();
    let best = accepted.and_then(|accepted| accepted.negotiate([Encoding::identity(), Encoding::gzip()].iter()));
    best == Some(Encoding::gzip())
}
