//! The databases themselves refuse what must not be, whatever the code above them does.

use diesel::result::{DatabaseErrorKind, Error};
use mango_domain::FailureKind;
use mango_domain::error::chain;
use mango_domain::model::{NewSession, Rotation};
use mango_persistence::Options;
use mango_testkit::build::{moment, new_session, refresh, renewal, session, user};

use crate::support::{Backend, Outsider, stores};

const HASH: &str = "'0123456789abcdef0123456789abcdef'";

/// Two users, a session, a group of the first user, a direct chat of both, a message, a pin, a like.
fn rows(digest: &str) -> String {
    let now = "'2026-01-01 00:00:00+00:00'";
    format!(
        "INSERT INTO users (phone, password_hash, created_at) VALUES ('+31600000001', 'x', {now}), ('+31600000002', 'x', {now});
         INSERT INTO sessions (id, user_id, base_token, created_at, last_used_at) VALUES (1, 1, {digest}, {now}, {now});
         INSERT INTO refresh_tokens (hash, session_id, expires_at) VALUES ({digest}, 1, {now});
         INSERT INTO chats (kind, name, creator_id, last_seq, version, last_activity_at, created_at) VALUES ('group', 'G', 1, 1, 2, {now}, {now});
         INSERT INTO chats (kind, creator_id, direct_low, direct_high, version, last_activity_at, created_at) VALUES ('direct', 1, 1, 2, 1, {now}, {now});
         INSERT INTO members (chat_id, user_id) VALUES (1, 1), (2, 1), (2, 2);
         INSERT INTO messages (chat_id, seq, version, sender_id, client_id, message_type, content, created_at) VALUES (1, 1, 2, 1, 'a', 'text', 'hi', {now});
         INSERT INTO pins (user_id, chat_id, created_at) VALUES (1, 1, {now});
         INSERT INTO likes (message_id, user_id, created_at) VALUES (1, 1, {now});
         INSERT INTO audit_log (at, event) VALUES ({now}, 'login');"
    )
}

/// Statements that must fail, and the constraint that must stop them.
const REFUSED: [(&str, &str); 41] = [
    ("UPDATE users SET phone = '+31600000001' WHERE id = 2", "unique"),
    ("UPDATE users SET phone = '31600000003'", "users_phone_check"),
    ("UPDATE users SET phone = '+316000x0003'", "users_phone_check"),
    ("UPDATE users SET phone = '+3160000000031234'", "users_phone_check"),
    ("UPDATE users SET phone = NULL", "not null"),
    ("UPDATE users SET name = ''", "users_name_check"),
    ("UPDATE users SET photo = '../../../etc/passwd'", "users_photo_check"),
    ("UPDATE users SET description = ''", "users_description_check"),
    ("UPDATE sessions SET user_id = 99", "foreign key"),
    ("UPDATE sessions SET device = ''", "sessions_device_check"),
    ("UPDATE sessions SET address = ''", "sessions_address_check"),
    ("UPDATE sessions SET address = 'localhost'", "sessions_address_check"),
    ("UPDATE sessions SET last_used_at = NULL", "not null"),
    ("UPDATE refresh_tokens SET session_id = 99", "foreign key"),
    ("UPDATE chats SET kind = 'channel'", "chats_kind_check"),
    ("UPDATE chats SET kind = 'direct' WHERE id = 1", "chats_kind_check"),
    ("UPDATE chats SET direct_low = 2, direct_high = 1 WHERE id = 2", "chats_kind_check"),
    ("UPDATE chats SET name = NULL WHERE id = 1", "chats_kind_check"),
    ("UPDATE chats SET name = '' WHERE id = 2", "chats_name_check"),
    ("UPDATE chats SET last_seq = -1", "chats_last_seq_check"),
    (
        "INSERT INTO chats (kind, creator_id, direct_low, direct_high, version, last_activity_at, created_at) \
         SELECT kind, creator_id, direct_low, direct_high, 1, last_activity_at, created_at FROM chats WHERE id = 2",
        "unique",
    ),
    ("INSERT INTO members (chat_id, user_id) VALUES (1, 99)", "foreign key"),
    ("INSERT INTO members (chat_id, user_id) VALUES (99, 1)", "foreign key"),
    ("INSERT INTO members (chat_id, user_id) VALUES (1, 1)", "unique"),
    ("UPDATE pins SET user_id = 2", "foreign key"),
    ("UPDATE messages SET chat_id = 99", "foreign key"),
    ("UPDATE messages SET seq = 0", "messages_seq_check"),
    ("UPDATE messages SET content = ''", "messages_content_check"),
    ("UPDATE messages SET message_type = 'smell'", "messages_message_type_check"),
    (
        "INSERT INTO messages (chat_id, seq, version, sender_id, message_type, content, created_at) \
         SELECT chat_id, seq, 3, sender_id, message_type, content, created_at FROM messages",
        "unique",
    ),
    (
        "INSERT INTO messages (chat_id, seq, version, sender_id, message_type, content, created_at) \
         SELECT chat_id, 2, version, sender_id, message_type, content, created_at FROM messages",
        "unique",
    ),
    (
        "INSERT INTO messages (chat_id, seq, version, sender_id, client_id, message_type, content, created_at) \
         SELECT chat_id, 2, 3, sender_id, client_id, message_type, content, created_at FROM messages",
        "unique",
    ),
    ("UPDATE messages SET client_id = ''", "messages_client_id_check"),
    ("UPDATE messages SET client_id = 'a b'", "messages_client_id_check"),
    ("UPDATE messages SET version = NULL", "not null"),
    ("UPDATE chats SET version = 0", "chats_version_check"),
    ("UPDATE audit_log SET event = 'a phone: +31612345678'", "audit_log_event_check"),
    ("UPDATE audit_log SET address = 'nowhere'", "audit_log_address_check"),
    ("UPDATE audit_log SET at = NULL", "not null"),
    ("INSERT INTO epoch (name) VALUES ('another')", "unique"),
    ("INSERT INTO likes (message_id, user_id, created_at) SELECT message_id, 99, created_at FROM likes", "foreign key"),
];

async fn what_must_not_be_is_refused<B: Backend>() {
    let backend = B::with(Options::default()).await;
    let mut outsider = backend.outsider().await;
    let digest = match outsider {
        Outsider::Sqlite(_) => format!("CAST({HASH} AS BLOB)"),
        Outsider::Postgres(_) => format!("{HASH}::bytea"),
    };
    outsider.run(&rows(&digest)).await.unwrap();
    for (sql, constraint) in REFUSED {
        let Err(Error::DatabaseError(kind, told)) = outsider.run(sql).await else {
            panic!("not refused: {sql}");
        };
        let expected = match constraint {
            "unique" => matches!(kind, DatabaseErrorKind::UniqueViolation),
            "not null" => matches!(kind, DatabaseErrorKind::NotNullViolation),
            "foreign key" => matches!(kind, DatabaseErrorKind::ForeignKeyViolation),
            check => matches!(kind, DatabaseErrorKind::CheckViolation) && told.message().contains(check),
        };
        assert!(expected, "{sql}: {kind:?}, {}", told.message());
    }
}

/// What the code above should never ask for is a failure like any other when the database refuses it, and leaves nothing behind.
async fn a_name_that_is_given_twice_is_a_failure<B: Backend>() {
    let backend = B::with(Options::default()).await;
    let stores = stores(backend.database());
    let user = user(1).add(&stores).await.id;
    let first = session(&stores, user, 1).await;
    let refused = NewSession { id: first, ..new_session(&stores, user, 2).await };
    let failure = stores.sessions.begin(refused).await.unwrap_err();
    assert_eq!((failure.operation, failure.kind), ("begin session", FailureKind::Broken));
    let cause = chain(&failure).to_lowercase();
    assert!(cause.contains("unique"), "{cause}");

    // Its token is not there, and the connection is fit for use.
    let presented = stores.sessions.rotate(&refresh(2), renewal(3, moment(1), moment(9))).await.unwrap();
    assert!(matches!(presented, Rotation::Unknown), "{presented:?}");
    let second = session(&stores, user, 2).await;
    assert!(stores.sessions.is_live(second, user).await.unwrap());
}

on_both! {
    what_must_not_be_is_refused
    a_name_that_is_given_twice_is_a_failure
}
