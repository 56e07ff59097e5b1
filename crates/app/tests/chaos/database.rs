//! A database that goes away and comes back, and connections to it that break.

mod postgres {
    use std::time::{Duration, Instant};

    use mango_testkit::{PrivatePostgres, Stop};

    use crate::party::Party;
    use crate::proxy::Proxy;
    use crate::support::Server;

    /// How soon after the return of the database everything is as before.
    const FULL_SPEED: Duration = Duration::from_secs(5);

    async fn ready(server: &Server) -> bool {
        reqwest::get(format!("{}/readyz", server.url())).await.unwrap().status().is_success()
    }

    async fn until_ready(server: &Server, expected: bool) {
        let start = Instant::now();
        while ready(server).await != expected {
            assert!(start.elapsed() < Duration::from_secs(20), "readiness is not {expected}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_crash_of_the_database_under_load_is_got_over() {
        let postgres = PrivatePostgres::start();
        let server = Server::start(&[("DATABASE_URL", &postgres.url_for_new_database())]);
        let mut party = Party::begin(server.url(), 20, 3).await;
        let before = party.progress(1000).await;
        for _ in 0..3 {
            postgres.stop(Stop::Immediate);
            until_ready(&server, false).await;
            postgres.start_again();
            let back = Instant::now();
            until_ready(&server, true).await;
            party.progress(1).await;
            assert!(back.elapsed() < FULL_SPEED, "the first message took {:?}", back.elapsed());
            tokio::time::sleep(FULL_SPEED.saturating_sub(back.elapsed())).await;
            // The machine has other things to do, so the best of some, and a margin.
            let mut after = Duration::MAX;
            for _ in 0..5 {
                if after >= before * 2 {
                    after = after.min(party.progress(1000).await);
                }
            }
            assert!(after < before * 2, "a thousand messages took {before:?} before and {after:?} after");
        }
        party.settle().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn connections_that_break_in_the_middle_of_a_commit_lose_nothing() {
        let postgres = PrivatePostgres::shared();
        let proxy = Proxy::before(postgres.port()).await;
        let url = postgres.url_for_new_database().replacen(&postgres.port().to_string(), &proxy.port().to_string(), 1);
        let server = Server::start(&[("DATABASE_URL", &url)]);
        let mut party = Party::begin(server.url(), 20, 3).await;
        for round in 0..30 {
            party.progress(50 + round).await;
            proxy.break_all();
        }
        party.progress(500).await;
        party.settle().await;
    }
}
