//! Keyset pages of a chat's history.

use crate::FieldError;
use crate::model::{PostedMessage, Seq};

/// Which page of a history is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRequest {
    limit: u32,
    /// Only messages with a lower seq than this.
    pub before: Option<Seq>,
    /// Only messages with a higher seq than this.
    pub after: Option<Seq>,
}

impl PageRequest {
    /// How many messages a page has when nothing is said.
    pub const DEFAULT: u32 = 50;
    /// How many messages a page has at the most.
    pub const MAX: u32 = 200;
    /// How many bytes the contents of a page have together at the most, unless there is but one message.
    pub const MAX_BYTES: usize = 1 << 20;
    /// How many likes the messages of a page have together at the most, unless there is but one message.
    pub const MAX_LIKES: usize = 2_000;

    /// Checks a request.
    ///
    /// # Errors
    /// A [`FieldError`] on `limit`.
    pub fn parse(limit: Option<i64>, before: Option<Seq>, after: Option<Seq>) -> Result<Self, FieldError> {
        let limit = match limit {
            None => Self::DEFAULT,
            Some(given) => u32::try_from(given)
                .ok()
                .filter(|limit| (1..=Self::MAX).contains(limit))
                .ok_or_else(|| FieldError::new("limit", format!("must be from 1 to {}", Self::MAX)))?,
        };
        Ok(Self { limit, before, after })
    }

    /// How many messages at the most.
    #[must_use]
    pub const fn limit(&self) -> u32 {
        self.limit
    }

    /// How many of the messages that come next the page has room for, given the bytes of each in the direction of reading: one at
    /// least, where there is any, so that every page leads on.
    pub fn fitting(&self, sizes: impl IntoIterator<Item = usize>) -> usize {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let mut taken = 0_usize;
        let fits = |(before, bytes): &(usize, usize)| {
            taken = taken.saturating_add(*bytes);
            *before == 0 || taken <= Self::MAX_BYTES
        };
        sizes.into_iter().take(limit).enumerate().take_while(fits).count()
    }
}

/// A page of a history, newest message first: as many as were asked for, or as fit within [`PageRequest::MAX_BYTES`] and
/// [`PageRequest::MAX_LIKES`].
///
/// With `after` alone the page holds the messages that come next after that seq, so that a client reads forward without a
/// hole; otherwise it holds the newest ones that fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessagePage {
    /// The messages, newest first.
    pub messages: Vec<PostedMessage>,
    /// Whether messages remain beyond the page in the direction of reading: older ones, or with `after` alone newer ones.
    pub more: bool,
}
