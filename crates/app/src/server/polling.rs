//! Long-polling: requests and answers go through actix, with its middleware, and change their types on the way.

use std::future::pending;
use std::time::Duration;

use actix_web::http::header::{ALLOW, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse, web};
use bytes::Bytes;
use http_body_util::{BodyExt, Either, Full};
use mango_contract::problem::{Problem, ProblemKind};
use mango_domain::model::Standing;
use mango_http::Routine;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use super::sockets::Sockets;
use super::{SOCKET_PATH, probing};

/// How long a poll may take to get what there is for it when the sockets are broken off.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// Adds the routes of long-polling to an application.
pub fn mount(config: &mut web::ServiceConfig, sockets: &Sockets) {
    config.service(
        web::resource([SOCKET_PATH.to_owned(), format!("{SOCKET_PATH}/")])
            .app_data(web::Data::new(sockets.clone()))
            .to(answer),
    );
}

async fn answer(request: HttpRequest, payload: web::Payload, sockets: web::Data<Sockets>) -> HttpResponse {
    // Each client that polls asks twice a minute at least, and again for each thing that it is told.
    request.extensions_mut().insert(Routine);
    if ![Method::GET, Method::POST, Method::OPTIONS].contains(request.method()) {
        let mut answer = mango_http::respond(&Problem::new(ProblemKind::MethodNotAllowed, "this path takes GET, POST"));
        answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, POST"));
        return answer;
    }
    let mut answer =
        exchange(&request, payload, &sockets).await.unwrap_or_else(|problem| mango_http::respond(&problem));
    if let Some(standing) = request.extensions().get::<Standing>() {
        mango_http::tell_standing(standing, answer.headers_mut());
    }
    answer
}

async fn exchange(request: &HttpRequest, payload: web::Payload, sockets: &Sockets) -> Result<HttpResponse, Problem> {
    if sockets.closing().is_cancelled() {
        return Err(Problem::unavailable(Duration::from_secs(1)));
    }
    if !sockets.is_welcome(request.peer_addr(), request.headers()) {
        return Err(Problem::new(ProblemKind::Forbidden, "pages of this origin may not connect"));
    }
    // Engine.IO would agree to a WebSocket that nobody has asked HTTP for, and that could not follow (RFC 9110, section 15.2.2).
    if probing::names_websocket(request.uri().query()) {
        return Err(no_upgrade());
    }
    let client = sockets.client(request.peer_addr(), request.headers());
    let (admitted, standing) = sockets.admit(client, request.uri().query());
    if let Some(standing) = standing {
        request.extensions_mut().insert(standing);
    }
    let seat = admitted?;
    let query = request.uri().query();
    // Engine.IO refuses any other request for its head alone. Were its body read first, whoever makes up a session could fill the room
    // that there is for the bodies of others.
    let is_read = request.method() == Method::POST
        && probing::session(query).is_some_and(|session| (sockets.doors().polls)(session));
    let body = if is_read { sockets.doors().bodies.read(request, payload.into_inner()).await? } else { Bytes::new() };
    let converted = convert(request, body).map_err(|error| Problem::new(ProblemKind::BadRequest, error.to_string()))?;
    let task = {
        let (sockets, open) = (sockets.clone(), sockets.tracker().token());
        async move {
            let _open = open;
            let (head, body) = sockets.call(converted, client, seat).await.into_parts();
            body.collect().await.map(|body| (head, body.to_bytes()))
        }
    };
    let polls = request.method() == Method::GET;
    let poll = probing::session(query).filter(|_| polls).map(|session| sockets.probes().poll(session));
    let in_the_way = async {
        match &poll {
            Some(poll) => poll.is_in_the_way().await,
            None => pending().await,
        }
    };
    // A client that hangs up takes its request with it, and a panic ends this request alone.
    let mut task = AbortOnDropHandle::new(sockets.runtime().spawn(task));
    let answer = tokio::select! {
        answer = &mut task => answer,
        () = in_the_way => {
            task.abort();
            match task.await {
                // Nothing has been taken for a poll that could still be called off.
                Err(error) if error.is_cancelled() => return Ok(noop()),
                answer => answer,
            }
        }
        () = sockets.hang_up().cancelled() => match timeout(LAST_WORDS, task).await {
            Ok(answer) => answer,
            Err(_) => return Err(Problem::unavailable(Duration::from_secs(1))),
        },
    };
    match answer {
        Ok(Ok((head, _))) if head.status.is_informational() => Err(no_upgrade()),
        Ok(Ok((head, body))) => Ok(revert(head, body)),
        Ok(Err(error)) => {
            tracing::error!(%error, "a polling answer broke off");
            Err(Problem::new(ProblemKind::Internal, "the server could not do this"))
        }
        Err(error) => {
            tracing::error!(panicked = error.is_panic(), "a polling request was not answered");
            Err(Problem::new(ProblemKind::Internal, "the server could not do this"))
        }
    }
}

fn no_upgrade() -> Problem {
    Problem::new(ProblemKind::BadRequest, "a WebSocket needs Connection: Upgrade and Upgrade: websocket")
}

/// The answer to a poll that there is nothing for: the packet `noop`.
fn noop() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; charset=UTF-8").body("6")
}

/// A request of http 0.2 as one of http 1.
fn convert(request: &HttpRequest, body: Bytes) -> http::Result<http::Request<super::SocketBody>> {
    let mut converted = http::Request::builder().method(request.method().as_str()).uri(request.uri().to_string());
    for (name, value) in request.headers() {
        converted = converted.header(name.as_str(), value.as_bytes());
    }
    converted.body(Either::Right(Full::new(body)))
}

/// A response of http 1 as one of http 0.2.
fn revert(head: http::response::Parts, body: Bytes) -> HttpResponse {
    let status = StatusCode::from_u16(head.status.as_u16()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    for (name, value) in &head.headers {
        // The body is whole here, so actix frames it itself.
        if name == http::header::CONTENT_LENGTH || name == http::header::CONNECTION {
            continue;
        }
        let header = (HeaderName::from_bytes(name.as_ref()), HeaderValue::from_bytes(value.as_bytes()));
        if let (Ok(name), Ok(value)) = header {
            response.append_header((name, value));
        }
    }
    response.body(body)
}
