//! The application: routes under middleware.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::middleware::{NormalizePath, from_fn};
use actix_web::{App, Error, web};

use crate::middleware::{access, compress, cors, headers, problems, slashes};
use crate::{HttpState, routes};

/// The application of one worker. `more` adds routes under the same middleware; it may replace the answer to unknown paths with a
/// `default_service` of its own.
///
/// No path has a slash at its end when it reaches a route, and no two in a row, so routes are registered without.
///
/// From the outside in, a request meets: the request id, the access log and the metrics; security headers; compression;
/// problems in place of errors that are none yet; CORS; the slashes of its path.
pub fn app(
    state: HttpState,
    more: impl FnOnce(&mut web::ServiceConfig),
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody>,
        Error = Error,
        InitError = (),
    >,
> {
    let cors = cors::cors(&state.settings.cors);
    // The last one wrapped is the outermost.
    App::new()
        .app_data(web::Data::new(state))
        .configure(routes::configure)
        .configure(more)
        .wrap(NormalizePath::trim())
        .wrap(from_fn(slashes::slashes))
        .wrap(cors)
        .wrap(from_fn(cors::credentials_with_origin))
        .wrap(from_fn(problems::problems))
        .wrap(from_fn(compress::compress))
        .wrap(from_fn(headers::headers))
        .wrap(from_fn(access::access))
}
