//! What must not be logged does not show in debug output; and how failures show.

use std::fmt::Debug;
use std::time::Duration;

use chrono::TimeDelta;
use mango_domain::error::chain;
use mango_domain::model::time::to_micros;
use mango_domain::model::{
    AccessToken, Grant, MessageBody, MessageType, Password, PasswordHash, Phone, RefreshHash, RefreshToken,
};
use mango_domain::{Failure, FailureKind};
use mango_testkit::build::{moment, user};

#[test]
fn secrets_do_not_show() {
    let secret = "5ecre7e5";
    let token = RefreshToken::new(secret.to_owned());
    let grant = Grant {
        access_token: AccessToken::new(secret.to_owned()),
        access_ttl: Duration::ZERO,
        refresh_token: token.clone(),
        refresh_ttl: Duration::ZERO,
    };
    let hash = PasswordHash::new(secret.to_owned());
    let shown: [&dyn Debug; 8] = [
        &Password::parse(secret.to_owned()),
        &Password::attempt(secret.to_owned()),
        &hash,
        &user(1).password(hash.clone()),
        &Phone::from_store(secret.to_owned()),
        &token,
        &grant,
        &MessageBody::from_store(MessageType::Text, secret.to_owned()),
    ];
    for value in shown {
        assert!(!format!("{value:?} {value:#?}").contains(secret), "{value:?}");
    }
    let digest = RefreshHash::new([0xAB; 32]);
    assert!(!format!("{digest:?}").to_lowercase().contains("ab") && !format!("{digest:?}").contains("171"));
}

#[test]
fn a_failure_shows_its_operation_and_its_causes_in_the_log_alone() {
    let cause = std::io::Error::other("the disk is on fire");
    let failure = Failure::broken("append message", cause);
    assert_eq!(failure.to_string(), "append message: failed");
    assert_eq!(chain(&failure), "append message: failed: the disk is on fire");
    let busy = Failure::busy("list chats", Duration::from_secs(2));
    assert_eq!(busy.kind, FailureKind::Busy { retry_after: Duration::from_secs(2) });
    assert_eq!(chain(&busy), "list chats: busy or away");
    assert_eq!(chain(&Failure::storage_full("store photo", "ENOSPC")), "store photo: no room left: ENOSPC");
}

#[test]
fn times_are_cut_to_microseconds() {
    for (nanos, expected) in [(0, 0), (1, 0), (999, 0), (1_000, 1_000), (123_456_789, 123_456_000)] {
        let time = moment(1) + TimeDelta::nanoseconds(nanos);
        assert_eq!(to_micros(time), moment(1) + TimeDelta::nanoseconds(expected));
    }
}
