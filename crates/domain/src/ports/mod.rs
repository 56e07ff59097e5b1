//! What the domain asks of the outside: one trait a file, object-safe, held as `Arc<dyn …>`.
//!
//! A method is one atomic operation of the business. `Ok(None)` says that something is not there; a [`Failure`](crate::Failure)
//! says that the port could not find out. Every adapter of a store passes the contract suite in `mango-testkit`.

pub mod audit;
pub mod changes;
pub mod chats;
pub mod clock;
pub mod events;
pub mod images;
pub mod likes;
pub mod media;
pub mod messages;
pub mod passwords;
pub mod presence;
pub mod random;
pub mod rates;
pub mod sessions;
pub mod tokens;
pub mod users;

pub use audit::Audit;
pub use changes::Changes;
pub use chats::{ChatPage, ChatSelection, Chats, CreateChatError, CreatedChat, StoredChat};
pub use clock::Clock;
pub use events::{Announcer, Events};
pub use images::{ImageError, Images, PhotoSet};
pub use likes::Likes;
pub use media::{Media, PhotoWalk};
pub use messages::{Appended, Messages};
pub use passwords::Passwords;
pub use presence::{Arrival, Departure, Presence};
pub use random::Random;
pub use rates::{Outcome, Rates};
pub use sessions::Sessions;
pub use tokens::{AccessClaims, TokenError, Tokens};
pub use users::{CreateUserError, UpdateUserError, UpdatedUser, Users};
