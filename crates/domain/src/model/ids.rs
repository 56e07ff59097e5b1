//! Typed identifiers: a user's id cannot be taken for a chat's.

use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(i64);

        impl $name {
            /// Wraps the number that the store or the wire uses.
            #[must_use]
            pub const fn new(id: i64) -> Self {
                Self(id)
            }

            /// The number that the store and the wire use.
            #[must_use]
            pub const fn get(self) -> i64 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(
    /// Identifies a user.
    UserId
);
id!(
    /// Identifies a chat.
    ChatId
);
id!(
    /// Identifies a message among all messages of all chats.
    MessageId
);
id!(
    /// Identifies a session: one login on one device, with all the tokens that came of it. It is random, so that none is ever given
    /// twice, in whatever database: a token must not come to be another session's when a backup is restored.
    SessionId
);

impl SessionId {
    /// Makes an id of random bytes: 1 to 2^53 - 1, which JavaScript's numbers can hold.
    #[must_use]
    pub const fn from_random(bytes: [u8; 8]) -> Self {
        let id = i64::from_le_bytes(bytes).unsigned_abs() % (1 << 53);
        Self::new(if id == 0 { 1 } else { id.cast_signed() })
    }
}
id!(
    /// The place of a message in its chat: 1, 2, 3, … without holes.
    Seq
);
id!(
    /// The place of a user's last change of name or photo among all such changes of all users, 0 for who has changed neither. These places
    /// are taken in the order in which the changes are committed.
    ProfileVersion
);
id!(
    /// How many changes a chat has seen: its creation is 1, and every change takes the next number in the transaction that makes
    /// it. Messages have one as well: that of their last change.
    Version
);
