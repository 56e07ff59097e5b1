//! How an answer to a client that catches up is kept to a size.
#![expect(clippy::expect_used, reason = "a helper that fails should fail its test")]

use std::collections::BTreeMap;

use mango_domain::model::{ChatId, Epoch, ProfileVersion, SyncPlan, SyncRequest, Version, Weights};

const CHATS: [i64; 3] = [1, 2, 3];
const LIKES: usize = SyncRequest::MAX_LIKES;

/// A plan for chats that each have had ten changes, of which the client knows those up to `known`.
fn plan(known: i64) -> SyncPlan {
    let epoch = Epoch::new("here".to_owned());
    let known = CHATS.map(|chat| (ChatId::new(chat), Version::new(known)));
    let request = SyncRequest::parse(BTreeMap::from(known), Some(epoch.clone()), None).expect("a request");
    request.plan(&epoch, ProfileVersion::new(0), &CHATS.map(|chat| (ChatId::new(chat), Version::new(10))))
}

/// The weights of last messages by chat, and of messages by chat and version.
fn weights(last: &[(i64, usize)], messages: &[(i64, i64, usize)]) -> Weights {
    let mut weights = Weights::default();
    weights.last.extend(last.iter().map(|(chat, weight)| (ChatId::new(*chat), *weight)));
    for (chat, version, weight) in messages {
        weights.messages.entry(ChatId::new(*chat)).or_default().push((Version::new(*version), *weight));
    }
    weights
}

/// What is told of each chat: the version that is reached, and whether there is more.
fn told(plan: &SyncPlan) -> Vec<(i64, i64, bool)> {
    plan.ranges.iter().map(|range| (range.chat.get(), range.reached.get(), range.more)).collect()
}

#[test]
fn a_plan_is_cut_where_its_likes_do_not_fit() {
    let all = [(1, 10, false), (2, 10, false), (3, 10, false)];
    let cases = [
        ("nothing is liked", 5, vec![], vec![(1, 6, 0), (3, 10, 0)], all.to_vec()),
        ("all fits", 5, vec![], vec![(1, 6, LIKES - 1), (2, 7, 0), (3, 10, 1)], all.to_vec()),
        ("within a chat", 5, vec![], vec![(1, 6, 1), (2, 7, LIKES - 1), (2, 9, 1)], vec![(1, 10, false), (2, 8, true)]),
        ("between chats", 5, vec![], vec![(1, 6, LIKES), (1, 10, 0), (2, 6, 1)], vec![(1, 10, false)]),
        ("all that changed before", 5, vec![], vec![(1, 6, LIKES), (2, 8, 1)], vec![(1, 10, false), (2, 7, true)]),
        ("one that has too many", 5, vec![], vec![(1, 6, 9 * LIKES), (1, 8, 0), (1, 9, 1)], vec![(1, 7, true)]),
        (
            "one among others that have none",
            5,
            vec![],
            vec![(1, 6, 0), (1, 7, usize::MAX), (1, 9, 1)],
            vec![(1, 8, true)],
        ),
        (
            "those that were not counted",
            5,
            vec![],
            vec![(1, 6, 1), (1, 7, usize::MAX), (2, 7, usize::MAX)],
            vec![(1, 6, true)],
        ),
        ("the last message of a chat", 0, vec![(1, LIKES)], vec![(1, 2, 0), (1, 10, LIKES)], vec![(1, 9, true)]),
        ("that of another chat", 0, vec![(1, 0), (2, LIKES)], vec![(1, 2, 1)], vec![(1, 10, false)]),
        ("that of a chat that is known", 5, vec![(1, LIKES), (2, LIKES)], vec![(2, 7, 1)], all.to_vec()),
    ];
    for (case, known, last, messages, expected) in cases {
        let mut plan = plan(known);
        plan.keep_to_likes(&weights(&last, &messages));
        assert_eq!(told(&plan), expected, "{case}");
        assert_eq!(plan.more, expected != all, "{case}");
    }
}

#[test]
fn what_is_cut_for_its_bytes_stays_cut() {
    let mut plan = plan(5);
    plan.keep_to_bytes(&weights(&[], &[(1, 6, SyncRequest::MAX_BYTES), (1, 8, 1), (2, 7, 1)]));
    assert_eq!(told(&plan), [(1, 7, true)]);
    // The second message has too many likes, but is not told anyway.
    plan.keep_to_likes(&weights(&[], &[(1, 6, LIKES), (1, 9, 1), (2, 7, LIKES)]));
    assert_eq!(told(&plan), [(1, 7, true)]);
    assert!(plan.more);
}
