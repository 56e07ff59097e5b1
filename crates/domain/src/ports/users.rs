//! The store of users.

use async_trait::async_trait;
use thiserror::Error;

use crate::Failure;
use crate::model::{
    Credentials, NewUser, PasswordHash, Phone, PhotoId, SessionId, Timestamp, User, UserBrief, UserChange, UserId,
};
use crate::ports::Announcer;

/// Keeps users. Phones are unique among them.
#[async_trait]
pub trait Users: Send + Sync {
    /// Adds a user. Of two calls with one phone at the same time exactly one succeeds.
    async fn create(&self, user: NewUser) -> Result<User, CreateUserError>;

    /// Finds a user by id.
    async fn find(&self, id: UserId) -> Result<Option<User>, Failure>;

    /// What the login of a phone is checked against; `None` when nobody has that phone.
    async fn credentials(&self, phone: &Phone) -> Result<Option<Credentials>, Failure>;

    /// The hash of a user's password; `None` when there is no such user.
    async fn password(&self, id: UserId) -> Result<Option<PasswordHash>, Failure>;

    /// Changes a user in one transaction. With a new password it also revokes every session of the user but
    /// `change.keep_session`, at `now`. `Ok(None)` when there is no such user. When `change.keep_session` has ended, or the password
    /// has another hash than `change.current_password`, nothing is changed.
    ///
    /// A user who has another name or photo than before takes the next [`ProfileVersion`](crate::model::ProfileVersion), and is published as
    /// they are now, as [`UserChanged`](crate::model::Event::UserChanged) with their chats of after the commit. So they are as well when the
    /// store cannot tell whether the change was committed, as soon as it can.
    async fn update(
        &self,
        id: UserId,
        change: UserChange,
        now: Timestamp,
        announcer: Announcer,
    ) -> Result<Option<UpdatedUser>, UpdateUserError>;

    /// Replaces the hash of a password by another hash of the same password, unless the password has been changed meanwhile: `old` has to
    /// be the one that is stored. Whether it was replaced. It revokes nothing.
    async fn rehash(&self, id: UserId, old: &PasswordHash, new: PasswordHash) -> Result<bool, Failure>;

    /// Finds those of the given users that exist, in order of id, in a bounded number of queries.
    async fn briefs(&self, ids: &[UserId]) -> Result<Vec<UserBrief>, Failure>;

    /// Those of the given photos that a user has, in no order, in a bounded number of queries.
    async fn named_photos(&self, photos: &[PhotoId]) -> Result<Vec<PhotoId>, Failure>;

    /// Notes when a user was last seen; never moves the time backwards. No such user is no error.
    async fn seen(&self, id: UserId, at: Timestamp) -> Result<(), Failure>;
}

/// A user after a change, and what the change left behind.
#[derive(Debug, Clone)]
pub struct UpdatedUser {
    /// The user as they are now.
    pub user: User,
    /// Whether they have another phone than before.
    pub has_new_phone: bool,
    /// The photo that the change replaced or removed.
    pub old_photo: Option<PhotoId>,
    /// The sessions that a new password revoked.
    pub revoked: Vec<SessionId>,
}

/// Why a user was not added.
#[derive(Debug, Error)]
pub enum CreateUserError {
    /// Somebody has that phone.
    #[error("create user: the phone is taken")]
    PhoneTaken,
    /// The store failed.
    #[error(transparent)]
    Failed(#[from] Failure),
}

/// Why a user was not changed.
#[derive(Debug, Error)]
pub enum UpdateUserError {
    /// Somebody else has that phone.
    #[error("update user: the phone is taken")]
    PhoneTaken,
    /// The session that wants the change has ended.
    #[error("update user: the session has ended")]
    SessionEnded,
    /// The password has another hash than it is to have still.
    #[error("update user: the password has been replaced")]
    PasswordReplaced,
    /// The store failed.
    #[error(transparent)]
    Failed(#[from] Failure),
}
