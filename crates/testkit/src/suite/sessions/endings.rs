//! The end of sessions, also at the moment of something else.

use std::sync::Arc;

use mango_domain::model::{NewSession, PasswordHash, Rotation, UserChange, UserId};
use mango_domain::ports::UpdateUserError;

use super::{check, is_live};
use crate::Stores;
use crate::build::{moment, new_session, phone, session, unheard, user};

/// A session is begun by the password of now alone, whatever it was when it was checked.
pub async fn a_session_begins_with_the_password_of_now(stores: Stores) {
    let id = user(1).add(&stores).await.id;
    let (old, unknown) = (new_session(&stores, id, 1).await, new_session(&stores, id, 2).await);
    change_password(&stores, id, "first").await;
    assert!(!stores.sessions.begin(old.clone()).await.expect("begin session"));
    assert!(!is_live(&stores, old.id, id).await);
    check(&stores, 1, 3, Rotation::Unknown).await;
    let nobody = NewSession { user: UserId::new(id.get() + 1), ..unknown };
    assert!(!stores.sessions.begin(nobody).await.expect("begin session"));
    assert!(is_live(&stores, session(&stores, id, 4).await, id).await);
    // Of a login and a change at the same moment one is first: then there is no session, or it has ended.
    for n in 0..20 {
        let login = new_session(&stores, id, 10 + n).await;
        let (session, sessions) = (login.id, Arc::clone(&stores.sessions));
        let beginning = tokio::spawn(async move { sessions.begin(login).await });
        change_password(&stores, id, &format!("of round {n}")).await;
        beginning.await.expect("no panic").expect("begin session");
        assert!(!is_live(&stores, session, id).await, "round {n}");
    }
}

async fn change_password(stores: &Stores, user: UserId, new: &str) {
    let change = UserChange { password: Some(PasswordHash::new(format!("$new${new}"))), ..UserChange::default() };
    stores.users.update(user, change, moment(2), unheard()).await.expect("update").expect("a user");
}

/// A session that has ended changes nothing, also when what it wants was asked for before its end.
pub async fn a_session_that_has_ended_changes_nothing(stores: Stores) {
    let user = user(1).add(&stores).await.id;
    let (ended, live) = (session(&stores, user, 1).await, session(&stores, user, 2).await);
    assert!(stores.sessions.revoke(ended, user, moment(1)).await.expect("revoke"));
    let before = stores.users.find(user).await.expect("find user");
    let change = UserChange {
        password: Some(PasswordHash::new("$stolen".to_owned())),
        phone: Some(phone(9)),
        ..UserChange::default()
    };
    let change = UserChange { keep_session: Some(ended), ..change };
    let refused = stores.users.update(user, change, moment(2), unheard()).await;
    assert!(matches!(refused, Err(UpdateUserError::SessionEnded)), "{refused:?}");
    assert_eq!(stores.users.find(user).await.expect("find user"), before);
    assert!(is_live(&stores, live, user).await);
    let credentials =
        stores.users.credentials(&phone(1)).await.expect("find credentials").expect("the user has the phone");
    assert_ne!(credentials.password, PasswordHash::new("$stolen".to_owned()));
}

/// Whatever ends a session, those who have just heard that it is live hear that it is not.
pub async fn the_end_of_a_session_is_seen_at_once(stores: Stores) {
    let user = user(1).add(&stores).await.id;
    let mut sessions = Vec::new();
    for n in 1..=5 {
        sessions.push(session(&stores, user, n).await);
    }
    for (presented, successor) in [(4, 6), (6, 7)] {
        check(&stores, presented, successor, Rotation::Rotated { user, session: sessions[3] }).await;
    }
    let live = async || {
        let mut live = Vec::new();
        for (n, session) in sessions.iter().enumerate() {
            live.extend(is_live(&stores, *session, user).await.then_some(n));
        }
        live
    };
    assert_eq!(live().await, [0, 1, 2, 3, 4]);
    assert!(stores.sessions.revoke(sessions[0], user, moment(2)).await.expect("revoke"));
    assert_eq!(live().await, [1, 2, 3, 4], "revoked");
    check(&stores, 4, 8, Rotation::Reused { user, session: sessions[3] }).await;
    assert_eq!(live().await, [1, 2, 4], "a copy of a token");
    let other = session(&stores, user, 9).await;
    let change = UserChange {
        password: Some(PasswordHash::new("$new".to_owned())),
        keep_session: Some(sessions[1]),
        ..UserChange::default()
    };
    stores.users.update(user, change, moment(3), unheard()).await.expect("update").expect("a user");
    assert_eq!((live().await, is_live(&stores, other, user).await), (vec![1], false), "a new password");
    let last = session(&stores, user, 10).await;
    assert!(is_live(&stores, last, user).await);
    stores.sessions.revoke_others(user, last, moment(4)).await.expect("revoke sessions");
    assert_eq!((live().await, is_live(&stores, last, user).await), (vec![], true), "all others");
}
