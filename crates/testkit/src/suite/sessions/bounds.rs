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
/// recognised. What is older is.
pub async fn what_a_session_got_lately_is_known(stores: Stores) {
    let (user, id) = begin(&stores, 1).await;
    let rotated = Rotation::Rotated { user, session: id };
    // The owner has the token 2, and so has a thief, who is first.
    assert_eq!(present(&stores, 1, 2, 1).await, rotated);
    let last = most() + 20;
    for n in 2..last {
        assert_eq!(present(&stores, n, n + 1, 2).await, rotated, "token {n}");
    }
    // A hundred seconds after the first was made, and after the second: now what is beyond the most may go.
    for (n, second) in [(last, 100), (last + 1, 103)] {
        assert_eq!(present(&stores, n, n + 1, second).await, rotated);
    }
    check(&stores, 1, 9001, Rotation::Unknown).await;
    assert!(is_live(&stores, id, user).await);

    let (user, id) = begin(&stores, 10_001).await;
    for n in 10_001..10_001 + last {
        assert_eq!(present(&stores, n, n + 1, 2).await, Rotation::Rotated { user, session: id }, "token {n}");
    }
    assert_eq!(present(&stores, 10_002, 9002, 99).await, Rotation::Reused { user, session: id }, "it is recognised");
}

/// Who wants more tokens than any client needs has none any more, and neither has anybody else in the session. So nobody tries for ever, and
/// whoever holds the other end of it logs in anew.
pub async fn a_session_that_wants_too_many_tokens_is_revoked(stores: Stores) {
    let (user, id) = begin(&stores, 1).await;
    let other = session(&stores, user, 9000).await;
    let rotated = Rotation::Rotated { user, session: id };
    let most = u32::try_from(Session::MOST_RECENT_TOKENS).expect("a small number");
    // One after the other, and then siblings of one base.
    for n in 1..100 {
        assert_eq!(present(&stores, n, n + 1, 1).await, rotated, "token {n}");
    }
    for n in 101..=most {
        assert_eq!(present(&stores, 100, n, 2).await, rotated, "token {n}");
    }
    assert_eq!(present(&stores, 100, most + 1, 3).await, Rotation::TooOften { user, session: id });
    assert!(!is_live(&stores, id, user).await);
    for token in [1, 100, most, most + 1] {
        assert_eq!(present(&stores, token, 9002, 3).await, Rotation::Unknown, "token {token}");
    }
    check(&stores, 9000, 9003, Rotation::Rotated { user, session: other }).await;
}

/// Presents a token at a second, with a successor that lasts, where what was made within the hundred seconds before counts as lately.
async fn present(stores: &Stores, token: u32, successor: u32, second: i64) -> Rotation {
    let recent = moment(LATE + second - 100);
    let renewal = Renewal { recent, ..renewal(successor, moment(second), moment(LATE + second)) };
    stores.sessions.rotate(&refresh(token), renewal).await.expect("rotate")
}

fn most() -> u32 {
    Session::MOST_TOKENS.try_into().expect("a small number")
}
