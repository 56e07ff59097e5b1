//! Bodies that are handed to a connection a piece at a time.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, MessageBody};
use bytes::Bytes;
use mango_domain::model::Held;

/// About as much as a connection buffers before it waits for its client.
const PIECE: usize = 32 * 1024;

/// A body that is there as a whole. Given whole, it would be copied into the buffer of its connection and lie there for as long as the
/// client reads nothing; in pieces, only what comes next is copied.
pub(crate) struct Pieces {
    left: Bytes,
    /// What it takes of a room.
    _held: Option<Held>,
}

impl Pieces {
    pub const fn of(body: Bytes) -> Self {
        Self::holding(body, None)
    }

    /// A body that takes room until it has been handed on, or nobody waits for it any more.
    pub const fn holding(body: Bytes, held: Option<Held>) -> Self {
        Self { left: body, _held: held }
    }
}

impl MessageBody for Pieces {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(u64::try_from(self.left.len()).unwrap_or(u64::MAX))
    }

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        let left = &mut self.get_mut().left;
        let piece = left.split_to(left.len().min(PIECE));
        Poll::Ready((!piece.is_empty()).then_some(Ok(piece)))
    }
}

#[cfg(test)]
mod tests {
    use actix_web::body::to_bytes;
    use futures_util::future::poll_fn;

    use super::*;

    #[actix_web::test]
    async fn nothing_is_lost_between_pieces() {
        for length in [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE] {
            let body: Bytes = (0..length).map(|n| u8::try_from(n % 251).unwrap()).collect();
            let pieces = Pieces::of(body.clone());
            assert_eq!(pieces.size(), BodySize::Sized(length.try_into().unwrap()));
            assert_eq!(to_bytes(pieces).await.unwrap(), body);
        }
    }

    #[actix_web::test]
    async fn a_piece_is_small() {
        let mut pieces = Pieces::of(vec![0; 10 * PIECE].into());
        let piece = poll_fn(|context| Pin::new(&mut pieces).poll_next(context)).await.unwrap().unwrap();
        assert_eq!(piece.len(), PIECE);
    }
}
