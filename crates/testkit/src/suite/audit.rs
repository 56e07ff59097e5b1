//! What [`Audit`](mango_domain::ports::Audit) promises.

use mango_domain::model::{AuditEntry, AuditEvent, SessionId, UserId};

use crate::Stores;
use crate::build::moment;

/// Every event is read as it was written, with all that can be known and with nothing, the newest first. That the users and the
/// sessions are not there does not matter.
pub async fn entries_are_read_as_written_the_newest_first(stores: Stores) {
    assert_eq!(stores.audit.newest(10).await.expect("read"), []);
    let mut expected = Vec::new();
    for (n, event) in (1..).zip(AuditEvent::ALL) {
        let full = AuditEntry {
            at: moment(n),
            event: *event,
            user: Some(UserId::new(n)),
            session: Some(SessionId::new(n + 100)),
            address: Some("2001:db8::1".parse().expect("an address")),
        };
        let bare = AuditEntry { user: None, session: None, address: None, ..full };
        stores.audit.append(vec![full.clone(), bare.clone()]).await.expect("append");
        expected.extend([full, bare]);
    }
    stores.audit.append(Vec::new()).await.expect("append nothing");
    expected.reverse();
    assert_eq!(stores.audit.newest(1000).await.expect("read"), expected);
    assert_eq!(stores.audit.newest(3).await.expect("read"), expected[..3]);
    assert_eq!(stores.audit.newest(0).await.expect("read"), []);
}

/// `prune` forgets what is from before a time, and counts it.
pub async fn old_entries_are_pruned(stores: Stores) {
    let entry = |second| AuditEntry {
        at: moment(second),
        event: AuditEvent::LoginFailed,
        user: None,
        session: None,
        address: None,
    };
    stores.audit.append((1..=5).map(entry).collect()).await.expect("append");
    for (before, gone) in [(1, 0), (3, 2), (3, 0)] {
        assert_eq!(stores.audit.prune(moment(before)).await.expect("prune"), gone, "before {before}");
    }
    assert_eq!(stores.audit.newest(10).await.expect("read"), [entry(5), entry(4), entry(3)]);
}
