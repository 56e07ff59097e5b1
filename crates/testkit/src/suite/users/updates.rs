//! What [`Users::update`](mango_domain::ports::Users::update) promises.

use std::sync::Arc;

use mango_domain::model::{Description, SessionId, User, UserChange, UserId, UserName};
use mango_domain::ports::UpdateUserError;

use super::{check_credentials, find, hash, update};
use crate::Stores;
use crate::build::{moment, phone, photo, session, unheard, user, users};
use crate::suite::together;

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

/// `update` with the hash that the password is to have still changes all or nothing, and ends no session when it changes nothing.
pub async fn an_update_may_depend_on_the_password(stores: Stores) {
    let before = user(1).name("Name").password(hash("one")).add(&stores).await;
    let other = session(&stores, before.id, 1).await;
    let change = |current: &str, new: &str| UserChange {
        current_password: Some(hash(current)),
        password: Some(hash(new)),
        name: Some(None),
        ..UserChange::default()
    };
    let refused = stores.users.update(before.id, change("two", "three"), moment(1), unheard()).await;
    assert!(matches!(refused, Err(UpdateUserError::PasswordReplaced)), "{refused:?}");
    assert_eq!(find(&stores, before.id).await, before);
    check_credentials(&stores, 1, Some((before.id, "one"))).await;
    assert!(stores.sessions.is_live(other, before.id).await.expect("is live"));

    let changed = update(&stores, before.id, change("one", "two")).await;
    assert_eq!((changed.user.name, changed.revoked), (None, vec![other]));
    check_credentials(&stores, 1, Some((before.id, "two"))).await;
    // Of two that depend on the same password at the same time one is made.
    for round in 0..10 {
        let (now, next) = (format!("of round {round}"), format!("of round {}", round + 1));
        update(&stores, before.id, UserChange { password: Some(hash(&now)), ..UserChange::default() }).await;
        let results = together([0, 1].map(|_| {
            let (users, change) = (Arc::clone(&stores.users), change(&now, &next));
            async move { users.update(before.id, change, moment(1), unheard()).await }
        }));
        let made = results.await.iter().filter(|result| result.is_ok()).count();
        assert_eq!(made, 1, "round {round}");
    }
}

/// `password` gives the hash of the user's password of now, and none for nobody.
pub async fn the_password_of_a_user_is_the_one_of_their_phone(stores: Stores) {
    let (one, other) =
        (user(1).password(hash("one")).add(&stores).await, user(2).password(hash("two")).add(&stores).await);
    let password = async |id| stores.users.password(id).await.expect("find password");
    assert_eq!((password(one.id).await, password(other.id).await), (Some(hash("one")), Some(hash("two"))));
    update(&stores, one.id, UserChange { password: Some(hash("new")), ..UserChange::default() }).await;
    assert_eq!((password(one.id).await, password(other.id).await), (Some(hash("new")), Some(hash("two"))));
    assert_eq!(password(UserId::new(one.id.get().max(other.id.get()) + 1)).await, None);
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
        let result = stores.users.update(nobody, change, moment(1), unheard()).await;
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

/// `has_new_phone` tells another phone from the same one and from none.
pub async fn an_update_reports_a_new_phone(stores: Stores) {
    let id = user(1).add(&stores).await.id;
    for (change, is_new) in [
        (new_phone(1), false),
        (new_phone(2), true),
        (new_phone(2), false),
        (UserChange { name: Some(None), ..UserChange::default() }, false),
        (new_phone(1), true),
    ] {
        let after = update(&stores, id, change.clone()).await;
        assert_eq!(after.has_new_phone, is_new, "{change:?}");
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
    let result = stores.users.update(one.id, change, moment(1), unheard()).await;
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
        async move { store.update(id, new_phone(99), moment(1), unheard()).await }
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
    assert!(stores.sessions.revoke(gone, one, moment(1)).await.expect("revoke"));

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

/// `rehash` replaces the hash that it is told, ends no session, and leaves alone a password that was changed meanwhile.
pub async fn a_hash_is_replaced_unless_the_password_has_changed(stores: Stores) {
    let (one, two) =
        (user(1).password(hash("old")).add(&stores).await.id, user(2).password(hash("old")).add(&stores).await.id);
    let live = session(&stores, one, 1).await;
    let rehash = async |id, old, new| stores.users.rehash(id, &hash(old), hash(new)).await.expect("rehash");
    assert!(rehash(one, "old", "new").await);
    check_credentials(&stores, 1, Some((one, "new"))).await;
    check_credentials(&stores, 2, Some((two, "old"))).await;
    assert!(!rehash(one, "old", "newer").await, "it is not the old one any more");
    assert!(!rehash(UserId::new(two.get() + 1), "old", "new").await, "there is no such user");
    check_credentials(&stores, 1, Some((one, "new"))).await;
    assert!(is_live(&stores, live, one).await);
}

fn new_phone(n: u32) -> UserChange {
    UserChange { phone: Some(phone(n)), ..UserChange::default() }
}

async fn is_live(stores: &Stores, session: SessionId, user: UserId) -> bool {
    stores.sessions.is_live(session, user).await.expect("is live")
}
