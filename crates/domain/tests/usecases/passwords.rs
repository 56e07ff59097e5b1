//! Passwords that were hashed with parameters of the past (RFC 9106, section 4), and new ones.

use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use mango_domain::model::{Client, Password, PasswordHash, Principal, Profile, Rate, Visit};
use mango_domain::ports::{Passwords, Users};
use mango_domain::usecases::update_user::ProfileEdit;
use mango_domain::usecases::{Policy, Ports, UseCases};
use mango_domain::{Error, Failure, FailureKind};
use mango_testkit::Memory;
use mango_testkit::build::{phone, user};

use crate::{House, check_refused, password};

impl House {
    /// The first user, whose password was hashed long ago.
    async fn old_timer(&self) {
        let older = PasswordHash::new(format!("$older${}", password(1)));
        user(1).password(older).add(&self.memory.stores()).await;
    }

    async fn try_log_in(&self, password: String) -> mango_domain::Result<()> {
        self.cases.log_in.run(phone(1).as_str(), password, Visit::default()).await.map(drop)
    }

    async fn stored(&self) -> String {
        let known = self.memory.stores().users.credentials(&phone(1)).await.expect("credentials");
        known.expect("a user").password.expose().to_owned()
    }
}

#[tokio::test]
async fn a_login_hashes_an_outdated_password_anew() {
    let house = House::new();
    house.old_timer().await;
    check_refused(house.try_log_in("wrong password".to_owned()).await, "unauthenticated Credentials");
    assert!(house.stored().await.starts_with("$older$"), "only who knows the password can have it hashed");
    let before = house.log_in(1).await;
    assert_eq!(house.stored().await, format!("$plain${}", password(1)));
    house.try_log_in(password(1)).await.expect("log in with the new hash");
    assert!(house.news().is_empty(), "no session ends");
    let live = house.memory.stores().sessions.is_live(before.session, before.user).await;
    assert!(live.expect("is live"));
}

#[tokio::test]
async fn a_login_does_not_fail_because_a_password_cannot_be_hashed_anew() {
    let house = House::new();
    house.old_timer().await;
    house.memory.store.fail_next("rehash password");
    house.try_log_in(password(1)).await.expect("log in");
    assert!(house.stored().await.starts_with("$older$"));
    house.try_log_in(password(1)).await.expect("log in");
    assert!(house.stored().await.starts_with("$plain$"), "the next login tries again");
}

const NEW: &str = "a new password";

/// A new password with what is given as the current one.
fn new_password(current: Option<&str>) -> ProfileEdit {
    ProfileEdit {
        password: Some(Password::parse(NEW.to_owned()).expect("a password")),
        current_password: current.map(|current| Password::attempt(current.to_owned())),
        ..ProfileEdit::default()
    }
}

/// Another phone, with what is given as the current password.
fn moved(n: u32, current: Option<&str>) -> ProfileEdit {
    ProfileEdit { password: None, phone: Some(phone(n)), ..new_password(current) }
}

impl House {
    async fn edit(&self, who: &Principal, edit: ProfileEdit, address: &str) -> mango_domain::Result<Profile> {
        let address = Some(address.parse::<IpAddr>().expect("an address"));
        self.cases.update_user.run(who, who.user, edit, address).await
    }
}

fn check_field(outcome: mango_domain::Result<Profile>, message: &str) {
    match outcome {
        Err(Error::Invalid(fields)) => {
            let told: Vec<_> = fields.iter().map(|field| (field.field.as_str(), field.message.as_str())).collect();
            assert_eq!(told, [("current_password", message)]);
        }
        other => unreachable!("{other:?}"),
    }
}

const MISSING: &str = "is missing: a new password or phone takes it";
const WRONG: &str = "is not the password of now";
const HERE: &str = "203.0.113.7";

/// OWASP ASVS 5.0, 6.2.3.
#[tokio::test]
async fn asvs_6_2_3_a_current_password_that_is_given_has_to_be_right() {
    let house = House::new();
    let me = house.user(1).await;
    let before = house.stored().await;
    for wrong in ["wrong password", "", &password(1).to_uppercase()] {
        let edit = ProfileEdit { name: Some(None), ..new_password(Some(wrong)) };
        check_field(house.edit(&me, edit, HERE).await, WRONG);
    }
    let alone = ProfileEdit { password: None, name: Some(None), ..new_password(Some(&password(1))) };
    check_field(house.edit(&me, alone, HERE).await, "goes with a new password or phone, and neither is given");
    assert_eq!(house.stored().await, before);
    assert!(house.cases.get_user.run(&me, me.user).await.expect("a user").user.name.is_some(), "nothing is changed");
    house.edit(&me, new_password(Some(&password(1))), HERE).await.expect("the right one");
    house.try_log_in(NEW.to_owned()).await.expect("log in with the new one");
    house.edit(&me, new_password(None), HERE).await.expect("none is needed");
}

#[tokio::test]
async fn a_new_password_takes_the_current_one_where_the_policy_says_so() {
    let house = House::new();
    let me = house.user(1).await;
    let strict = UseCases::new(house.memory.ports(), Policy { require_current_password: true, ..Memory::POLICY });
    let missing = strict.update_user.run(&me, me.user, new_password(None), None).await;
    check_field(missing, MISSING);
    let other = ProfileEdit { name: Some(None), ..ProfileEdit::default() };
    strict.update_user.run(&me, me.user, other, None).await.expect("another change takes none");
    check_field(strict.update_user.run(&me, me.user, new_password(Some("wrong")), None).await, WRONG);
    strict.update_user.run(&me, me.user, new_password(Some(&password(1))), None).await.expect("the right one");
}

/// Whoever can change the phone can keep its owner from logging in.
#[tokio::test]
async fn a_new_phone_takes_the_current_password_where_the_policy_says_so() {
    let house = House::new();
    let me = house.user(1).await;
    let strict = UseCases::new(house.memory.ports(), Policy { require_current_password: true, ..Memory::POLICY });
    let update = async |edit| strict.update_user.run(&me, me.user, edit, None).await;
    check_field(update(moved(2, None)).await, MISSING);
    check_field(update(moved(2, Some("wrong"))).await, WRONG);
    update(moved(1, None)).await.expect("it is theirs already, as clients say that send the whole profile");
    update(moved(1, Some(&password(1)))).await.expect("the same with the password");
    check_field(update(moved(1, Some("wrong"))).await, WRONG);
    house.try_log_in(password(1)).await.expect("the phone is what it was");
    let profile = update(moved(2, Some(&password(1)))).await.expect("the right one");
    assert_eq!(profile.user.phone, phone(2));
}

/// Where nothing has to be given, what is given has to be right all the same.
#[tokio::test]
async fn a_current_password_may_come_with_a_new_phone_alone() {
    let house = House::new();
    let me = house.user(1).await;
    check_field(house.edit(&me, moved(2, Some("wrong")), HERE).await, WRONG);
    house.edit(&me, moved(2, Some(&password(1))), HERE).await.expect("the right one");
    house.edit(&me, moved(3, None), HERE).await.expect("none is needed");
    house.memory.rates.limit_attempts(1);
    check_field(house.edit(&me, moved(4, Some("wrong")), HERE).await, WRONG);
    let refused = house.edit(&me, moved(4, Some(&password(1))), HERE).await;
    assert!(matches!(refused, Err(Error::TooMany { .. })), "{refused:?}");
}

/// A stolen access token is no way to guess faster than by logging in, whatever phone the user is given meanwhile.
#[tokio::test]
async fn wrong_current_passwords_have_to_wait_as_failed_logins_do() {
    let house = House::new();
    let me = house.user(1).await;
    house.memory.rates.limit_attempts(3);
    for n in 1..=3 {
        check_field(house.edit(&me, new_password(Some("wrong")), HERE).await, WRONG);
        house.edit(&me, moved(n + 1, None), HERE).await.expect("another phone");
    }
    let refused = house.edit(&me, new_password(Some(&password(1))), HERE).await;
    assert!(matches!(refused, Err(Error::TooMany { .. })), "{refused:?}");
    house.edit(&me, ProfileEdit::default(), HERE).await.expect("what takes no password goes on");
    house.edit(&me, new_password(Some(&password(1))), "203.0.113.8").await.expect("the owner elsewhere");
    assert_eq!(house.memory.rates.open_attempts(), 0);
}

/// What somebody at the same address writes in place of a phone makes nobody wait.
#[tokio::test]
async fn no_login_counts_as_an_attempt_at_a_current_password() {
    let house = House::new();
    let me = house.user(1).await;
    house.memory.rates.limit_attempts(1);
    let id = me.user;
    for name in [format!("user {id}"), format!("login {id}"), format!("{id}"), format!("no phone user {id}")] {
        let visit = Visit { address: Some(HERE.parse().expect("an address")), ..Visit::default() };
        house.cases.log_in.run(&name, "wrong password".to_owned(), visit).await.expect_err("nobody");
    }
    house.edit(&me, new_password(Some(&password(1))), HERE).await.expect("they have not tried yet");
}

#[tokio::test]
async fn wrong_current_passwords_from_everywhere_are_counted_together() {
    let house = House::new();
    house.user(1).await;
    let visit = Visit { address: Some(HERE.parse().expect("an address")), ..Visit::default() };
    let grant = house.cases.log_in.run(phone(1).as_str(), password(1), visit).await.expect("log in");
    let me = house.cases.authenticate.run(grant.access_token.expose()).await.expect("authenticate");
    house.memory.rates.limit(Rate::LogInAccount, 3);
    for n in 0..3 {
        check_field(house.edit(&me, new_password(Some("wrong")), &format!("198.51.100.{n}")).await, WRONG);
    }
    let refused = house.edit(&me, new_password(Some(&password(1))), "198.51.100.9").await;
    assert!(matches!(refused, Err(Error::TooMany { .. })), "{refused:?}");
    house.edit(&me, new_password(Some(&password(1))), HERE).await.expect("where the session is");
}

/// A hasher that has the password changed by somebody else while it works.
struct Overtaken {
    inner: Arc<dyn Passwords>,
    users: Arc<dyn Users>,
}

#[async_trait]
impl Passwords for Overtaken {
    async fn hash(&self, new: Password, by: Client) -> Result<PasswordHash, Failure> {
        let known = self.users.credentials(&phone(1)).await?.expect("a user");
        let replaced = PasswordHash::new("$plain$of somebody else".to_owned());
        assert!(self.users.rehash(known.user, &known.password, replaced).await?);
        self.inner.hash(new, by).await
    }

    async fn verify(&self, password: Password, hash: Option<PasswordHash>, by: Client) -> Result<bool, Failure> {
        self.inner.verify(password, hash, by).await
    }

    fn is_outdated(&self, hash: &PasswordHash) -> bool {
        self.inner.is_outdated(hash)
    }
}

#[tokio::test]
async fn a_password_that_is_replaced_while_it_is_checked_is_not_replaced_again() {
    let house = House::new();
    let me = house.user(1).await;
    let ports = house.memory.ports();
    let passwords = Arc::new(Overtaken { inner: ports.passwords.clone(), users: ports.users.clone() });
    let cases = UseCases::new(Ports { passwords, ..ports }, Memory::POLICY);
    let refused = cases.update_user.run(&me, me.user, new_password(Some(&password(1))), None).await;
    let Err(Error::Failed(failure)) = refused else { unreachable!("{refused:?}") };
    assert!(matches!(failure.kind, FailureKind::Busy { .. }), "{failure:?}");
    assert_eq!(house.stored().await, "$plain$of somebody else");
}
