//! Changes that users make to themselves.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::error::Unauthenticated;
use crate::model::{
    AuditEvent, Client, Description, Event, Password, Phone, Principal, Profile, UserChange, UserId, UserName,
};
use crate::ports::{Announcer, Clock, Events, Presence, UpdateUserError, Users};
use crate::usecases::audit::Auditor;
use crate::usecases::new_password::{Chosen, NewPasswords, Wanted, WantedPhone};
use crate::usecases::photos::Photos;
use crate::{Error, Failure, Result};

/// When to try again whose password was replaced while it was checked.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Changes the profile of the caller.
pub struct UpdateUser {
    users: Arc<dyn Users>,
    new_passwords: NewPasswords,
    photos: Photos,
    presence: Arc<dyn Presence>,
    events: Arc<dyn Events>,
    clock: Arc<dyn Clock>,
    auditor: Auditor,
}

/// What to change; `None` leaves a field as it is, `Some(None)` empties it.
#[derive(Debug, Clone, Default)]
pub struct ProfileEdit {
    /// The new phone.
    pub phone: Option<Phone>,
    /// The new password. It ends all other sessions of the user.
    pub password: Option<Password>,
    /// The password of now, for a new one or a new phone.
    pub current_password: Option<Password>,
    /// The new name.
    pub name: Option<Option<UserName>>,
    /// The new description.
    pub description: Option<Option<Description>>,
    /// A new picture in any of the formats that are taken.
    pub picture: Option<Option<Vec<u8>>>,
}

impl UpdateUser {
    pub(super) fn new(
        users: Arc<dyn Users>,
        new_passwords: NewPasswords,
        photos: Photos,
        presence: Arc<dyn Presence>,
        events: Arc<dyn Events>,
        clock: Arc<dyn Clock>,
        auditor: Auditor,
    ) -> Self {
        Self { users, new_passwords, photos, presence, events, clock, auditor }
    }

    /// Makes the change, all of it or nothing, and has those told who see the user's name and photo. The files of a replaced photo go once the change is committed, those of a new one
    /// when it is refused. When the store fails, the change may have been made all the same, so both stay;
    /// [`SweepPhotos`](super::sweep_photos::SweepPhotos) removes what nobody has. A new password ends all sessions but the caller's
    /// and closes their connections. It and a new phone are noted in the audit log. A session that was ended while its request was under way changes nothing, and neither does somebody whose
    /// password is not any more the one that they have shown to know.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] when the session has ended; [`Error::Forbidden`] for anybody else's id; [`Error::PhoneTaken`]; [`Error::Invalid`] on `photo` when the picture is not
    /// taken, and on `current_password` when it is wrong, is missing though the policy wants it, or comes without a new one and without a phone;
    /// [`Error::TooMany`] when too many have been wrong, or the phone was changed too often; a failure that is [busy](crate::FailureKind::Busy) when the password was replaced meanwhile.
    pub async fn run(
        &self,
        principal: &Principal,
        id: UserId,
        edit: ProfileEdit,
        address: Option<IpAddr>,
    ) -> Result<Profile> {
        if id != principal.user {
            return Err(Error::Forbidden("you can change nobody but yourself"));
        }
        let ProfileEdit { phone, password, current_password, name, description, picture } = edit;
        let kind = match &phone {
            Some(phone) => Some(self.compare(id, phone).await?),
            None => None,
        };
        // To set it to what it is would undo the change of somebody else.
        let phone = phone.filter(|_| kind == Some(WantedPhone::Other));
        let wanted = Wanted { password, phone: kind, current: current_password };
        let Chosen { new: password, current: current_password } =
            self.new_passwords.choose(principal, wanted, address).await?;
        let by = Client { user: Some(id), address };
        let photo = match picture {
            Some(Some(picture)) => Some(Some(self.photos.store(picture, by).await?)),
            Some(None) => Some(None),
            None => None,
        };
        let (new_photo, new_password) = (photo.clone().flatten(), password.is_some());
        let keep_session = Some(principal.session);
        let change = UserChange { phone, password, current_password, name, photo, description, keep_session };
        let announcer = Announcer::new(&self.events, None);
        let decided = match self.users.update(id, change, self.clock.now(), announcer).await {
            Ok(updated) => updated.ok_or(Error::NotFound("user")),
            Err(UpdateUserError::PhoneTaken) => Err(Error::PhoneTaken),
            Err(UpdateUserError::SessionEnded) => Err(Error::Unauthenticated(Unauthenticated::Revoked)),
            // Somebody else has changed it, or a login has hashed it anew: the next try finds out.
            Err(UpdateUserError::PasswordReplaced) => Err(Failure::busy("update user", RETRY_AFTER).into()),
            Err(UpdateUserError::Failed(failure)) => return Err(failure.into()),
        };
        if decided.is_err() {
            self.photos.discard(new_photo.as_ref()).await;
        }
        let updated = decided?;
        self.photos.discard(updated.old_photo.as_ref()).await;
        if !updated.revoked.is_empty() {
            self.events.publish(Event::SessionsEnded { sessions: updated.revoked }).await;
        }
        if updated.has_new_phone {
            self.auditor.note(AuditEvent::PhoneChanged, Some(id), [keep_session], address).await;
        }
        if new_password {
            self.auditor.note(AuditEvent::PasswordChanged, Some(id), [keep_session], address).await;
        }
        let online = self.presence.online(&[id]).await?.contains(&id);
        Ok(Profile { user: updated.user, online, own: true })
    }

    /// Whether a phone is another one than the user has.
    async fn compare(&self, id: UserId, phone: &Phone) -> Result<WantedPhone> {
        let user = self.users.find(id).await?.ok_or(Error::NotFound("user"))?;
        Ok(if user.phone == *phone { WantedPhone::Kept } else { WantedPhone::Other })
    }
}
