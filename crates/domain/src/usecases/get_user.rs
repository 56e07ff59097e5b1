//! A user's profile.

use std::sync::Arc;

use crate::model::{Principal, Profile, UserId};
use crate::ports::{Presence, Users};
use crate::{Error, Result};

/// Shows a user.
pub struct GetUser {
    users: Arc<dyn Users>,
    presence: Arc<dyn Presence>,
}

impl GetUser {
    pub(super) fn new(users: Arc<dyn Users>, presence: Arc<dyn Presence>) -> Self {
        Self { users, presence }
    }

    /// The profile; it is the caller's `own` only when they ask for themselves.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such user.
    pub async fn run(&self, principal: &Principal, id: UserId) -> Result<Profile> {
        let user = self.users.find(id).await?.ok_or(Error::NotFound("user"))?;
        let online = self.presence.online(&[id]).await?.contains(&id);
        Ok(Profile { user, online, own: id == principal.user })
    }
}
