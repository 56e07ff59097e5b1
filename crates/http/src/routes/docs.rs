//! The documentation: the OpenAPI document, and Swagger UI to read it and try it out.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use actix_web::http::Method;
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use mango_domain::{Error, Failure};
use utoipa_swagger_ui::Config;

use crate::error::HttpError;
use crate::fixed::Fixed;
use crate::limits::Limit;
use crate::resource::resource;

/// The page. Swagger UI's own has links relative to a path with a slash at the end, which no path has here.
const PAGE: &str = include_str!("docs.html");

/// Scripts, styles and pictures only from here: nothing on the page is inline. Swagger UI has pictures in `data:` URLs, and a style of two
/// colours in the picture of its name, which is the one that the digest allows.
const POLICY: &str = "default-src 'none'; script-src 'self'; \
    style-src 'self' 'sha256-RL3ie0nH+Lzz2YNqQN83mnU0J1ot4QL7b99vMdIX99w='; img-src 'self' data:; connect-src 'self'; \
    form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The files change with the program only.
const A_DAY: &str = "public, max-age=86400";

/// What the page loads.
const NAMES: [&str; 6] = [
    "favicon-32x32.png",
    "index.css",
    "swagger-initializer.js",
    "swagger-ui-bundle.js",
    "swagger-ui-standalone-preset.js",
    "swagger-ui.css",
];

static DOCUMENT: LazyLock<Result<Fixed, String>> = LazyLock::new(|| {
    let document = crate::openapi().to_json();
    document.map(|document| Fixed::plain(document.into())).map_err(|error| error.to_string())
});

static FILES: LazyLock<HashMap<&str, PageFile>> =
    LazyLock::new(|| NAMES.into_iter().filter_map(|name| Some((name, PageFile::named(name)?))).collect());

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

async fn document(request: HttpRequest) -> Result<HttpResponse, HttpError> {
    let document = DOCUMENT
        .as_ref()
        .map_err(|error| Error::Failed(Failure::broken("write the OpenAPI document", error.as_str())))?;
    let mut response = HttpResponse::Ok();
    response
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .insert_header((header::CONTENT_TYPE, "application/json"));
    document.answer(&request, response).await
}

async fn page() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((header::CONTENT_TYPE, "text/html; charset=utf-8"))
        .body(PAGE)
}

async fn file(request: HttpRequest, name: web::Path<String>) -> Result<HttpResponse, HttpError> {
    let file = FILES.get(name.as_str()).ok_or(HttpError::Domain(Error::NotFound("page")))?;
    let mut response = HttpResponse::Ok();
    response
        .insert_header((header::CACHE_CONTROL, A_DAY))
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((header::CONTENT_TYPE, file.content_type.as_str()));
    file.text.answer(&request, response).await
}

/// A file of Swagger UI.
struct PageFile {
    content_type: String,
    text: Fixed,
}

impl PageFile {
    /// `None` when Swagger UI has no such file.
    fn named(name: &str) -> Option<Self> {
        // Swagger UI would otherwise have the document checked by a server on the Internet.
        let config = Config::from("/openapi.json").validator_url("none").deep_linking(true).try_it_out_enabled(true);
        let file = utoipa_swagger_ui::serve(name, Arc::new(config)).ok()??;
        let bytes = match file.bytes {
            Cow::Borrowed(bytes) => Bytes::from_static(bytes),
            Cow::Owned(bytes) => Bytes::from(bytes),
        };
        let text = if file.gzpipped { Fixed::gzip(bytes) } else { Fixed::plain(bytes) };
        Some(Self { content_type: file.content_type, text })
    }
}
