//! The members of a chat to be.

use mango_domain::model::{ChatKind, DirectPair, MemberList, UserId};
use proptest::prelude::*;

use super::check_refused;

fn ids(numbers: impl IntoIterator<Item = i64>) -> Vec<UserId> {
    numbers.into_iter().map(UserId::new).collect()
}

#[test]
fn a_group_has_its_creator_and_whom_they_named_once_each() {
    for (named, expected) in
        [(&[][..], &[5][..]), (&[5], &[5]), (&[9, 1, 9, 1], &[1, 5, 9]), (&[1, 2, 3, 4, 5], &[1, 2, 3, 4, 5])]
    {
        let list = MemberList::parse(ChatKind::Group, UserId::new(5), &ids(named.iter().copied())).expect("a list");
        assert_eq!((list.ids(), list.kind()), (ids(expected.iter().copied()), ChatKind::Group), "{named:?}");
    }
}

#[test]
fn a_group_has_at_most_10_000_members_counting_the_creator() {
    let creator = UserId::new(1);
    for (highest, fits) in [(9_999, true), (10_000, true), (10_001, false), (100_000, false)] {
        for lowest in [1, 2] {
            let named = ids((lowest..=highest).chain(lowest..=highest));
            let result = MemberList::parse(ChatKind::Group, creator, &named);
            assert_eq!(result.is_ok(), fits, "{lowest} to {highest}");
            if !fits {
                check_refused(result, "chat.members_array", &highest);
            }
        }
    }
}

#[test]
fn a_direct_chat_has_the_creator_and_one_other() {
    for (creator, named, expected) in [
        (5, &[9][..], Some([5, 9])),
        (9, &[5], Some([5, 9])),
        (5, &[9, 5, 9], Some([5, 9])),
        (5, &[], None),
        (5, &[5], None),
        (5, &[6, 7], None),
        (5, &[5, 6, 7], None),
    ] {
        let result = MemberList::parse(ChatKind::Direct, UserId::new(creator), &ids(named.iter().copied()));
        match expected {
            Some(pair) => {
                let list = result.expect("a list");
                assert_eq!((list.ids(), list.kind()), (ids(pair), ChatKind::Direct), "{named:?}");
            }
            None => check_refused(result, "chat.members_array", &named),
        }
    }
}

proptest! {
    #[test]
    fn a_pair_has_one_form(a: i64, b: i64) {
        let (a, b) = (UserId::new(a), UserId::new(b));
        prop_assert_eq!(DirectPair::of(a, b), DirectPair::of(b, a));
        prop_assert_eq!(DirectPair::of(a, a), None);
        if let Some(pair) = DirectPair::of(a, b) {
            prop_assert!(pair.low() < pair.high());
        }
    }
}
