//! How many tokens are known of a session.

use mango_domain::model::{Renewal, Rotation, Session};

use super::{LATE, begin, check, check_at, is_live};
use crate::Stores;
use crate::build::{moment, refresh, renewal, session};

/// A base that is presented again and again gives good successors, of which those are forgotten that expire soonest, after those that expire
/// later than the newest. The base and the newest never are.
pub async fn a_session_has_so_many_siblings(stores: Stores) {
    let (user, id) = begin(&stores, 1).await;
    let other = session(&stores, user, 9000).await;
    let rotated = Rotation::Rotated { user, session: id };
    // From when tokens lived longer.
    for n in [2, 3, 4] {
        check_at(&stores, (1, moment(1)), (n, moment(2 * LATE)), rotated).await;
    }
    // Beside the base there is a place for one less than the most: these take it, and six too many.
    for n in 11..=most() + 16 {
        check_at(&stores, (1, moment(1)), (n, moment(LATE + i64::from(n))), rotated).await;
    }
    for gone in [2, 3, 4].into_iter().chain(11..=17) {
        check(&stores, gone, 9001, Rotation::Unknown).await;
    }
    assert!(is_live(&stores, id, user).await, "what was forgotten ends no session");
    check(&stores, 18, 9002, rotated).await;
    check(&stores, 9002, 9003, rotated).await;
    check(&stores, 9000, 9004, Rotation::Rotated { user, session: other }).await;
}

/// A session whose tokens are used one after the other goes on for ever. Its last ones are recognised, and those before them are unknown.
pub async fn a_session_has_so_many_ancestors(stores: Stores) {
    let length = most() + 20;
    let (user, id) = begin(&stores, 1).await;
    let rotated = Rotation::Rotated { user, session: id };
    for n in 1..=length {
        check_at(&stores, (n, moment(1)), (n + 1, moment(LATE + i64::from(n))), rotated).await;
    }
    let oldest = length + 2 - most();
    for n in 1..oldest {
        check(&stores, n, length + 2, Rotation::Unknown).await;
    }
    assert!(is_live(&stores, id, user).await);
    check(&stores, oldest, length + 2, Rotation::Reused { user, session: id }).await;
    assert!(!is_live(&stores, id, user).await);
}

/// What was made lately is not forgotten: whoever has stolen a token cannot use up all that is known of the session, so that its owner is not
/// recognised. They get no more tokens, until time has passed.
pub async fn a_session_gets_so_many_tokens_in_a_while(stores: Stores) {
    let (user, id) = begin(&stores, 1).await;
    let rotated = Rotation::Rotated { user, session: id };
    let present = async |token: u32, successor: u32, second: i64| {
        let recent = moment(LATE + second - 100);
        let renewal = Renewal { recent, ..renewal(successor, moment(second), moment(LATE + second)) };
        stores.sessions.rotate(&refresh(token), renewal).await.expect("rotate")
    };
    // The owner has the token 2, and so has a thief, who is first.
    assert_eq!(present(1, 2, 1).await, rotated);
    for n in 2..=most() - 1 {
        assert_eq!(present(n, n + 1, 2).await, rotated, "token {n}");
    }
    let last = most();
    for second in [3, 99] {
        assert_eq!(present(last, last + 1, second).await, Rotation::TooOften, "at {second}");
    }
    assert_eq!(present(last + 1, last + 2, 99).await, Rotation::Unknown, "there is no successor");
    // A hundred seconds after the first was made.
    assert_eq!(present(last, last + 1, 100).await, rotated);
    assert_eq!(present(2, last + 2, 103).await, Rotation::Reused { user, session: id }, "the owner is recognised");
    assert!(!is_live(&stores, id, user).await);
}

fn most() -> u32 {
    Session::MOST_TOKENS.try_into().expect("a small number")
}
