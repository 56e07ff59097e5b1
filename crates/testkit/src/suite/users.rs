//! What [`Users`](mango_domain::ports::Users) promises.

mod updates;

use std::sync::Arc;

use chrono::TimeDelta;
use mango_domain::model::{PasswordHash, PhotoId, Timestamp, User, UserChange, UserId};
use mango_domain::ports::{CreateUserError, UpdatedUser};

pub use updates::*;

use super::together;
use crate::Stores;
use crate::build::{brief, moment, phone, photo, unheard, user, users};

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

/// `briefs` gives those of the given users that exist, each once, in order of id.
pub async fn briefs_are_those_that_exist_in_order(stores: Stores) {
    let ann = user(1).name("Ann").photo(photo(1)).description("unseen").add(&stores).await;
    let bob = user(2).add(&stores).await;
    user(3).name("Not asked for").add(&stores).await;
    let nobody = UserId::new(1_000_000);
    let expected = [brief(&ann), brief(&bob)];
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

async fn find(stores: &Stores, id: UserId) -> User {
    stores.users.find(id).await.expect("find user").expect("the user exists")
}

async fn update(stores: &Stores, id: UserId, change: UserChange) -> UpdatedUser {
    stores.users.update(id, change, moment(1), unheard()).await.expect("update user").expect("the user exists")
}

async fn check_named(stores: &Stores, asked: &[PhotoId], expected: &[PhotoId]) {
    let found = stores.users.named_photos(asked).await.expect("named photos");
    let sorted = |photos: &[PhotoId]| photos.iter().map(ToString::to_string).collect::<std::collections::BTreeSet<_>>();
    assert_eq!((found.len(), sorted(&found)), (expected.len(), sorted(expected)));
}

async fn check_credentials(stores: &Stores, n: u32, expected: Option<(UserId, &str)>) {
    let found = stores.users.credentials(&phone(n)).await.expect("credentials");
    let found = found.map(|credentials| (credentials.user, credentials.password));
    assert_eq!(found, expected.map(|(id, password)| (id, hash(password))), "phone {n}");
}
