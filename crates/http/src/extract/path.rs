//! Ids in paths.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use mango_domain::Error;
use mango_domain::model::{ChatId, SessionId, UserId};

use crate::error::HttpError;

/// The id in the path, its only parameter. What is not an integer names nothing, so it is 404 like an id that is not there.
pub(crate) struct Id<T>(pub T);

/// Something with an id.
pub(crate) trait Identified {
    /// What it is called when there is none.
    const NAME: &'static str;

    /// Takes the number in the path.
    fn from_number(id: i64) -> Self;
}

impl Identified for UserId {
    const NAME: &'static str = "user";

    fn from_number(id: i64) -> Self {
        Self::new(id)
    }
}

impl Identified for ChatId {
    const NAME: &'static str = "chat";

    fn from_number(id: i64) -> Self {
        Self::new(id)
    }
}

impl Identified for SessionId {
    const NAME: &'static str = "session";

    fn from_number(id: i64) -> Self {
        Self::new(id)
    }
}

impl<T: Identified> FromRequest for Id<T> {
    type Error = HttpError;
    type Future = Ready<Result<Self, HttpError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let number = request.match_info().iter().next().and_then(|(_, text)| text.parse().ok());
        ready(number.map(T::from_number).map(Self).ok_or(HttpError::Domain(Error::NotFound(T::NAME))))
    }
}
