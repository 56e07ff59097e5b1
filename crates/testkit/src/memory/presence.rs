//! Presence in memory.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use mango_domain::Failure;
use mango_domain::model::{ConnectionId, UserId};
use mango_domain::ports::{Arrival, Departure, Presence};

/// Counts connections in memory.
#[derive(Debug, Default)]
pub struct MemoryPresence {
    connections: Mutex<HashMap<UserId, HashSet<ConnectionId>>>,
}

#[async_trait]
impl Presence for MemoryPresence {
    async fn arrive(&self, user: UserId, connection: &ConnectionId) -> Result<Arrival, Failure> {
        let mut users = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        let connections = users.entry(user).or_default();
        connections.insert(connection.clone());
        Ok(if connections.len() == 1 { Arrival::First } else { Arrival::Further })
    }

    async fn depart(&self, user: UserId, connection: &ConnectionId) -> Result<Departure, Failure> {
        let mut users = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(connections) = users.get_mut(&user) else {
            return Ok(Departure::Last);
        };
        connections.remove(connection);
        if connections.is_empty() {
            users.remove(&user);
            return Ok(Departure::Last);
        }
        Ok(Departure::OthersRemain)
    }

    async fn online(&self, asked: &[UserId]) -> Result<HashSet<UserId>, Failure> {
        let users = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(asked.iter().copied().filter(|user| users.contains_key(user)).collect())
    }
}
