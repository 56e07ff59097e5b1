//! A database that goes away and comes back, and connections to it that break.

mod postgres {
    use std::time::{Duration, Instant};

    use mango_testkit::{PrivatePostgres, Stop};
    use serde_json::json;

    use crate::party::Party;
    use crate::people::{Socket, User};
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
    /// A user whose pin was committed without an answer is told of it on all sockets, although no version of the chat shows that.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_pin_whose_commit_had_no_answer_is_told() {
        let postgres = PrivatePostgres::shared();
        let proxy = Proxy::before(postgres.port()).await;
        let url = postgres.url_for_new_database().replacen(&postgres.port().to_string(), &proxy.port().to_string(), 1);
        let server = Server::start(&[("DATABASE_URL", &url)]);
        let ann = User::sign_up(server.url(), "+31620000001", None).await;
        let (mut phone, mut laptop) =
            (Socket::connect(server.url(), &ann).await, Socket::connect(server.url(), &ann).await);
        let group = json!({ "name": "Tea", "is_group": true, "members_array": [] });
        let chat = phone.call("create_chat", json!({ "chat": group })).await["chat"]["id"].clone();
        for expected in [r#"42["chat_pinned","#, r#"42["chat_unpinned","#] {
            proxy.break_behind_commit();
            let answer = phone.call("toggle_chat_pin", json!({ "chat": { "id": chat } })).await;
            assert!(!proxy.is_lying_in_wait(), "nothing was committed");
            assert_eq!(answer["error"]["status"], 503, "{answer}");
            for socket in [&mut phone, &mut laptop] {
                let mut packet = String::new();
                while !packet.starts_with(expected) {
                    packet = socket.packet().await.expect("the socket stays connected");
                    assert!(!packet.starts_with(r#"42["chat_changed""#), "a pin is no change of the chat");
                }
            }
        }
    }
}
