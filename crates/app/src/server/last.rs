//! The last request of a connection.

use std::cell::Cell;
use std::rc::Rc;

use actix_http::{ConnectionType, Request};

/// How far a connection has come. Its clones are the connection's and that of whoever hands its requests on.
///
/// After a request with `Connection: close`, or one of HTTP/1.0 without `keep-alive`, no other is to be answered (RFC 9112, section 9.6). Actix
/// closes the connection then, but not before it has answered what it has read already.
#[derive(Debug, Clone, Default)]
pub(super) struct Last(Rc<Cell<Stage>>);

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Stage {
    /// There may be more requests.
    #[default]
    Going,
    /// The last one is being answered.
    Last,
    /// It is answered, and there was another one.
    Over,
}

impl Last {
    /// Whether a request is one that is to be answered. If not, the connection is over.
    pub fn allows(&self, request: &Request) -> bool {
        let next = match self.0.get() {
            Stage::Going if request.head().connection_type() == ConnectionType::Close => Stage::Last,
            Stage::Going => Stage::Going,
            Stage::Last | Stage::Over => Stage::Over,
        };
        self.0.set(next);
        next != Stage::Over
    }

    /// Whether there was a request that is not answered, so that the connection is to be closed.
    pub fn is_over(&self) -> bool {
        self.0.get() == Stage::Over
    }
}
