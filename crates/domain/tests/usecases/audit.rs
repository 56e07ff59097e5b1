//! What the audit log tells.

use std::net::IpAddr;

use chrono::TimeDelta;
use mango_domain::model::{AuditEvent, Password, SessionId, UserId, Visit};
use mango_domain::usecases::update_user::ProfileEdit;
use mango_testkit::build::phone;

use crate::{House, password};

type Told = (AuditEvent, Option<UserId>, Option<SessionId>, Option<IpAddr>);

impl House {
    /// What was noted, oldest first.
    async fn audited(&self) -> Vec<Told> {
        let mut entries = self.memory.stores().audit.newest(1000).await.expect("read");
        entries.reverse();
        entries.into_iter().map(|entry| (entry.event, entry.user, entry.session, entry.address)).collect()
    }
}

#[tokio::test]
async fn everything_that_happens_to_an_account_is_noted_with_who_and_where() {
    let house = House::new();
    let me = house.user(1).await;
    let here: Option<IpAddr> = Some("192.0.2.1".parse().expect("an address"));
    let cases = &house.cases;
    let visit = || Visit { device: None, address: here };
    let log_in = async |phone: &str, password: &str| cases.log_in.run(phone, password.to_owned(), visit()).await;
    let mut expected: Vec<Told> = vec![(AuditEvent::LoggedIn, Some(me.user), Some(me.session), None)];

    let grant = log_in(phone(1).as_str(), &password(1)).await.expect("log in");
    let other = cases.authenticate.run(grant.access_token.expose()).await.expect("authenticate");
    let mut note = |event, session: Option<SessionId>| expected.push((event, Some(me.user), session, here));
    note(AuditEvent::LoggedIn, Some(other.session));
    log_in(phone(1).as_str(), "wrong password").await.expect_err("refused");
    note(AuditEvent::LoginFailed, None);

    let next = cases.refresh_session.run(&grant.refresh_token, here).await.expect("refresh");
    cases.refresh_session.run(&next.refresh_token, here).await.expect("refresh");
    cases.refresh_session.run(&grant.refresh_token, here).await.expect_err("a copy");
    note(AuditEvent::RefreshReused, Some(other.session));

    let (one, two) = (house.log_in(1).await, house.log_in(1).await);
    cases.end_session.run(&me, one.session, here).await.expect("end");
    cases.end_session.run(&me, one.session, here).await.expect_err("it has ended");
    cases.end_other_sessions.run(&me, here).await.expect("end others");
    cases.end_other_sessions.run(&me, here).await.expect("end none");
    let edit = ProfileEdit {
        password: Some(Password::parse("another password".to_owned()).expect("a password")),
        ..ProfileEdit::default()
    };
    cases.update_user.run(&me, me.user, ProfileEdit::default(), here).await.expect("change nothing");
    let wrong = ProfileEdit { current_password: Some(Password::attempt("wrong".to_owned())), ..edit.clone() };
    cases.update_user.run(&me, me.user, wrong, here).await.expect_err("refused");
    cases.update_user.run(&me, me.user, edit, here).await.expect("a new password");
    house.user(2).await;
    for (n, is_free) in [(1, true), (2, false), (3, true), (3, true)] {
        let edit = ProfileEdit { phone: Some(phone(n)), ..ProfileEdit::default() };
        assert_eq!(cases.update_user.run(&me, me.user, edit, here).await.is_ok(), is_free, "the phone {n}");
    }
    cases.log_out.run(&me, here).await.expect("log out");
    cases.log_out.run(&me, here).await.expect("log out again");
    for session in [&one, &two] {
        expected.push((AuditEvent::LoggedIn, Some(me.user), Some(session.session), None));
    }
    let mut note = |event, session: Option<SessionId>| expected.push((event, Some(me.user), session, here));
    note(AuditEvent::SessionRevoked, Some(one.session));
    note(AuditEvent::SessionRevoked, Some(two.session));
    note(AuditEvent::LoginFailed, Some(me.session));
    note(AuditEvent::PasswordChanged, Some(me.session));
    note(AuditEvent::PhoneChanged, Some(me.session));
    note(AuditEvent::SessionRevoked, Some(me.session));

    for nobody in [phone(9).as_str(), "no phone"] {
        log_in(nobody, "any password").await.expect_err("refused");
        expected.push((AuditEvent::LoginFailed, None, None, here));
    }
    let theirs = |told: &Told| told.1.is_none_or(|user| user == me.user);
    assert_eq!(house.audited().await.into_iter().filter(theirs).collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn an_entry_that_cannot_be_written_fails_nothing() {
    let house = House::new();
    let me = house.user(1).await;
    let mut tried = 0;
    let mut fail = || {
        tried += 1;
        house.memory.store.fail_next("append to the audit log");
    };
    fail();
    let other = house.log_in(1).await;
    fail();
    house.cases.end_session.run(&me, other.session, None).await.expect("end a session");
    fail();
    house.cases.log_out.run(&me, None).await.expect("log out");
    assert_eq!((tried, house.audited().await.len()), (3, 1), "the first login alone is noted");
}

#[tokio::test]
async fn the_log_is_kept_as_long_as_the_policy_says() {
    let house = House::new();
    house.user(1).await;
    house.memory.clock.advance(TimeDelta::days(30));
    house.log_in(1).await;
    for (days, gone) in [(60, 0), (1, 1), (28, 0), (2, 1)] {
        house.memory.clock.advance(TimeDelta::days(days));
        assert_eq!(house.cases.prune_audit.run().await.expect("prune"), gone, "after {days} days more");
    }
}
