//! The store of users.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use futures_util::FutureExt;
use mango_domain::Failure;
use mango_domain::model::{
    ChatId, Credentials, Event, NewUser, PasswordHash, Phone, PhotoId, Timestamp, User, UserBrief, UserChange, UserId,
};
use mango_domain::ports::{Announcer, CreateUserError, Events, UpdateUserError, UpdatedUser, Users};
use tokio::time::sleep;

use super::super::schema::{members, profile_changes, users};
use super::super::{Conn, bounded, transaction};
use super::rows::{BriefRow, UserRow, photo};
use super::sessions::{holds, revoke_all};
use super::{Repository, for_ids};
use crate::error::Unique;

const PHONE: Unique = Unique { name: "users_phone_key", columns: "users.phone" };

/// How long to wait before asking again how a user is.
const PAUSE: Duration = Duration::from_secs(1);

#[async_trait]
impl Users for Repository {
    async fn create(&self, user: NewUser) -> Result<User, CreateUserError> {
        self.write(|conn| insert(conn, user).boxed()).await.map_err(|fault| match fault.violates(&PHONE) {
            true => CreateUserError::PhoneTaken,
            false => fault.during("create user").into(),
        })
    }

    async fn find(&self, id: UserId) -> Result<Option<User>, Failure> {
        self.read(move |conn| find(conn, id).boxed()).await.map_err(|fault| fault.during("find user"))
    }

    async fn credentials(&self, phone: &Phone) -> Result<Option<Credentials>, Failure> {
        let phone = phone.as_str().to_owned();
        self.read(|conn| {
            async move {
                let row = users::table.filter(users::phone.eq(phone)).select((users::id, users::password_hash));
                let row: Option<(i64, String)> = row.get_result(conn).await.optional()?;
                Ok(row.map(|(id, hash)| Credentials { user: UserId::new(id), password: PasswordHash::new(hash) }))
            }
            .boxed()
        })
        .await
        .map_err(|fault| fault.during("find credentials"))
    }

    async fn password(&self, id: UserId) -> Result<Option<PasswordHash>, Failure> {
        self.read(move |conn| password(conn, id).boxed()).await.map_err(|fault| fault.during("find password"))
    }

    async fn update(
        &self,
        id: UserId,
        change: UserChange,
        now: Timestamp,
        announcer: Announcer,
    ) -> Result<Option<UpdatedUser>, UpdateUserError> {
        match self.transact(move |conn| update(conn, id, change, now).boxed()).await {
            Ok(None) => Ok(None),
            Ok(Some(Update::SessionEnded)) => Err(UpdateUserError::SessionEnded),
            Ok(Some(Update::PasswordReplaced)) => Err(UpdateUserError::PasswordReplaced),
            Ok(Some(Update::Made(updated, is_changed))) => {
                self.live.forget(&updated.revoked);
                if is_changed {
                    self.tell_of(id, announcer.events).await;
                }
                Ok(Some(updated))
            }
            Err(fault) if fault.violates(&PHONE) => Err(UpdateUserError::PhoneTaken),
            Err(fault) => {
                self.doubt(&fault);
                if fault.is_uncertain() {
                    self.tell_later(id, announcer.events);
                }
                Err(fault.during("update user").into())
            }
        }
    }

    async fn rehash(&self, id: UserId, old: &PasswordHash, new: PasswordHash) -> Result<bool, Failure> {
        let old = old.expose().to_owned();
        self.write(move |conn| {
            diesel::update(users::table.find(id.get()).filter(users::password_hash.eq(old)))
                .set(users::password_hash.eq(new.expose().to_owned()))
                .execute(conn)
                .boxed()
        })
        .await
        .map(|replaced| replaced > 0)
        .map_err(|fault| fault.during("rehash password"))
    }

    async fn briefs(&self, ids: &[UserId]) -> Result<Vec<UserBrief>, Failure> {
        let mut ids: Vec<i64> = ids.iter().map(|id| id.get()).collect();
        ids.sort_unstable();
        ids.dedup();
        self.read(|conn| async move { briefs(conn, &ids).await }.boxed())
            .await
            .map_err(|fault| fault.during("find users"))
    }

    async fn named_photos(&self, photos: &[PhotoId]) -> Result<Vec<PhotoId>, Failure> {
        let photos: Vec<String> = photos.iter().map(|photo| photo.as_str().to_owned()).collect();
        self.read(|conn| async move { named_photos(conn, &photos).await }.boxed())
            .await
            .map_err(|fault| fault.during("find photos"))
    }

    async fn seen(&self, id: UserId, at: Timestamp) -> Result<(), Failure> {
        self.write(move |conn| {
            let earlier = users::last_seen_at.is_null().or(users::last_seen_at.lt(at));
            diesel::update(users::table.find(id.get()).filter(earlier))
                .set(users::last_seen_at.eq(at))
                .execute(conn)
                .boxed()
        })
        .await
        .map(drop)
        .map_err(|fault| fault.during("note last seen"))
    }
}

impl Repository {
    /// Publishes a user as they are now, or when the database answers again.
    async fn tell_of(&self, id: UserId, events: Arc<dyn Events>) {
        let seen = self.transact(move |conn| seen(conn, id).boxed()).await;
        match seen {
            Ok(seen) => publish(seen, &*events).await,
            Err(_) => self.tell_later(id, events),
        }
    }

    /// Publishes a user as they are now, once the database says how that is.
    fn tell_later(&self, id: UserId, events: Arc<dyn Events>) {
        let (pool, timeout, runtime) = (self.write.clone(), self.operation_timeout, self.runtime.clone());
        self.runtime.spawn(async move {
            while !pool.is_closed() {
                sleep(PAUSE).await;
                let Ok(conn) = pool.get().await else { continue };
                let seen = bounded(conn, timeout, &runtime, move |conn| {
                    transaction(conn, move |conn| seen(conn, id).boxed()).boxed()
                });
                match seen.await {
                    Ok(seen) => return publish(seen, &*events).await,
                    Err(fault) => tracing::debug!(%fault, "a profile is in doubt until the database answers"),
                }
            }
        });
    }
}

async fn publish(seen: Option<(UserBrief, Vec<ChatId>)>, events: &dyn Events) {
    if let Some((user, chats)) = seen {
        events.publish(Event::UserChanged { user, chats }).await;
    }
}

/// A user as others see them, and the chats where they do, once nothing that was begun is still being committed to the user. A chat that is
/// not there yet is read, by its members, after the change.
async fn seen(conn: &mut Conn, id: UserId) -> QueryResult<Option<(UserBrief, Vec<ChatId>)>> {
    let row = users::table.find(id.get()).select(BriefRow::as_select());
    let Some(row) = locking!(row).get_result(conn).await.optional()? else { return Ok(None) };
    let chats = members::table.filter(members::user_id.eq(id.get())).select(members::chat_id);
    let chats: Vec<i64> = chats.order(members::chat_id).load(conn).await?;
    Ok(Some((row.into_brief()?, chats.into_iter().map(ChatId::new).collect())))
}

async fn insert(conn: &mut Conn, user: NewUser) -> QueryResult<User> {
    let row: UserRow = diesel::insert_into(users::table)
        .values((
            users::phone.eq(user.phone.as_str()),
            users::password_hash.eq(user.password.expose()),
            users::name.eq(user.name.as_ref().map(|name| name.as_str())),
            users::photo.eq(user.photo.as_ref().map(|photo| photo.as_str())),
            users::description.eq(user.description.as_ref().map(|text| text.as_str())),
            users::created_at.eq(user.created_at),
        ))
        .returning(UserRow::as_returning())
        .get_result(conn)
        .await?;
    row.into_user()
}

async fn find(conn: &mut Conn, id: UserId) -> QueryResult<Option<User>> {
    let row = users::table.find(id.get()).select(UserRow::as_select()).get_result(conn).await.optional()?;
    row.map(UserRow::into_user).transpose()
}

/// Those of the users that exist, in order of id. The ids are in that order too, and each is there once.
pub(super) async fn briefs(conn: &mut Conn, ids: &[i64]) -> QueryResult<Vec<UserBrief>> {
    let rows = for_ids(conn, ids, |conn, ids| {
        users::table.filter(users::id.eq_any(ids)).order(users::id).select(BriefRow::as_select()).load(conn).boxed()
    })
    .await?;
    rows.into_iter().map(BriefRow::into_brief).collect()
}

async fn named_photos(conn: &mut Conn, photos: &[String]) -> QueryResult<Vec<PhotoId>> {
    let rows: Vec<Option<String>> = for_ids(conn, photos, |conn, photos| {
        users::table.filter(users::photo.eq_any(photos)).select(users::photo).load(conn).boxed()
    })
    .await?;
    rows.into_iter().filter_map(|row| photo(row).transpose()).collect()
}

/// The columns that a [`UserChange`] sets; `None` leaves a column as it is, `Some(None)` empties it.
#[derive(AsChangeset)]
#[diesel(table_name = users)]
struct Changes {
    phone: Option<String>,
    password_hash: Option<String>,
    name: Option<Option<String>>,
    photo: Option<Option<String>>,
    description: Option<Option<String>>,
    version: Option<i64>,
}

/// What came of a change.
enum Update {
    /// It was made; whether others see it.
    Made(UpdatedUser, bool),
    /// It was not made: the session that wanted it has ended.
    SessionEnded,
    /// It was not made: the password has another hash than it was to have still.
    PasswordReplaced,
}

async fn password(conn: &mut Conn, id: UserId) -> QueryResult<Option<PasswordHash>> {
    let hash = users::table.find(id.get()).select(users::password_hash).get_result(conn).await.optional()?;
    Ok(hash.map(PasswordHash::new))
}

/// Makes the change.
async fn update(conn: &mut Conn, id: UserId, change: UserChange, now: Timestamp) -> QueryResult<Option<Update>> {
    let row = users::table.find(id.get()).select(BriefRow::as_select());
    let Some(before) = locking!(row).get_result(conn).await.optional()?.map(BriefRow::into_brief).transpose()? else {
        return Ok(None);
    };
    if let Some(session) = change.keep_session
        && !holds(conn, session).await?
    {
        return Ok(Some(Update::SessionEnded));
    }
    if let Some(current) = &change.current_password
        && password(conn, id).await?.as_ref() != Some(current)
    {
        return Ok(Some(Update::PasswordReplaced));
    }
    let old_phone: Option<String> = match change.phone {
        Some(_) => Some(users::table.find(id.get()).select(users::phone).get_result(conn).await?),
        None => None,
    };
    let is_changed = change.name.as_ref().is_some_and(|name| *name != before.name)
        || change.photo.as_ref().is_some_and(|photo| *photo != before.photo);
    let revoked = match change.password {
        Some(_) => revoke_all(conn, id, change.keep_session, now).await?,
        None => Vec::new(),
    };
    // Its row stays locked until the commit, so that the numbers are given in the order of the commits: who sees one sees all before it. It
    // is taken last, since everybody else who changes waits for it.
    let version = match is_changed {
        true => {
            let next = diesel::update(profile_changes::table.find(true));
            let next = next.set(profile_changes::last.eq(profile_changes::last + 1)).returning(profile_changes::last);
            Some(next.get_result::<i64>(conn).await?)
        }
        false => None,
    };
    let changes = Changes {
        phone: change.phone.map(|phone| phone.as_str().to_owned()),
        password_hash: change.password.as_ref().map(|hash| hash.expose().to_owned()),
        name: change.name.map(|name| name.map(|name| name.as_str().to_owned())),
        photo: change.photo.map(|photo| photo.map(|photo| photo.as_str().to_owned())),
        description: change.description.map(|text| text.map(|text| text.as_str().to_owned())),
        version,
    };
    let row: UserRow = diesel::update(users::table.find(id.get()))
        // A column that is set to itself keeps a change of nothing a valid statement.
        .set((users::created_at.eq(users::created_at), changes))
        .returning(UserRow::as_returning())
        .get_result(conn)
        .await?;
    let user = row.into_user()?;
    let old_photo = before.photo.filter(|old| user.photo.as_ref() != Some(old));
    let has_new_phone = old_phone.is_some_and(|old| old != user.phone.as_str());
    Ok(Some(Update::Made(UpdatedUser { user, has_new_phone, old_photo, revoked }, is_changed)))
}
