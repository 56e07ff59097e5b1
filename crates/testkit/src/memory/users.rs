//! Users in memory.

use async_trait::async_trait;
use mango_domain::Failure;
use mango_domain::model::{
    Credentials, Event, NewUser, PasswordHash, Phone, PhotoId, ProfileVersion, Timestamp, User, UserBrief, UserChange,
    UserId,
};
use mango_domain::ports::{Announcer, CreateUserError, UpdateUserError, UpdatedUser, Users};

use super::MemoryStore;
use super::sessions::end_all;
use super::store::{Account, State};

type Updated = Result<Option<UpdatedUser>, UpdateUserError>;

#[async_trait]
impl Users for MemoryStore {
    async fn create(&self, user: NewUser) -> Result<User, CreateUserError> {
        let mut state = self.enter("create user")?;
        if owner(&state, &user.phone).is_some() {
            return Err(CreateUserError::PhoneTaken);
        }
        let NewUser { phone, password, name, photo, description, created_at } = user;
        let id = UserId::new(state.next_id());
        let user = User { id, phone, name, photo, description, last_seen_at: None, created_at };
        state.users.insert(id, Account { user: user.clone(), password, version: ProfileVersion::new(0) });
        state.answer("create user", user).map_err(CreateUserError::from)
    }

    async fn find(&self, id: UserId) -> Result<Option<User>, Failure> {
        let state = self.enter("find user")?;
        Ok(state.users.get(&id).map(|account| account.user.clone()))
    }

    async fn credentials(&self, phone: &Phone) -> Result<Option<Credentials>, Failure> {
        let state = self.enter("find credentials")?;
        let account = owner(&state, phone).and_then(|id| state.users.get(&id));
        Ok(account.map(|account| Credentials { user: account.user.id, password: account.password.clone() }))
    }

    async fn password(&self, id: UserId) -> Result<Option<PasswordHash>, Failure> {
        let state = self.enter("find password")?;
        Ok(state.users.get(&id).map(|account| account.password.clone()))
    }

    async fn update(
        &self,
        id: UserId,
        change: UserChange,
        _now: Timestamp,
        announcer: Announcer,
    ) -> Result<Option<UpdatedUser>, UpdateUserError> {
        let (answer, news) = self.update_now(id, change)?;
        if let Some(event) = news {
            announcer.events.publish(event).await;
        }
        answer
    }

    async fn rehash(&self, id: UserId, old: &PasswordHash, new: PasswordHash) -> Result<bool, Failure> {
        let mut state = self.enter("rehash password")?;
        let account = state.users.get_mut(&id).filter(|account| account.password == *old);
        Ok(account.map(|account| account.password = new).is_some())
    }

    async fn briefs(&self, ids: &[UserId]) -> Result<Vec<UserBrief>, Failure> {
        Ok(self.enter("find briefs")?.briefs(&ids.iter().copied().collect()))
    }

    async fn named_photos(&self, photos: &[PhotoId]) -> Result<Vec<PhotoId>, Failure> {
        let state = self.enter("find photos")?;
        let named = state.users.values().filter_map(|account| account.user.photo.clone());
        Ok(named.filter(|photo| photos.contains(photo)).collect())
    }

    async fn seen(&self, id: UserId, at: Timestamp) -> Result<(), Failure> {
        if let Some(account) = self.enter("note last seen")?.users.get_mut(&id) {
            account.user.last_seen_at = account.user.last_seen_at.max(Some(at));
        }
        Ok(())
    }
}

impl MemoryStore {
    /// Makes the change. Gives the answer, which may be lost, and the news.
    fn update_now(&self, id: UserId, change: UserChange) -> Result<(Updated, Option<Event>), UpdateUserError> {
        let mut guard = self.enter("update user")?;
        let state = &mut *guard;
        let UserChange { phone, password, current_password, name, photo, description, keep_session } = change;
        if phone.as_ref().and_then(|phone| owner(state, phone)).is_some_and(|owner| owner != id) {
            return Err(UpdateUserError::PhoneTaken);
        }
        let Some(account) = state.users.get_mut(&id) else {
            return Ok((Ok(None), None));
        };
        if keep_session.is_some_and(|kept| state.sessions.get(&kept).is_none_or(|login| !login.live)) {
            return Err(UpdateUserError::SessionEnded);
        }
        if current_password.is_some_and(|current| account.password != current) {
            return Err(UpdateUserError::PasswordReplaced);
        }
        let before = account.brief();
        let user = &mut account.user;
        let has_new_phone = phone.as_ref().is_some_and(|phone| *phone != user.phone);
        let old_photo = user.photo.clone().filter(|old| photo.as_ref().is_some_and(|new| new.as_ref() != Some(old)));
        user.phone = phone.unwrap_or_else(|| user.phone.clone());
        user.name = name.unwrap_or_else(|| user.name.clone());
        user.photo = photo.unwrap_or_else(|| user.photo.clone());
        user.description = description.unwrap_or_else(|| user.description.clone());
        let user = user.clone();
        let is_changed = (&before.name, &before.photo) != (&user.name, &user.photo);
        if is_changed {
            state.last_profile += 1;
            account.version = ProfileVersion::new(state.last_profile);
        }
        let brief = account.brief();
        let revoked = match password {
            Some(password) => {
                account.password = password;
                end_all(state, id, keep_session)
            }
            None => Vec::new(),
        };
        let rooms = state.chats.values().filter(|room| room.members.contains(&id));
        let chats = rooms.map(|room| room.record.id).collect();
        let news = is_changed.then_some(Event::UserChanged { user: brief, chats });
        let answer = state.answer("update user", Some(UpdatedUser { user, has_new_phone, old_photo, revoked }));
        Ok((answer.map_err(UpdateUserError::from), news))
    }
}

/// Who has a phone.
pub(super) fn owner(state: &State, phone: &Phone) -> Option<UserId> {
    state.users.values().find(|account| account.user.phone == *phone).map(|account| account.user.id)
}
