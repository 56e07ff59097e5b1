//! The queries that the stores really send: how many there are, and that each finds its rows by an index.
//!
//! Diesel reports queries to one listener in the process, so the tests here take turns, and other tests are not here.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

#[expect(dead_code, reason = "these tests need less of it than those that it was written for")]
#[path = "database/support.rs"]
mod support;

use std::collections::BTreeSet;
use std::sync::{Mutex, Once};

use diesel::connection::{Instrumentation, InstrumentationEvent, set_default_instrumentation};
use mango_domain::model::{PageRequest, Seq, SyncRequest, UserChange, Version};
use mango_persistence::Options;
use mango_testkit::Stores;
use mango_testkit::build::{direct, group, message, moment, phone, photo, refresh, session, unheard, user, users};

use support::{Backend, Outsider, Postgres, Sqlite, queue, stores, until_writing};

/// Every query that was sent since it was last emptied.
static SENT: Mutex<Vec<String>> = Mutex::new(Vec::new());
/// Whose turn it is.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

fn listen() {
    static ONCE: Once = Once::new();
    fn listener() -> Option<Box<dyn Instrumentation>> {
        Some(Box::new(|event: InstrumentationEvent<'_>| {
            if let InstrumentationEvent::StartQuery { query, .. } = event {
                let query = query.to_string();
                // The debug form ends with the values of the parameters.
                let sql = query.split(" -- binds:").next().unwrap_or_default().trim();
                SENT.lock().unwrap().push(sql.to_owned());
            }
        }))
    }
    ONCE.call_once(|| set_default_instrumentation(listener).unwrap());
}

/// What is sent while the work is done.
async fn sent_by<R>(work: impl Future<Output = R>) -> Vec<String> {
    SENT.lock().unwrap().clear();
    work.await;
    std::mem::take(&mut *SENT.lock().unwrap())
}

/// A list takes as many queries for a hundred chats as for one.
async fn a_list_is_a_bounded_number_of_queries<B: Backend>() {
    let _turn = TURN.lock().await;
    listen();
    let backend = B::with(Options::default()).await;
    let stores = stores(backend.database());
    let ids = users(&stores, 3).await;
    let mut counts = Vec::new();
    for chats in [1, 99] {
        for _ in 0..chats {
            let chat = group(ids[0], &ids).add(&stores).await;
            let said = message(chat, ids[1]).add(&stores).await;
            stores.likes.toggle(said.id, ids[2], moment(1), unheard()).await.unwrap();
            stores.chats.toggle_pin(chat, ids[0], moment(1), unheard()).await.unwrap();
        }
        for pinned_only in [false, true] {
            counts.push(sent_by(async { stores.chats.list(ids[0], pinned_only).await.unwrap() }).await.len());
        }
    }
    assert_eq!(stores.chats.list(ids[0], true).await.unwrap().len(), 100);
    assert_eq!(counts, [4; 4], "chats, members, last messages, likes");
}

/// To catch up takes as many queries for a hundred chats as for one.
async fn a_sync_is_a_bounded_number_of_queries<B: Backend>() {
    let _turn = TURN.lock().await;
    listen();
    let backend = B::with(Options::default()).await;
    let stores = stores(backend.database());
    let ids = users(&stores, 3).await;
    let mut counts = Vec::new();
    for chats in [1, 99] {
        for _ in 0..chats {
            let chat = group(ids[0], &ids).add(&stores).await;
            let said = message(chat, ids[1]).add(&stores).await;
            stores.likes.toggle(said.id, ids[2], moment(1), unheard()).await.unwrap();
        }
        let request = SyncRequest::parse([].into(), None, None).unwrap();
        stores.changes.epoch().await.unwrap();
        counts.push(sent_by(async { stores.changes.since(ids[0], request).await.unwrap() }).await.len());
    }
    assert_eq!(counts, [8; 2], "versions, pins, chats with members, last messages and likes, messages, likes");
}

/// A group of 10,000 members is created in a handful of statements.
async fn a_large_group_takes_few_statements<B: Backend>() {
    let _turn = TURN.lock().await;
    listen();
    let backend = B::with(Options::default()).await;
    fill(&mut backend.outsider().await).await;
    let stores = stores(backend.database());
    let members: Vec<_> = (1..=10_000).map(mango_domain::model::UserId::new).collect();
    let sent = sent_by(async {
        let created = stores.chats.create(group(members[0], &members).build(), unheard()).await.unwrap();
        assert_eq!(created.chat.members.len(), 10_000);
    })
    .await;
    let numbered = sent.iter().any(|sql| sql.contains("nextval"));
    let statements = sent.iter().filter(|sql| !["BEGIN", "BEGIN IMMEDIATE", "COMMIT"].contains(&sql.as_str())).count();
    assert_eq!(
        statements,
        if numbered { 4 } else { 3 },
        "the id, where it is drawn beforehand; members, chat, members"
    );
}

/// Messages that come while the database is busy are committed together.
async fn waiting_messages_are_one_group<B: Backend>() {
    let _turn = TURN.lock().await;
    listen();
    let backend = B::with(Options { writers: 1, ..Options::default() }).await;
    let stores = stores(backend.database());
    let ids = users(&stores, 1).await;
    let chat = group(ids[0], &[]).add(&stores).await;
    let mut outsider = backend.outsider().await;
    outsider.lock().await;
    let sent = sent_by(async {
        let mut waiting = vec![queue(&stores, message(chat, ids[0]).build()).await];
        until_writing(backend.database(), 1).await;
        for _ in 0..100 {
            waiting.push(queue(&stores, message(chat, ids[0]).build()).await);
        }
        outsider.release().await;
        futures_util::future::try_join_all(waiting).await.unwrap()
    })
    .await;
    let commits = sent.iter().filter(|sql| sql.starts_with("WITH sent") || *sql == "COMMIT").count();
    assert_eq!(commits, 2, "one for the first and one for the rest: {sent:?}");
}

/// Everything the stores do while people chat. Each query it sends has to find its rows by an index. `Sessions::purge`, which runs
/// now and then and may have to do with a good part of the table, is not among them.
async fn chat(stores: &Stores) {
    let (ann, bob) = (user(900_001).add(stores).await.id, user(900_002).add(stores).await.id);
    stores.users.find(ann).await.unwrap();
    stores.users.credentials(&phone(900_001)).await.unwrap();
    stores.users.briefs(&[ann, bob]).await.unwrap();
    stores.users.named_photos(&[photo(1), photo(2)]).await.unwrap();
    stores.users.seen(ann, moment(9)).await.unwrap();
    let password = Some(mango_domain::model::PasswordHash::new("$new".to_owned()));
    let live = session(stores, ann, 900_001).await;
    let change = UserChange { password, keep_session: Some(live), ..UserChange::default() };
    stores.users.update(ann, change, moment(9)).await.unwrap();
    for (presented, successor) in [(900_001, 900_002), (900_002, 900_003), (900_001, 900_004)] {
        let (presented, successor) = (refresh(presented), refresh(successor));
        stores.sessions.rotate(&presented, &successor, moment(1), moment(9)).await.unwrap();
    }
    stores.sessions.is_live(live, ann).await.unwrap();
    stores.sessions.revoke(live, moment(9)).await.unwrap();
    direct(ann, bob).create(stores).await;
    let chat = direct(bob, ann).create(stores).await.chat.record.id;
    let room = group(ann, &[bob]).add(stores).await;
    let said = message(chat, ann).add(stores).await;
    for _ in 0..2 {
        stores.chats.toggle_pin(chat, ann, moment(9), unheard()).await.unwrap();
        stores.likes.toggle(said.id, bob, moment(9), unheard()).await.unwrap();
    }
    stores.chats.list(ann, false).await.unwrap();
    stores.chats.list(ann, true).await.unwrap();
    stores.chats.find(room, ann).await.unwrap();
    stores.chats.ids_of(ann).await.unwrap();
    for known in [vec![], vec![(chat, 1), (room, 1)]] {
        let known = known.into_iter().map(|(chat, version)| (chat, Version::new(version))).collect();
        let request = SyncRequest::parse(known, None, None).unwrap();
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
async fn fill(outsider: &mut Outsider) {
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
        format!("INSERT INTO sessions (user_id, base_token, created_at) {users} SELECT n, {digest}, {then} FROM numbers"),
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

/// The queries of [`chat`] over a well-filled database, each once.
async fn queries_of_a_chat<B: Backend>(backend: &B) -> BTreeSet<String> {
    fill(&mut backend.outsider().await).await;
    let stores = stores(backend.database());
    let sent = sent_by(chat(&stores)).await;
    let queries: BTreeSet<_> = sent
        .into_iter()
        .filter(|sql| !["BEGIN", "COMMIT", "SET", "PRAGMA"].iter().any(|word| sql.starts_with(word)))
        .collect();
    assert!(queries.len() > 30, "too few to be all: {queries:#?}");
    queries
}

mod sqlite {
    use diesel::connection::SimpleConnection;
    use diesel::prelude::*;
    use diesel::sql_types::Text;

    use super::*;

    #[derive(QueryableByName)]
    struct Step {
        #[diesel(sql_type = Text)]
        detail: String,
    }

    /// The steps of the plan that read a whole table.
    fn scans(conn: &mut SqliteConnection, query: &str) -> Vec<String> {
        let steps: Vec<Step> = diesel::sql_query(format!("EXPLAIN QUERY PLAN {query}")).load(conn).unwrap();
        assert!(!steps.is_empty() || query.starts_with("INSERT"), "no plan: {query}");
        // A SELECT without a table has one row to scan, and an index that is made for the query is made by a scan.
        let whole =
            |step: &String| step.starts_with("SCAN") && step != "SCAN CONSTANT ROW" || step.contains("AUTOMATIC");
        steps.into_iter().map(|step| step.detail).filter(whole).collect()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn every_query_uses_an_index() {
        let _turn = TURN.lock().await;
        listen();
        let backend = Sqlite::new().await;
        let queries = queries_of_a_chat(&backend).await;
        let Outsider::Sqlite(mut conn) = backend.outsider().await else { panic!("not SQLite") };
        // With foreign keys on, the plan of an INSERT lists searches that never run: they would look for rows that referred to
        // the new one before it was there.
        conn.batch_execute("PRAGMA foreign_keys = OFF").unwrap();
        for query in queries {
            assert_eq!(scans(&mut conn, &query), Vec::<String>::new(), "{query}");
        }
        assert!(!scans(&mut conn, "SELECT * FROM users WHERE name = ?").is_empty(), "a scan is not seen");
        assert!(!scans(&mut conn, "SELECT max(chat_id) FROM members GROUP BY user_id").is_empty(), "nor in an index");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_list_is_a_bounded_number_of_queries() {
        super::a_list_is_a_bounded_number_of_queries::<Sqlite>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_large_group_takes_few_statements() {
        super::a_large_group_takes_few_statements::<Sqlite>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_sync_is_a_bounded_number_of_queries() {
        super::a_sync_is_a_bounded_number_of_queries::<Sqlite>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn waiting_messages_are_one_group() {
        super::waiting_messages_are_one_group::<Sqlite>().await;
    }
}

mod postgres {
    use mango_testkit::PrivatePostgres;

    use super::*;

    /// The lines of the plan that read a whole table, or a whole index, which is as long.
    ///
    /// It is the plan that is kept for any values of the parameters, as that of a prepared statement. Tables of this size are often
    /// read whole because that is cheap; the question is whether they have to be.
    fn scans(url: &str, query: &str) -> Vec<String> {
        let parameters = (1..=32).take_while(|n| query.contains(&format!("${n}"))).count();
        let arguments = match parameters {
            0 => String::new(),
            _ => format!("({})", vec!["NULL"; parameters].join(", ")),
        };
        let plan = PrivatePostgres::shared().psql(
            url,
            &format!(
                "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; \
                 PREPARE q AS {query}; EXPLAIN (COSTS off) EXECUTE q{arguments}"
            ),
        );
        assert!(!plan.is_empty(), "no plan: {query}");
        let lines: Vec<&str> = plan.lines().collect();
        let whole = |at: usize| {
            let searched = lines.get(at + 1).is_some_and(|next| next.contains("Index Cond"));
            let index = lines[at].contains("Index Scan") || lines[at].contains("Index Only Scan");
            lines[at].contains("Seq Scan") || (index && !searched)
        };
        (0..lines.len()).filter(|at| whole(*at)).map(|at| lines[at].to_owned()).collect()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn every_query_uses_an_index() {
        let _turn = TURN.lock().await;
        listen();
        let backend = Postgres::new().await;
        let url = backend.database().url().to_string();
        for query in queries_of_a_chat(&backend).await {
            assert_eq!(scans(&url, &query), Vec::<String>::new(), "{query}");
        }
        assert!(!scans(&url, "SELECT * FROM users WHERE name = $1").is_empty(), "a scan is not seen");
        assert!(!scans(&url, "SELECT id FROM users ORDER BY id").is_empty(), "nor in an index");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_list_is_a_bounded_number_of_queries() {
        super::a_list_is_a_bounded_number_of_queries::<Postgres>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_large_group_takes_few_statements() {
        super::a_large_group_takes_few_statements::<Postgres>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_sync_is_a_bounded_number_of_queries() {
        super::a_sync_is_a_bounded_number_of_queries::<Postgres>().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn waiting_messages_are_one_group() {
        super::waiting_messages_are_one_group::<Postgres>().await;
    }
}
