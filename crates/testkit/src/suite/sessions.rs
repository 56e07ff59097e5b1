//! What [`Sessions`](mango_domain::ports::Sessions) promises, the rules of rotation above all.

mod bounds;
mod endings;
mod lists;

use std::sync::Arc;

use mango_domain::model::{NewSession, Rotation, SessionId, Timestamp, UserId};

pub use bounds::*;
pub use endings::*;
pub use lists::*;

use super::together;
use crate::Stores;
use crate::build::{self, moment, new_session, refresh, renewal, session, user, users};

/// Longer than any of these tests' days.
const LATE: i64 = 1_000_000;

/// A session is live for its own user, from its beginning until it is revoked, which happens once.
pub async fn a_session_is_live_for_its_user_until_revoked(stores: Stores) {
    let ids = users(&stores, 2).await;
    let (mine, other) = (session(&stores, ids[0], 1).await, session(&stores, ids[0], 2).await);
    assert_ne!(mine, other);
    assert!(is_live(&stores, mine, ids[0]).await);
    assert!(!is_live(&stores, mine, ids[1]).await, "it is not another user's");
    assert!(!stores.sessions.revoke(mine, ids[1], moment(1)).await.expect("revoke"), "nor is it for them to revoke");
    assert!(is_live(&stores, mine, ids[0]).await);
    let unknown = SessionId::new(mine.get().max(other.get()) + 1);
    assert!(!is_live(&stores, unknown, ids[0]).await);

    assert!(stores.sessions.revoke(mine, ids[0], moment(1)).await.expect("revoke"));
    assert!(!is_live(&stores, mine, ids[0]).await);
    assert!(!stores.sessions.revoke(mine, ids[0], moment(2)).await.expect("revoke"), "it was not live any more");
    assert!(!stores.sessions.revoke(unknown, ids[0], moment(2)).await.expect("revoke"));
    assert!(is_live(&stores, other, ids[0]).await, "the other one goes on");
}

/// A token that no session has is unknown, and its successor is not stored.
pub async fn unknown_tokens_are_unknown(stores: Stores) {
    let (user, id) = begin(&stores, 1).await;
    check(&stores, 2, 3, Rotation::Unknown).await;
    check(&stores, 3, 4, Rotation::Unknown).await;
    assert!(is_live(&stores, id, user).await);
}

/// Presenting the base again gives another successor, as often as it is asked.
pub async fn the_base_gives_another_successor(stores: Stores) {
    let (user, session) = begin(&stores, 1).await;
    for successor in [2, 3, 4] {
        check(&stores, 1, successor, Rotation::Rotated { user, session }).await;
    }
    assert!(is_live(&stores, session, user).await);
}

/// Presenting a successor makes it the base: it can be presented again, and so on down the line.
pub async fn a_used_successor_becomes_the_base(stores: Stores) {
    let (user, session) = begin(&stores, 1).await;
    for (presented, successor) in [(1, 2), (2, 3), (2, 4), (4, 5), (5, 6), (5, 7), (5, 8), (8, 9)] {
        check(&stores, presented, successor, Rotation::Rotated { user, session }).await;
    }
    assert!(is_live(&stores, session, user).await);
}

/// All successors of the base live until one is used; a sibling presented after that is a copy and ends the session.
pub async fn siblings_live_until_one_is_used(stores: Stores) {
    for (n, used, sibling) in [(10, 11, 12), (20, 22, 21)] {
        let (user, session) = begin(&stores, n).await;
        let rotated = Rotation::Rotated { user, session };
        check(&stores, n, n + 1, rotated).await;
        check(&stores, n, n + 2, rotated).await;
        check(&stores, used, n + 3, rotated).await;
        check(&stores, sibling, n + 4, Rotation::Reused { user, session }).await;
        assert!(!is_live(&stores, session, user).await);
        for dead in [n, n + 1, n + 2, n + 3, n + 4] {
            check(&stores, dead, n + 5, Rotation::Unknown).await;
        }
    }
}

/// A base whose successor has been used, however long ago, is a copy and ends the session.
pub async fn an_old_base_revokes_the_session(stores: Stores) {
    for (n, generations) in [(10, 1), (20, 2), (30, 5)] {
        let (user, session) = begin(&stores, n).await;
        for generation in 0..=generations {
            let rotated = Rotation::Rotated { user, session };
            check(&stores, n + generation, n + generation + 1, rotated).await;
        }
        check(&stores, n, n + 9, Rotation::Reused { user, session }).await;
        assert!(!is_live(&stores, session, user).await, "after {generations} generations");
        check(&stores, n + generations + 1, n + 9, Rotation::Unknown).await;
        check(&stores, n, n + 9, Rotation::Unknown).await;
        assert!(!stores.sessions.revoke(session, user, moment(9)).await.expect("revoke"), "it is revoked already");
    }
}

/// A reuse ends its own session, not others of the same user.
pub async fn a_reuse_leaves_other_sessions_alone(stores: Stores) {
    let (user, stolen) = begin(&stores, 1).await;
    let other = session(&stores, user, 50).await;
    check(&stores, 1, 2, Rotation::Rotated { user, session: stolen }).await;
    check(&stores, 2, 3, Rotation::Rotated { user, session: stolen }).await;
    check(&stores, 1, 4, Rotation::Reused { user, session: stolen }).await;
    assert!(is_live(&stores, other, user).await);
    check(&stores, 50, 51, Rotation::Rotated { user, session: other }).await;
}

/// A token is good before its expiry and unknown from then on, even one that was replaced: an old token that nobody can use
/// any more shows nothing.
pub async fn expired_tokens_are_unknown(stores: Stores) {
    let (user, session) = begin_until(&stores, 1, moment(100)).await;
    let rotated = Rotation::Rotated { user, session };
    check_at(&stores, (1, moment(99)), (2, moment(200)), rotated).await;
    check_at(&stores, (1, moment(100)), (3, moment(200)), Rotation::Unknown).await;
    check_at(&stores, (1, moment(101)), (3, moment(200)), Rotation::Unknown).await;
    check_at(&stores, (2, moment(150)), (4, moment(250)), rotated).await;
    check_at(&stores, (1, moment(151)), (5, moment(250)), Rotation::Unknown).await;
    assert!(is_live(&stores, session, user).await);
}

/// A successor has the expiry that it was stored with, whatever its base's is.
pub async fn a_successor_has_its_own_expiry(stores: Stores) {
    let (user, session) = begin_until(&stores, 1, moment(100)).await;
    let rotated = Rotation::Rotated { user, session };
    check_at(&stores, (1, moment(10)), (2, moment(50)), rotated).await;
    check_at(&stores, (1, moment(10)), (3, moment(150)), rotated).await;
    check_at(&stores, (2, moment(50)), (4, moment(300)), Rotation::Unknown).await;
    check_at(&stores, (3, moment(149)), (5, moment(300)), rotated).await;
}

/// After `revoke` neither base nor successors are known.
pub async fn tokens_of_a_revoked_session_are_unknown(stores: Stores) {
    let (user, session) = begin(&stores, 1).await;
    check(&stores, 1, 2, Rotation::Rotated { user, session }).await;
    assert!(stores.sessions.revoke(session, user, moment(2)).await.expect("revoke"));
    check(&stores, 1, 3, Rotation::Unknown).await;
    check(&stores, 2, 4, Rotation::Unknown).await;
}

/// Many presentations of the base at the same time, as from a client that retries, all get a good successor.
pub async fn concurrent_presentations_of_the_base_all_succeed(stores: Stores) {
    let (user, session) = begin(&stores, 1).await;
    let results = present_together(&stores, (0..10).map(|n| (1, 100 + n)).collect()).await;
    assert_eq!(results, vec![Rotation::Rotated { user, session }; 10]);
    // All ten successors were stored: any one of them can be used.
    check(&stores, 107, 200, Rotation::Rotated { user, session }).await;
    check(&stores, 103, 201, Rotation::Reused { user, session }).await;
}

/// Of two successors presented at the same time the first wins and the second ends the session: they are decided one
/// after the other.
pub async fn of_concurrent_siblings_one_succeeds(stores: Stores) {
    for n in [10, 20, 30, 40] {
        let (user, session) = begin(&stores, n).await;
        let rotated = Rotation::Rotated { user, session };
        check(&stores, n, n + 1, rotated).await;
        check(&stores, n, n + 2, rotated).await;
        let results = present_together(&stores, vec![(n + 1, n + 3), (n + 2, n + 4)]).await;
        let reused = Rotation::Reused { user, session };
        assert!(results == [rotated, reused] || results == [reused, rotated], "{results:?}");
        assert!(!is_live(&stores, session, user).await);
    }
}

/// Base and successor at the same time: the base is good if it came first and a reuse if it came second.
pub async fn base_and_successor_at_once_are_decided_in_some_order(stores: Stores) {
    for n in [10, 20, 30, 40] {
        let (user, session) = begin(&stores, n).await;
        let rotated = Rotation::Rotated { user, session };
        check(&stores, n, n + 1, rotated).await;
        let results = present_together(&stores, vec![(n, n + 2), (n + 1, n + 3)]).await;
        let base_first = results == [rotated, rotated];
        let base_second = results == [Rotation::Reused { user, session }, rotated];
        assert!(base_first || base_second, "{results:?}");
        assert_eq!(is_live(&stores, session, user).await, base_first);
    }
}

/// `purge` forgets expired tokens and the sessions, live or revoked, of which no token is left, and counts those.
pub async fn purge_forgets_what_has_expired(stores: Stores) {
    let user = user(1).add(&stores).await.id;
    let old = session_until(&stores, user, 1, moment(100)).await;
    let revoked = session_until(&stores, user, 2, moment(100)).await;
    let young = session_until(&stores, user, 3, moment(500)).await;
    assert!(stores.sessions.revoke(revoked, user, moment(1)).await.expect("revoke"));
    assert_eq!(purge(&stores, moment(50)).await, 0);
    assert!(is_live(&stores, old, user).await);
    assert_eq!(purge(&stores, moment(200)).await, 2);
    assert!(!is_live(&stores, old, user).await);
    assert!(is_live(&stores, young, user).await);
    assert_eq!(purge(&stores, moment(200)).await, 0);
    check_at(&stores, (3, moment(200)), (4, moment(900)), Rotation::Rotated { user, session: young }).await;
}

/// A session with a token that has not expired stays, and that token stays good.
pub async fn purge_keeps_a_session_with_a_token_left(stores: Stores) {
    let (user, session) = begin_until(&stores, 1, moment(100)).await;
    let rotated = Rotation::Rotated { user, session };
    check_at(&stores, (1, moment(90)), (2, moment(190)), rotated).await;
    assert_eq!(purge(&stores, moment(150)).await, 0);
    assert!(is_live(&stores, session, user).await);
    check_at(&stores, (1, moment(150)), (3, moment(300)), Rotation::Unknown).await;
    check_at(&stores, (2, moment(150)), (4, moment(300)), rotated).await;
    assert_eq!(purge(&stores, moment(250)).await, 0);
    check_at(&stores, (4, moment(250)), (5, moment(400)), rotated).await;
    assert_eq!(purge(&stores, moment(LATE)).await, 1);
    assert!(!is_live(&stores, session, user).await);
}

/// A user of their own with a session whose base is the `n`th token and lasts.
async fn begin(stores: &Stores, n: u32) -> (UserId, SessionId) {
    begin_until(stores, n, moment(LATE)).await
}

async fn begin_until(stores: &Stores, n: u32, expires_at: Timestamp) -> (UserId, SessionId) {
    let user = user(n).add(stores).await.id;
    (user, session_until(stores, user, n, expires_at).await)
}

async fn session_until(stores: &Stores, user: UserId, n: u32, expires_at: Timestamp) -> SessionId {
    build::begin(stores, NewSession { expires_at, ..new_session(stores, user, n).await }).await
}

async fn is_live(stores: &Stores, session: SessionId, user: UserId) -> bool {
    stores.sessions.is_live(session, user).await.expect("is live")
}

async fn purge(stores: &Stores, now: Timestamp) -> u64 {
    stores.sessions.purge(now).await.expect("purge")
}

async fn check(stores: &Stores, presented: u32, successor: u32, expected: Rotation) {
    check_at(stores, (presented, moment(1)), (successor, moment(LATE)), expected).await;
}

/// Presents a token at a time, with a successor that expires at a time.
async fn check_at(stores: &Stores, presented: (u32, Timestamp), successor: (u32, Timestamp), expected: Rotation) {
    let (token, now) = presented;
    let rotation = stores.sessions.rotate(&refresh(token), renewal(successor.0, now, successor.1)).await;
    assert_eq!(rotation.expect("rotate"), expected, "token {token} at {now}");
}

async fn present_together(stores: &Stores, pairs: Vec<(u32, u32)>) -> Vec<Rotation> {
    together(pairs.into_iter().map(|(presented, successor)| {
        let store = Arc::clone(&stores.sessions);
        async move {
            let rotation = store.rotate(&refresh(presented), renewal(successor, moment(1), moment(LATE))).await;
            rotation.expect("rotate")
        }
    }))
    .await
}
