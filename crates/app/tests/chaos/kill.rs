//! Servers that are killed in the middle of everything.

use std::time::{Duration, Instant};

use mango_testkit::PrivatePostgres;

use crate::party::{Party, minutes, spare_port};
use crate::support::Server;

/// How often the server is killed.
const ROUNDS: u32 = 20;

async fn check(database: &[(&str, &str)]) {
    let data = tempfile::tempdir().unwrap();
    let bind = format!("127.0.0.1:{}", spare_port());
    let mut settings = vec![("MANGO_BIND", &*bind), ("MANGO_DATA_DIR", data.path().to_str().unwrap())];
    settings.extend(database);
    let mut server = Server::start(&settings);
    let mut party = Party::begin(server.url(), 50, 3).await;
    let start = Instant::now();
    let mut round = 0;
    while round < ROUNDS || minutes().is_some_and(|limit| start.elapsed() < limit) {
        round += 1;
        // Not always at the same place of a commit.
        party.progress(100 + u64::from(round % 7) * 13).await;
        server.signal("KILL");
        assert!(server.wait(Duration::from_secs(10)).is_some());
        server = Server::start(&settings);
    }
    party.progress(500).await;
    party.settle().await;
}

mod sqlite {
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn nothing_acknowledged_is_lost_or_doubled_when_the_server_is_killed() {
        super::check(&[]).await;
    }
}

mod postgres {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn nothing_acknowledged_is_lost_or_doubled_when_the_server_is_killed() {
        let database = PrivatePostgres::shared().url_for_new_database();
        check(&[("DATABASE_URL", &database)]).await;
    }
}
