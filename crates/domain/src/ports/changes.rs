//! The store of what changed since when.

use async_trait::async_trait;

use crate::Failure;
use crate::model::{Epoch, SyncPage, SyncRequest, UserId};

/// Tells what changed in the chats of a user.
#[async_trait]
pub trait Changes: Send + Sync {
    /// The changes that a client has not seen, as [`SyncRequest::plan`] has it and cut as [`SyncPlan`](crate::model::SyncPlan) has it, in a
    /// bounded number of queries whatever the number of chats. All of it is as it was at one moment, so that a chat's messages are all that changed up to the version that the answer
    /// says it reaches. What is committed before the call is in the answer; what is committed during it may be.
    async fn since(&self, user: UserId, request: SyncRequest) -> Result<SyncPage, Failure>;

    /// The name of the database, which it was given when it was made and keeps.
    async fn epoch(&self) -> Result<Epoch, Failure>;
}
