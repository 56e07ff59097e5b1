//! What [`Users`](mango_domain::ports::Users) promises.

use std::sync::Arc;

use chrono::TimeDelta;
use mango_domain::model::{
    Description, PasswordHash, PhotoId, SessionId, Timestamp, User, UserBrief, UserChange, UserId, UserName,
};
use mango_domain::ports::{CreateUserError, UpdateUserError, UpdatedUser};

use super::together;
use crate::Stores;
use crate::build::{moment, phone, photo, session, user, users};

/// `create` gives the user as it was described, and `find` gives the same.
pub async fn a_new_user_is_found_as_created(stores: Stores) {
    let described = user(1)
        .name("Zoë 🥭")
        .photo(photo(7))
        .description("two\nlines, a \"quote\" and an 'apostrophe'")
        .at(moment(9) + TimeDelta::microseconds(123_456));
    let expected = described.clone().build();
    let created = described.add(&stores).await;
    assert_eq!(created.phone, expected.phone);
    assert_eq!(created.name, expected.name);
    assert_eq!(created.photo, expected.photo);
    assert_eq!(created.description, expected.description);
    assert_eq!(created.created_at, expected.created_at);
    assert_eq!(created.last_seen_at, None);
    assert_eq!(find(&stores, created.id).await, created);
}

/// Name, photo and description are optional.
pub async fn a_user_may_have_nothing_but_a_phone_and_a_password(stores: Stores) {
    let created = user(1).add(&stores).await;
    assert_eq!((&created.name, &created.photo, &created.description), (&None, &None, &None));
    assert_eq!(find(&stores, created.id).await, created);
}

/// `find` and `credentials` answer `None` for whom they do not know.
pub async fn unknown_users_are_absent(stores: Stores) {
    let known = user(1).add(&stores).await;
    assert_eq!(stores.users.find(UserId::new(known.id.get() + 1)).await.expect("find"), None);
    assert!(stores.users.credentials(&phone(2)).await.expect("credentials").is_none());
}

/// A second user with the phone of the first is refused by name, and leaves nothing behind.
pub async fn phones_are_unique(stores: Stores) {
    let first = user(1).name("First").add(&stores).await;
    let second = stores.users.create(user(1).name("Second").build()).await;
    assert!(matches!(second, Err(CreateUserError::PhoneTaken)), "{second:?}");
    assert_eq!(find(&stores, first.id).await, first);
    user(2).add(&stores).await;
}

/// Of two or more calls with one phone at the same time exactly one succeeds; the others hear that the phone is taken.
pub async fn of_concurrent_creations_with_one_phone_one_succeeds(stores: Stores) {
    let results = together((0..12).map(|_| {
        let store = Arc::clone(&stores.users);
        async move { store.create(user(1).build()).await }
    }))
    .await;
    let taken = results.iter().filter(|result| matches!(result, Err(CreateUserError::PhoneTaken))).count();
    let created = results.iter().filter(|result| result.is_ok()).count();
    assert_eq!((created, taken), (1, 11), "{results:?}");
}

/// A login is checked against the user who has the phone now.
pub async fn credentials_are_those_of_the_phone(stores: Stores) {
    let one = user(1).password(hash("one")).add(&stores).await;
    let two = user(2).password(hash("two")).add(&stores).await;
    check_credentials(&stores, 1, Some((one.id, "one"))).await;
    check_credentials(&stores, 2, Some((two.id, "two"))).await;
    let change = UserChange { phone: Some(phone(3)), password: Some(hash("changed")), ..UserChange::default() };
    update(&stores, one.id, change).await;
    check_credentials(&stores, 1, None).await;
    check_credentials(&stores, 3, Some((one.id, "changed"))).await;
}

/// `update` changes every field that it names and no other, and of no other user.
pub async fn an_update_changes_what_it_names(stores: Stores) {
    let before = user(1).name("Before").photo(photo(1)).description("was").add(&stores).await;
    let other = user(2).name("Other").add(&stores).await;
    let name = Some(UserName::parse("After").expect("a name"));
    let renamed = update(&stores, before.id, UserChange { name: Some(name.clone()), ..UserChange::default() }).await;
    assert_eq!(renamed.user, User { name: name.clone(), ..before.clone() });

    let description = Some(Description::parse("is").expect("a description"));
    let change = UserChange {
        phone: Some(phone(9)),
        photo: Some(Some(photo(2))),
        description: Some(description.clone()),
        ..UserChange::default()
    };
    let changed = update(&stores, before.id, change).await;
    let expected = User { phone: phone(9), name, photo: Some(photo(2)), description, ..before };
    assert_eq!(changed.user, expected);
    assert_eq!(find(&stores, expected.id).await, expected);
    assert_eq!(find(&stores, other.id).await, other);
}

/// `Some(None)` empties a field.
pub async fn an_update_empties_fields(stores: Stores) {
    let before = user(1).name("Name").photo(photo(1)).description("Text").add(&stores).await;
    let change = UserChange { name: Some(None), photo: Some(None), description: Some(None), ..UserChange::default() };
    let after = update(&stores, before.id, change).await;
    assert_eq!(after.user, User { name: None, photo: None, description: None, ..before });
    assert_eq!(find(&stores, after.user.id).await, after.user);
}

/// A change that names nothing gives the user as they are.
pub async fn an_update_of_nothing_changes_nothing(stores: Stores) {
    let before = user(1).name("Name").photo(photo(1)).add(&stores).await;
    let after = update(&stores, before.id, UserChange::default()).await;
    assert_eq!((after.user, after.old_photo, after.revoked), (before, None, Vec::new()));
}

/// `update` of a user that does not exist is `Ok(None)`, whatever it would change.
pub async fn an_update_of_nobody_is_none(stores: Stores) {
    let nobody = UserId::new(user(1).add(&stores).await.id.get() + 1);
    for change in [
        UserChange::default(),
        UserChange { name: Some(None), ..UserChange::default() },
        UserChange { password: Some(hash("new")), ..UserChange::default() },
    ] {
        let result = stores.users.update(nobody, change, moment(1)).await;
        assert!(matches!(result, Ok(None)), "{result:?}");
    }
}

/// `old_photo` is the photo that a change replaced or removed, and nothing when the photo was left alone.
pub async fn an_update_reports_the_old_photo(stores: Stores) {
    let id = user(1).add(&stores).await.id;
    for (new_photo, expected_old) in [
        (Some(Some(photo(1))), None),
        (None, None),
        (Some(Some(photo(2))), Some(photo(1))),
        (Some(None), Some(photo(2))),
        (Some(None), None),
    ] {
        let change = UserChange { photo: new_photo.clone(), ..UserChange::default() };
        assert_eq!(update(&stores, id, change).await.old_photo, expected_old, "photo set to {new_photo:?}");
    }
}

/// A user's own phone is not taken by somebody else, and a phone that was given up is free.
pub async fn an_update_takes_a_free_phone(stores: Stores) {
    let one = user(1).add(&stores).await;
    assert_eq!(update(&stores, one.id, new_phone(1)).await.user, one);
    assert_eq!(update(&stores, one.id, new_phone(2)).await.user.phone, phone(2));
    let successor = user(1).add(&stores).await;
    assert_ne!(successor.id, one.id);
}

/// A phone that somebody else has is refused by name, and then nothing at all is changed: it is one transaction.
pub async fn an_update_does_not_take_a_taken_phone(stores: Stores) {
    let one = user(1).name("One").password(hash("one")).add(&stores).await;
    user(2).add(&stores).await;
    let live = session(&stores, one.id, 1).await;
    let change =
        UserChange { name: Some(None), password: Some(hash("changed")), photo: Some(Some(photo(1))), ..new_phone(2) };
    let result = stores.users.update(one.id, change, moment(1)).await;
    assert!(matches!(result, Err(UpdateUserError::PhoneTaken)), "{result:?}");
    assert_eq!(find(&stores, one.id).await, one);
    check_credentials(&stores, 1, Some((one.id, "one"))).await;
    assert!(is_live(&stores, live, one.id).await);
}

/// Of several users who take one phone at the same time exactly one gets it.
pub async fn of_concurrent_updates_to_one_phone_one_succeeds(stores: Stores) {
    let ids = users(&stores, 8).await;
    let results = together(ids.into_iter().map(|id| {
        let store = Arc::clone(&stores.users);
        async move { store.update(id, new_phone(99), moment(1)).await }
    }))
    .await;
    let taken = results.iter().filter(|result| matches!(result, Err(UpdateUserError::PhoneTaken))).count();
    let changed = results.iter().filter(|result| matches!(result, Ok(Some(_)))).count();
    assert_eq!((changed, taken), (1, 7), "{results:?}");
}

/// A new password ends every live session of the user but the one to keep, and reports those that it ended.
pub async fn a_new_password_revokes_all_sessions_but_the_kept(stores: Stores) {
    let (one, two) = (user(1).add(&stores).await.id, user(2).add(&stores).await.id);
    let (kept, lost, gone) =
        (session(&stores, one, 1).await, session(&stores, one, 2).await, session(&stores, one, 3).await);
    let anothers = session(&stores, two, 4).await;
    assert!(stores.sessions.revoke(gone, moment(1)).await.expect("revoke"));

    let change = UserChange { password: Some(hash("new")), keep_session: Some(kept), ..UserChange::default() };
    let updated = update(&stores, one, change).await;
    assert_eq!(updated.revoked, [lost], "a session that had ended before is not among them");
    for (id, owner, expected) in [(kept, one, true), (lost, one, false), (gone, one, false), (anothers, two, true)] {
        assert_eq!(is_live(&stores, id, owner).await, expected, "{id:?}");
    }
}

/// Without a session to keep, or with one of somebody else's, all of the user's sessions end.
pub async fn a_new_password_revokes_all_sessions_when_none_is_kept(stores: Stores) {
    let (one, two) = (user(1).add(&stores).await.id, user(2).add(&stores).await.id);
    let anothers = session(&stores, two, 100).await;
    for (n, keep_session) in [(1, None), (3, Some(anothers))] {
        let mut expected = vec![session(&stores, one, n).await, session(&stores, one, n + 1).await];
        let change = UserChange { password: Some(hash("new")), keep_session, ..UserChange::default() };
        let mut revoked = update(&stores, one, change).await.revoked;
        expected.sort();
        revoked.sort();
        assert_eq!(revoked, expected);
        for id in revoked {
            assert!(!is_live(&stores, id, one).await);
        }
        assert!(is_live(&stores, anothers, two).await);
    }
}

/// Only a new password ends sessions.
pub async fn other_updates_revoke_nothing(stores: Stores) {
    let one = user(1).add(&stores).await.id;
    let live = session(&stores, one, 1).await;
    let updated = update(&stores, one, UserChange { photo: Some(Some(photo(1))), ..new_phone(2) }).await;
    assert_eq!(updated.revoked, []);
    assert!(is_live(&stores, live, one).await);
}

/// `briefs` gives those of the given users that exist, each once, in order of id.
pub async fn briefs_are_those_that_exist_in_order(stores: Stores) {
    let ann = user(1).name("Ann").photo(photo(1)).description("unseen").add(&stores).await;
    let bob = user(2).add(&stores).await;
    user(3).name("Not asked for").add(&stores).await;
    let nobody = UserId::new(1_000_000);
    let expected = [
        UserBrief { id: ann.id, name: ann.name.clone(), photo: ann.photo.clone() },
        UserBrief { id: bob.id, name: None, photo: None },
    ];
    let asked = [bob.id, nobody, ann.id, bob.id];
    assert_eq!(stores.users.briefs(&asked).await.expect("briefs"), expected);
    assert_eq!(stores.users.briefs(&[]).await.expect("briefs"), []);
    assert_eq!(stores.users.briefs(&[nobody]).await.expect("briefs"), []);
}

/// `briefs` takes the 10,000 members that a group may have at once.
pub async fn briefs_take_as_many_as_a_group_has(stores: Stores) {
    let known = users(&stores, 3).await;
    let asked: Vec<UserId> = known.iter().copied().chain((1_000_000..1_009_997).map(UserId::new)).collect();
    let found = stores.users.briefs(&asked).await.expect("briefs");
    assert_eq!(found.iter().map(|brief| brief.id).collect::<Vec<_>>(), known);
}

/// `named_photos` gives those of the given photos that a user has now, whoever it is.
pub async fn named_photos_are_those_that_users_have(stores: Stores) {
    let ann = user(1).photo(photo(1)).add(&stores).await;
    user(2).photo(photo(2)).add(&stores).await;
    user(3).add(&stores).await;
    check_named(&stores, &[photo(3), photo(2), photo(1)], &[photo(1), photo(2)]).await;
    check_named(&stores, &[photo(2)], &[photo(2)]).await;
    check_named(&stores, &[], &[]).await;
    for (new, named) in [(Some(photo(3)), photo(3)), (None, photo(2))] {
        update(&stores, ann.id, UserChange { photo: Some(new), ..UserChange::default() }).await;
        check_named(&stores, &[photo(1), named.clone()], &[named]).await;
    }
    check_named(&stores, &[photo(1), photo(3)], &[]).await;
}

/// `named_photos` takes more photos than a database takes parameters, and finds the named ones wherever they stand.
pub async fn named_photos_are_found_among_any_number(stores: Stores) {
    let numbered = |n: u32| PhotoId::from_random([n.to_be_bytes(); 4].concat().try_into().expect("16 bytes"));
    let named = [numbered(0), numbered(40_000), numbered(69_999)];
    for (n, photo) in (1..).zip(&named) {
        user(n).photo(photo.clone()).add(&stores).await;
    }
    check_named(&stores, &(0..70_000).map(numbered).collect::<Vec<_>>(), &named).await;
}

/// `seen` notes the latest time it was told, keeps its microseconds, and forgives an unknown user.
pub async fn seen_never_moves_backwards(stores: Stores) {
    let id = user(1).add(&stores).await.id;
    let later = moment(20) + TimeDelta::microseconds(1);
    for (told, expected) in
        [(moment(10), moment(10)), (moment(5), moment(10)), (later, later), (moment(20), later), (later, later)]
    {
        stores.users.seen(id, told).await.expect("seen");
        assert_eq!(find(&stores, id).await.last_seen_at, Some(expected), "told {told}");
    }
    stores.users.seen(UserId::new(id.get() + 1), moment(1)).await.expect("nobody seen");

    let times: Vec<Timestamp> = (0..16).map(|n| moment(100 + n)).collect();
    together(times.into_iter().rev().map(|time| {
        let store = Arc::clone(&stores.users);
        async move { store.seen(id, time).await.expect("seen") }
    }))
    .await;
    assert_eq!(find(&stores, id).await.last_seen_at, Some(moment(115)));
}

fn hash(of: &str) -> PasswordHash {
    PasswordHash::new(format!("$test${of}"))
}

fn new_phone(n: u32) -> UserChange {
    UserChange { phone: Some(phone(n)), ..UserChange::default() }
}

async fn find(stores: &Stores, id: UserId) -> User {
    stores.users.find(id).await.expect("find user").expect("the user exists")
}

async fn update(stores: &Stores, id: UserId, change: UserChange) -> UpdatedUser {
    stores.users.update(id, change, moment(1)).await.expect("update user").expect("the user exists")
}

async fn check_named(stores: &Stores, asked: &[PhotoId], expected: &[PhotoId]) {
    let found = stores.users.named_photos(asked).await.expect("named photos");
    let sorted = |photos: &[PhotoId]| photos.iter().map(ToString::to_string).collect::<std::collections::BTreeSet<_>>();
    assert_eq!((found.len(), sorted(&found)), (expected.len(), sorted(expected)));
}

async fn is_live(stores: &Stores, session: SessionId, user: UserId) -> bool {
    stores.sessions.is_live(session, user).await.expect("is live")
}

async fn check_credentials(stores: &Stores, n: u32, expected: Option<(UserId, &str)>) {
    let found = stores.users.credentials(&phone(n)).await.expect("credentials");
    let found = found.map(|credentials| (credentials.user, credentials.password));
    assert_eq!(found, expected.map(|(id, password)| (id, hash(password))), "phone {n}");
}
