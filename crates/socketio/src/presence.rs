//! Who is connected to this process.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::{PoisonError, RwLock};

use async_trait::async_trait;
use mango_domain::Failure;
use mango_domain::model::{ConnectionId, UserId};
use mango_domain::ports::{Arrival, Departure, Presence};

/// Counts connections in memory. Users come and go far less often than they are asked after, so one lock does.
#[derive(Debug, Default)]
pub struct MemoryPresence {
    connections: RwLock<HashMap<UserId, HashSet<ConnectionId>>>,
}

#[async_trait]
impl Presence for MemoryPresence {
    async fn arrive(&self, user: UserId, connection: &ConnectionId) -> Result<Arrival, Failure> {
        let mut users = self.connections.write().unwrap_or_else(PoisonError::into_inner);
        let connections = users.entry(user).or_default();
        connections.insert(connection.clone());
        Ok(if connections.len() == 1 { Arrival::First } else { Arrival::Further })
    }

    async fn depart(&self, user: UserId, connection: &ConnectionId) -> Result<Departure, Failure> {
        let mut users = self.connections.write().unwrap_or_else(PoisonError::into_inner);
        let Entry::Occupied(mut connections) = users.entry(user) else {
            return Ok(Departure::Last);
        };
        connections.get_mut().remove(connection);
        if !connections.get().is_empty() {
            return Ok(Departure::OthersRemain);
        }
        connections.remove();
        Ok(Departure::Last)
    }

    async fn online(&self, asked: &[UserId]) -> Result<HashSet<UserId>, Failure> {
        let users = self.connections.read().unwrap_or_else(PoisonError::into_inner);
        Ok(asked.iter().copied().filter(|user| users.contains_key(user)).collect())
    }
}
