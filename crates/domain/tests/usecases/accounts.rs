//! Signing up and changing one's profile.

use chrono::TimeDelta;
use mango_domain::model::{Description, Event, Password, Principal, SessionId, UserId, UserName, Visit};
use mango_domain::ports::Clock as _;
use mango_domain::usecases::register::NewAccount;
use mango_domain::usecases::update_user::ProfileEdit;
use mango_testkit::build::{moment, phone};

use crate::{House, account, check_refused, password};

#[tokio::test]
async fn signing_up_gives_ones_own_profile() {
    let house = House::new();
    house.memory.clock.set(moment(77));
    let description = Description::parse("one\ntwo").expect("a description");
    let full = NewAccount { description: Some(description.clone()), ..account(1) };
    let profile = house.cases.register.run(full, None).await.expect("register");
    assert!(profile.own && !profile.online);
    assert_eq!((&profile.user.phone, &profile.user.name), (&phone(1), &account(1).name));
    assert_eq!((&profile.user.photo, &profile.user.description), (&None, &Some(description)));
    assert_eq!((profile.user.created_at, profile.user.last_seen_at), (moment(77), None));
    let me = house.log_in(1).await;
    assert_eq!(house.cases.get_user.run(&me, me.user).await.expect("get"), profile);
}

#[tokio::test]
async fn a_taken_phone_is_refused() {
    let house = House::new();
    house.cases.register.run(account(1), None).await.expect("register");
    let same_phone = NewAccount { phone: phone(1), ..account(2) };
    check_refused(house.cases.register.run(same_phone, None).await, "phone taken");
    house.log_in(1).await;
    let me = house.user(3).await;
    let edit = ProfileEdit { phone: Some(phone(1)), name: Some(None), ..ProfileEdit::default() };
    check_refused(house.cases.update_user.run(&me, me.user, edit, None).await, "phone taken");
    let untouched = house.cases.get_user.run(&me, me.user).await.expect("get").user;
    assert_eq!((untouched.phone, untouched.name), (phone(3), account(3).name), "all of it or nothing");
}

#[tokio::test]
async fn a_broken_store_is_a_failure_and_not_a_user() {
    let house = House::new();
    house.memory.store.fail_next("create user");
    check_refused(house.cases.register.run(account(1), None).await, "failed create user");
    let me = house.user(1).await;
    house.memory.store.fail_next("update user");
    let edit = || ProfileEdit { name: Some(None), ..ProfileEdit::default() };
    check_refused(house.cases.update_user.run(&me, me.user, edit(), None).await, "failed update user");
    house.cases.update_user.run(&me, me.user, edit(), None).await.expect("the second try");
}

#[tokio::test]
async fn an_edit_changes_what_it_names() {
    let house = House::new();
    let me = house.user(1).await;
    let before = house.cases.get_user.run(&me, me.user).await.expect("get");
    assert_eq!(house.cases.update_user.run(&me, me.user, ProfileEdit::default(), None).await.expect("edit"), before);

    let name = UserName::parse("New Name").expect("a name");
    let description = Description::parse("new").expect("a description");
    let edit = ProfileEdit {
        phone: Some(phone(9)),
        name: Some(Some(name.clone())),
        description: Some(Some(description.clone())),
        ..ProfileEdit::default()
    };
    let after = house.cases.update_user.run(&me, me.user, edit, None).await.expect("edit");
    assert!(after.own);
    assert_eq!((&after.user.phone, &after.user.name), (&phone(9), &Some(name)));
    assert_eq!(after.user.description, Some(description));
    assert_eq!(house.cases.get_user.run(&me, me.user).await.expect("get"), after);

    let edit = ProfileEdit { name: Some(None), description: Some(None), ..ProfileEdit::default() };
    let emptied = house.cases.update_user.run(&me, me.user, edit, None).await.expect("edit").user;
    assert_eq!((emptied.name, emptied.description, emptied.phone), (None, None, phone(9)));
    let news = house.news();
    assert!(
        news.len() == 2 && news.iter().all(|told| told.starts_with("UserChanged")),
        "no session has ended: {news:?}"
    );
    house.cases.log_in.run(phone(9).as_str(), password(1), Visit::default()).await.expect("log in with the new phone");
    check_refused(
        house.cases.log_in.run(phone(1).as_str(), password(1), Visit::default()).await,
        "unauthenticated Credentials",
    );
}

#[tokio::test]
async fn a_new_password_ends_all_other_sessions_and_says_so() {
    let house = House::new();
    let [kept, stranger] = house.users().await;
    let lost = [house.log_in(1).await, house.log_in(1).await];
    let new_password = || Password::parse("another password".to_owned()).expect("a password");
    let edit = ProfileEdit { password: Some(new_password()), ..ProfileEdit::default() };
    house.cases.update_user.run(&kept, kept.user, edit.clone(), None).await.expect("edit");
    let mut sessions = lost.each_ref().map(|principal| principal.session);
    sessions.sort_unstable();
    house.check_news(&[Event::SessionsEnded { sessions: sessions.to_vec() }]);

    for (principal, live) in [(&kept, true), (&lost[0], false), (&lost[1], false), (&stranger, true)] {
        let found = house.memory.stores().sessions.is_live(principal.session, principal.user).await.expect("is live");
        assert_eq!(found, live, "{:?}", principal.session);
    }
    check_refused(
        house.cases.log_in.run(phone(1).as_str(), password(1), Visit::default()).await,
        "unauthenticated Credentials",
    );
    house.cases.log_in.run(phone(1).as_str(), "another password".to_owned(), Visit::default()).await.expect("log in");

    // That login began one more session, which the next change ends; after that there is nothing to tell.
    house.cases.update_user.run(&kept, kept.user, edit.clone(), None).await.expect("edit");
    assert_eq!(house.news().len(), 1);
    house.cases.update_user.run(&kept, kept.user, edit, None).await.expect("edit");
    assert!(house.news().is_empty());
}

#[tokio::test]
async fn a_user_who_is_gone_cannot_be_changed() {
    let house = House::new();
    let gone = Principal {
        user: UserId::new(1_000_000),
        session: SessionId::new(1),
        expires_at: house.memory.clock.now() + TimeDelta::hours(1),
    };
    check_refused(house.cases.update_user.run(&gone, gone.user, ProfileEdit::default(), None).await, "no user");
}
