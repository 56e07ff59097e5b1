//! That one process at a time has the claim to a PostgreSQL database.

mod postgres {
    use std::time::{Duration, Instant};

    use mango_persistence::{Database, Options};
    use mango_testkit::{PrivatePostgres, Stop};

    use crate::support::open;

    /// Longer than a lost connection goes unnoticed.
    const SOON: Duration = Duration::from_secs(30);

    async fn is_free(database: &Database) -> bool {
        database.claim(Duration::ZERO).await.unwrap().is_some()
    }

    /// A claim keeps off other claims, until it is dropped, and nothing else.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_database_is_claimed_once() {
        let url = PrivatePostgres::shared().url_for_new_database().parse().unwrap();
        let (first, second) = (open(&url, Options::default()).await, open(&url, Options::default()).await);
        let claim = first.claim(Duration::ZERO).await.unwrap().unwrap();
        let begun = Instant::now();
        assert!(second.claim(Duration::from_secs(1)).await.unwrap().is_none());
        assert!(begun.elapsed() >= Duration::from_secs(1), "it did not wait");
        second.migrate().await.unwrap();
        let waiting = tokio::spawn(async move { second.claim(SOON).await.unwrap().is_some() });
        drop(claim);
        assert!(waiting.await.unwrap());
    }

    /// A claim is taken again when its connection was lost, be it alone or with the whole server.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_lost_claim_is_taken_again() {
        let server = PrivatePostgres::start();
        let url = server.url_for_new_database();
        let database = open(&url.parse().unwrap(), Options::default()).await;
        let _claim = database.claim(Duration::ZERO).await.unwrap().unwrap();
        let holder = || server.psql(&url, "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted");
        for how in [None, Some(Stop::Immediate)] {
            let before = holder();
            assert!(!before.is_empty());
            match how {
                None => drop(server.psql(&url, &format!("SELECT pg_terminate_backend({before})"))),
                Some(how) => {
                    server.stop(how);
                    server.start_again();
                }
            }
            let begun = Instant::now();
            while holder().is_empty() || holder() == before {
                assert!(begun.elapsed() < SOON, "nobody claims it");
                tokio::task::yield_now().await;
            }
            assert!(!is_free(&database).await);
        }
    }
}
