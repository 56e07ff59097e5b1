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
    /// Identifies a session: one login on one device, with all the tokens that came of it.
    SessionId
);
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
