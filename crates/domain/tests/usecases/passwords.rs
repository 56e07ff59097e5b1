//! Passwords that were hashed with parameters of the past (RFC 9106, section 4).

use mango_domain::model::{PasswordHash, Visit};
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
