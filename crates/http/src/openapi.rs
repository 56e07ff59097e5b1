//! The OpenAPI document, made of what stands at the handlers.

use mango_contract::{Problem, ProblemKind};
use serde_json::json;
use utoipa::openapi::path::{Operation, ParameterBuilder, PathItem};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{Flow, HttpAuthScheme, HttpBuilder, OAuth2, Password, Scopes, SecurityScheme};
use utoipa::openapi::{ContentBuilder, HeaderBuilder, Ref, RefOr, Response, ResponseBuilder, example::ExampleBuilder};
use utoipa::{Modify, OpenApi};

use crate::problem;
use crate::routes::{auth, chat, media, message, ops, session, sync, user};

/// The document.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    Document::openapi()
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Mango",
        description = "A chat server. Chats, messages, likes and pins are made over Socket.IO at `/ws/socket.io/`; messages can be \
            sent here too, and everything is read here.\n\nSign up with `POST /user/create`, then press *Authorize* and log in; \
            the username is the phone. Every error is a problem (RFC 9457): compare its \
            `type`. A slash at the end of a path does not matter, but to DELETE, which is 404 there."
    ),
    paths(
        auth::log_in,
        auth::refresh,
        auth::log_out,
        session::list_sessions,
        session::end_session,
        session::end_other_sessions,
        user::create_user,
        user::get_me,
        user::get_user,
        user::update_user,
        user::photo_to_base64,
        chat::list_chats,
        chat::list_pinned_chats,
        chat::get_chat,
        message::list_messages,
        message::send_message,
        sync::sync,
        media::get_photo,
        ops::health,
        ops::ready,
        ops::metrics,
    ),
    components(schemas(Problem)),
    modifiers(&Security, &CommonProblems, &Ids, &Aliases),
    tags(
        (name = "sessions", description = "Login, refresh, logout, and where one is logged in"),
        (name = "users", description = "Sign-up and profiles"),
        (name = "chats", description = "The chats that you are in"),
        (name = "messages", description = "The history of chats"),
        (name = "photos", description = "The files of photos"),
        (name = "operations", description = "For the people who run the server"),
    )
)]
struct Document;

/// What the form says of itself: its labels are those of OAuth 2.0, and ask for more than is needed.
const LOGIN: &str = "For everybody who has signed up with `POST /user/create`: **username is the phone**, such as `+31612345678`. Client id \
    and client secret stay empty.";

const BEARER: &str = "An access token that you have already, such as the `access_token` of `POST /auth/login`.";

/// The two ways to show who is calling: the login form of Swagger UI, and a token from elsewhere.
struct Security;

impl Modify for Security {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        let password = Password::new("/auth/login", Scopes::new());
        let login = OAuth2::with_description([Flow::Password(password)], LOGIN);
        components.add_security_scheme("login", SecurityScheme::OAuth2(login));
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(BEARER));
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer.build()));
    }
}

/// What goes wrong everywhere alike, and the body of every error.
struct CommonProblems;

impl Modify for CommonProblems {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        for operation in document.paths.paths.values_mut().flat_map(operations) {
            let (is_login, is_secured) =
                (operation.operation_id.as_deref() == Some("log_in"), operation.security.is_some());
            let tagged = |tag: &str| operation.tags.iter().flatten().any(|found| found == tag);
            let mut common = vec![(500, "Something went wrong on the server")];
            if !tagged("operations") && !tagged("photos") {
                common.push((503, "The server is too busy, or its database is away"));
            }
            let limited = !tagged("operations") && !tagged("photos");
            if limited {
                common.push((429, "This is done too often: `Retry-After` says when to try again"));
            }
            if is_secured {
                common.push((401, "There is no access token, or it is not good any more"));
            }
            if operation.request_body.is_some() {
                common.extend([
                    (400, "The body cannot be read"),
                    (408, "The body took too long to arrive"),
                    (413, "The body is too large"),
                    (415, "The body is of another type"),
                    (422, "Some fields are missing or not valid"),
                ]);
            }
            let responses = &mut operation.responses.responses;
            for (status, description) in common {
                let new = || RefOr::T(ResponseBuilder::new().description(description).build());
                responses.entry(status.to_string()).or_insert_with(new);
            }
            for (status, response) in responses {
                if let (Ok(status @ 400..), RefOr::T(response)) = (status.parse(), response) {
                    if status == 429 {
                        describe_limit(response);
                    }
                    describe_problem(status, response, |kind| can_happen(kind, is_login, is_secured));
                }
            }
        }
    }
}

/// The ids in paths, which look alike.
struct Ids;

impl Modify for Ids {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        for operation in document.paths.paths.values_mut().flat_map(operations) {
            for parameter in operation.parameters.iter_mut().flatten() {
                if let RefOr::T(parameter) = parameter
                    && (parameter.name == "id" || parameter.name.ends_with("_id"))
                {
                    *parameter = ParameterBuilder::from(parameter.clone()).example(Some(json!(1))).build();
                }
            }
        }
    }
}

/// Gives a response the headers that tell of a limit.
fn describe_limit(response: &mut Response) {
    for (name, description) in [
        ("Retry-After", "When to try again, in seconds"),
        ("RateLimit", "The rate, how many calls are left of it (`r`), and for how many seconds that is so (`t`)"),
        (
            "RateLimit-Policy",
            "The rate, how many calls it allows at once (`q`), and in how many seconds they come back (`w`)",
        ),
    ] {
        let header = HeaderBuilder::new()
            .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
            .description(Some(description))
            .build();
        response.headers.insert(name.to_owned(), RefOr::T(header));
    }
}

/// Whether an operation can have this problem, as far as the status leaves it open.
fn can_happen(kind: ProblemKind, is_login: bool, is_secured: bool) -> bool {
    match kind {
        ProblemKind::WrongCredentials => is_login,
        ProblemKind::Unauthenticated | ProblemKind::SessionEnded => !is_login,
        ProblemKind::TokenExpired => is_secured,
        _ => true,
    }
}

/// Gives a response the body of a problem, with an example of each kind that has this status and can happen.
fn describe_problem(status: u16, response: &mut Response, can_happen: impl Fn(ProblemKind) -> bool) {
    let kinds = ProblemKind::ALL.iter().filter(|kind| kind.status() == status && can_happen(**kind));
    let examples = kinds.map(|kind| {
        let value = json!(Problem::new(*kind, kind.title()));
        let name = kind.uri().rsplit(':').next().unwrap_or_default();
        (name.to_owned(), RefOr::T(ExampleBuilder::new().value(Some(value)).build()))
    });
    let content =
        ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).examples_from_iter(examples).build();
    response.content.insert(problem::MEDIA_TYPE.to_owned(), RefOr::T(content));
}

/// Operations that have a second path, which is that of the original API.
struct Aliases;

impl Modify for Aliases {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        for (alias, path, id) in
            [("/user/login", "/auth/login", "log_in_user"), ("/user/refresh", "/auth/refresh", "refresh_user")]
        {
            let Some(mut item) = document.paths.paths.get(path).cloned() else { continue };
            for operation in operations(&mut item) {
                operation.operation_id = Some(id.to_owned());
                operation.description = Some(format!("The same as `{path}`, at the path of the original API."));
            }
            document.paths.paths.insert(alias.to_owned(), item);
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.post, &mut item.patch, &mut item.delete].into_iter().flatten()
}
