//! Signing up.

use std::net::IpAddr;
use std::sync::Arc;

use crate::model::{Client, Description, NewUser, Password, Phone, Profile, UserName};
use crate::ports::{Clock, CreateUserError, Passwords, Users};
use crate::usecases::photos::Photos;
use crate::{Error, Result};

/// Signs a user up.
pub struct Register {
    users: Arc<dyn Users>,
    passwords: Arc<dyn Passwords>,
    photos: Photos,
    clock: Arc<dyn Clock>,
}

/// Who wants to sign up.
#[derive(Debug, Clone)]
pub struct NewAccount {
    /// Their phone.
    pub phone: Phone,
    /// The password they chose.
    pub password: Password,
    /// Their name.
    pub name: Option<UserName>,
    /// What they say of themselves.
    pub description: Option<Description>,
    /// A picture in any of the formats that are taken.
    pub picture: Option<Vec<u8>>,
}

impl Register {
    pub(super) fn new(
        users: Arc<dyn Users>,
        passwords: Arc<dyn Passwords>,
        photos: Photos,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { users, passwords, photos, clock }
    }

    /// Adds the user. What is refused leaves neither a user nor files behind. When the store fails, the user may have been added all
    /// the same, so the files stay; [`SweepPhotos`](super::sweep_photos::SweepPhotos) removes them if nobody has them.
    ///
    /// # Errors
    /// [`Error::PhoneTaken`]; [`Error::Invalid`] on `photo` when the picture is not taken.
    pub async fn run(&self, account: NewAccount, address: Option<IpAddr>) -> Result<Profile> {
        let NewAccount { phone, password, name, description, picture } = account;
        let by = Client::at(address);
        let password = self.passwords.hash(password, by).await?;
        let photo = match picture {
            Some(picture) => Some(self.photos.store(picture, by).await?),
            None => None,
        };
        let user = NewUser { phone, password, name, photo: photo.clone(), description, created_at: self.clock.now() };
        match self.users.create(user).await {
            Ok(user) => Ok(Profile { user, online: false, own: true }),
            Err(CreateUserError::PhoneTaken) => {
                self.photos.discard(photo.as_ref()).await;
                Err(Error::PhoneTaken)
            }
            Err(CreateUserError::Failed(failure)) => Err(failure.into()),
        }
    }
}
