//! What there is in the database, and what is done with it.

use mango_domain::model::{AuditEntry, AuditEvent, PageRequest, ProfileVersion, Seq, SyncRequest, UserChange, Version};
use mango_domain::ports::ChatSelection;
use mango_testkit::Stores;
use mango_testkit::build::{direct, group, message, moment, phone, photo, refresh, renewal, session, unheard, user};

use crate::support::Outsider;

/// Everything the stores do while people chat. Each query it sends has to find its rows by an index. `Sessions::purge`, which runs
/// now and then and may have to do with a good part of the table, is not among them.
pub async fn chat(stores: &Stores) {
    let (ann, bob) = (user(900_001).add(stores).await.id, user(900_002).add(stores).await.id);
    stores.users.find(ann).await.unwrap();
    let known = stores.users.credentials(&phone(900_001)).await.unwrap().unwrap();
    stores.users.rehash(ann, &known.password, known.password.clone()).await.unwrap();
    stores.users.briefs(&[ann, bob]).await.unwrap();
    stores.users.named_photos(&[photo(1), photo(2)]).await.unwrap();
    stores.users.seen(ann, moment(9)).await.unwrap();
    let password = Some(mango_domain::model::PasswordHash::new("$new".to_owned()));
    let live = session(stores, ann, 900_001).await;
    let current_password = stores.users.password(ann).await.unwrap();
    let change = UserChange { password, current_password, keep_session: Some(live), ..UserChange::default() };
    stores.users.update(ann, change, moment(9), unheard()).await.unwrap();
    let name = Some(Some(mango_domain::model::UserName::parse("Another").unwrap()));
    stores.users.update(ann, UserChange { name, ..UserChange::default() }, moment(9), unheard()).await.unwrap();
    for (presented, successor) in [(900_001, 900_002), (900_002, 900_003), (900_001, 900_004)] {
        let renewal = renewal(successor, moment(1), moment(9));
        stores.sessions.rotate(&refresh(presented), renewal).await.unwrap();
    }
    stores.sessions.is_live(live, ann).await.unwrap();
    stores.sessions.list(ann, moment(0), moment(0)).await.unwrap();
    stores.sessions.addresses(&phone(900_001)).await.unwrap();
    stores.sessions.revoke(live, ann, moment(9)).await.unwrap();
    stores.sessions.revoke_others(ann, live, moment(9)).await.unwrap();
    let entry =
        AuditEntry { at: moment(1), event: AuditEvent::LoggedIn, user: Some(ann), session: None, address: None };
    stores.audit.append(vec![entry]).await.unwrap();
    stores.audit.prune(moment(1)).await.unwrap();
    direct(ann, bob).create(stores).await;
    let chat = direct(bob, ann).create(stores).await.chat.record.id;
    let room = group(ann, &[bob]).add(stores).await;
    let said = message(chat, ann).add(stores).await;
    for _ in 0..2 {
        stores.chats.toggle_pin(chat, ann, moment(9), unheard()).await.unwrap();
        stores.likes.toggle(said.id, bob, moment(9), unheard()).await.unwrap();
    }
    stores.chats.list(ann, ChatSelection::All).await.unwrap();
    let page = stores.chats.list(ann, ChatSelection::Pinned).await.unwrap();
    let pinned = page.chats.iter().map(|chat| chat.record.id).collect();
    stores.chats.list(ann, ChatSelection::These(pinned)).await.unwrap();
    stores.chats.find(room, ann).await.unwrap();
    stores.chats.ids_of(ann).await.unwrap();
    for (known, limit) in [(vec![], None), (vec![(chat, 1), (room, 1)], None), (vec![], Some(1))] {
        let known = known.into_iter().map(|(chat, version)| (chat, Version::new(version))).collect();
        let request =
            SyncRequest::parse(known, None, limit).unwrap().with_users_since(Some(ProfileVersion::new(0))).unwrap();
        stores.changes.since(ann, request).await.unwrap();
    }
    for n in 0..2 {
        message(chat, ann).client_id("again").text(&n.to_string()).add(stores).await;
    }
    for (before, after) in [(None, None), (Some(9), None), (None, Some(0)), (Some(9), Some(0))] {
        let page = PageRequest::parse(Some(50), before.map(Seq::new), after.map(Seq::new)).unwrap();
        stores.messages.page(chat, ann, page).await.unwrap();
    }
}

/// 12,000 users with a session each, 3,000 chats of 8 members with 20 messages each, and some likes and pins.
pub async fn fill(outsider: &mut Outsider) {
    let (numbers, digest, analyze) = match outsider {
        Outsider::Sqlite(_) => (
            "WITH RECURSIVE numbers(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM numbers WHERE n < LIMIT)",
            "CAST(printf('%032d', n) AS BLOB)",
            "ANALYZE",
        ),
        Outsider::Postgres(_) => {
            ("WITH numbers AS (SELECT generate_series(1, LIMIT) AS n)", "lpad(n::text, 32, '0')::bytea", "ANALYZE")
        }
    };
    let users = numbers.replace("LIMIT", "12000");
    let chats = numbers.replace("LIMIT", "3000");
    let slots = numbers.replace("LIMIT", "24000");
    let lines = numbers.replace("LIMIT", "60000");
    let (then, later) = ("'2026-01-01 00:00:00+00:00'", "'2026-02-01 00:00:00+00:00'");
    for sql in [
        format!("INSERT INTO users (phone, password_hash, created_at) {users} SELECT '+3170' || (1000000 + n), 'x', {then} FROM numbers"),
        format!("INSERT INTO sessions (id, user_id, base_token, created_at, last_used_at) {users} SELECT n, n, {digest}, {then}, {then} FROM numbers"),
        format!("INSERT INTO refresh_tokens (hash, session_id, expires_at) {users} SELECT {digest}, n, {later} FROM numbers"),
        format!("INSERT INTO chats (kind, name, creator_id, last_seq, version, last_activity_at, created_at) {chats} SELECT 'group', 'G', n, 20, 21, {then}, {then} FROM numbers"),
        format!("INSERT INTO members (chat_id, user_id) {slots} SELECT 1 + (n - 1) / 8, 1 + n % 12000 FROM numbers"),
        format!("INSERT INTO messages (chat_id, seq, version, sender_id, message_type, content, created_at) {lines} SELECT 1 + (n - 1) / 20, 1 + (n - 1) % 20, 2 + (n - 1) % 20, 1 + n % 12000, 'text', 'hi', {then} FROM numbers"),
        format!("INSERT INTO likes (message_id, user_id, created_at) {slots} SELECT n, 1 + n % 12000, {then} FROM numbers"),
        "INSERT INTO pins (user_id, chat_id, created_at) SELECT user_id, chat_id, '2026-01-01 00:00:00+00:00' FROM members WHERE user_id % 3 = 0".to_owned(),
        analyze.to_owned(),
    ] {
        outsider.run(&sql).await.unwrap();
    }
}
