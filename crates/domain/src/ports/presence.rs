//! Who is connected now.

use std::collections::HashSet;

use async_trait::async_trait;

use crate::Failure;
use crate::model::{ConnectionId, UserId};

/// Counts the connections of users. It forgets with the process: after a crash nobody is online.
#[async_trait]
pub trait Presence: Send + Sync {
    /// A connection of a user came. The same one twice counts once.
    async fn arrive(&self, user: UserId, connection: &ConnectionId) -> Result<Arrival, Failure>;

    /// A connection of a user went. One that never came is no error.
    async fn depart(&self, user: UserId, connection: &ConnectionId) -> Result<Departure, Failure>;

    /// Those of the given users that have a connection.
    async fn online(&self, users: &[UserId]) -> Result<HashSet<UserId>, Failure>;
}

/// Whether a connection brought its user online.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// It is the user's only one.
    First,
    /// The user had others.
    Further,
}

/// Whether a connection's end took its user offline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Departure {
    /// The user has none left.
    Last,
    /// The user has others.
    OthersRemain,
}
