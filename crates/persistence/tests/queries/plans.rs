//! That each query finds its rows by an index.

use std::collections::BTreeSet;

use crate::support::{Backend, Outsider, Postgres, Sqlite, stores};
use crate::workload::{chat, fill};
use crate::{TURN, listen, sent_by};

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
}
