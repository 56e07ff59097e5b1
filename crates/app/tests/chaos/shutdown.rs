//! A server that is asked to stop under load.

use std::time::Duration;

use crate::party::{Party, spare_port};
use crate::support::Server;

/// Asks a server over this database to stop, three times, and counts what came of everything that was sent.
async fn shut_down_under_load(database: &[(&str, &str)]) {
    let data = tempfile::tempdir().unwrap();
    let bind = format!("127.0.0.1:{}", spare_port());
    let own = [("MANGO_BIND", &*bind), ("MANGO_DATA_DIR", data.path().to_str().unwrap())];
    let settings = [&own, database].concat();
    let mut server = Server::start(&settings);
    let mut party = Party::begin(server.url(), 20, 3).await;
    for _ in 0..3 {
        party.progress(300).await;
        server.signal("TERM");
        let status = server.wait(Duration::from_secs(12)).expect("it ends within its time-out");
        assert!(status.success(), "{status}\n{}", server.log());
        server = Server::start(&settings);
    }
    party.progress(300).await;
    party.settle().await;
}

mod sqlite {
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_shutdown_under_load_leaves_nothing_half_done() {
        super::shut_down_under_load(&[]).await;
    }
}

mod postgres {
    use mango_testkit::PrivatePostgres;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_shutdown_under_load_leaves_nothing_half_done() {
        let url = PrivatePostgres::shared().url_for_new_database();
        super::shut_down_under_load(&[("DATABASE_URL", &url)]).await;
    }
}
