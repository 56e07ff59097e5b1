//! How many tokens are known of a session.

use mango_domain::model::{Rotation, Session};

use super::{LATE, begin, check, check_at, is_live};
use crate::Stores;
use crate::build::{moment, session};

/// A base that is presented again and again gives good successors, of which those are forgotten that expire soonest. The base and the newest
/// never are, whatever the expiry of others.
pub async fn a_session_has_so_many_siblings(stores: Stores) {
    let siblings = most() + 6;
    for (round, later) in [(1, 1), (2, 1), (3, -1)] {
        let base = round * 1000;
        let (user, id) = begin(&stores, base).await;
        let other = session(&stores, user, base + 999).await;
        let rotated = Rotation::Rotated { user, session: id };
        for n in 1..=siblings {
            let expires_at = moment(LATE + later * i64::from(n));
            check_at(&stores, (base, moment(1)), (base + n, expires_at), rotated).await;
        }
        // Beside the base, one less than the most; where each expires before the one that was before it, the newest is among them all the same.
        let gone = if later > 0 { 1..=7 } else { most() - 1..=siblings - 1 };
        let oldest = if later > 0 { *gone.end() + 1 } else { *gone.start() - 1 };
        for n in gone {
            check(&stores, base + n, base + 900, Rotation::Unknown).await;
        }
        assert!(is_live(&stores, id, user).await, "what was forgotten ends no session");
        let left = if round == 2 { base + oldest } else { base + siblings };
        check(&stores, left, base + 901, rotated).await;
        check(&stores, base + 901, base + 902, rotated).await;
        check(&stores, base + 999, base + 903, Rotation::Rotated { user, session: other }).await;
    }
}

/// A session whose tokens are used one after the other goes on for ever. Its last ones are recognised, and those before them are unknown.
pub async fn a_session_has_so_many_ancestors(stores: Stores) {
    const LENGTH: u32 = 100;
    let (user, id) = begin(&stores, 1).await;
    let rotated = Rotation::Rotated { user, session: id };
    for n in 1..=LENGTH {
        check_at(&stores, (n, moment(1)), (n + 1, moment(LATE + i64::from(n))), rotated).await;
    }
    let oldest = LENGTH + 2 - most();
    for n in 1..oldest {
        check(&stores, n, LENGTH + 2, Rotation::Unknown).await;
    }
    assert!(is_live(&stores, id, user).await);
    check(&stores, oldest, LENGTH + 2, Rotation::Reused { user, session: id }).await;
    assert!(!is_live(&stores, id, user).await);
}

fn most() -> u32 {
    Session::MOST_TOKENS.try_into().expect("a small number")
}
