//! The official Socket.IO clients, for JavaScript and for Python, against the real binary on both databases.
//!
//! `cargo xtask test` installs the clients and says where they are.
#![expect(clippy::expect_used, clippy::panic, reason = "a helper that fails should fail its test")]

mod support;

mod clients {
    use std::path::{Path, PathBuf};
    use std::process::Command;

    use mango_testkit::PrivatePostgres;

    use super::support::Server;

    /// Runs a scenario file against a server and shows what it printed when it fails.
    fn check(server: &Server, scenario: &str, mode: &str) {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(scenario);
        let mut command = match file.extension().and_then(|ending| ending.to_str()) {
            Some("py") => Command::new(installed("MANGO_TEST_PYTHON")),
            _ => Command::new("node"),
        };
        command.env("MANGO_TEST_NODE_MODULES", installed("MANGO_TEST_NODE_MODULES"));
        let output = command.arg(&file).arg(server.url()).arg(mode).output().expect("run the client");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (printed, complaint) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{scenario} over {mode}:\n{printed}\n{complaint}\n{}", server.log());
        assert!(printed.contains("ok   "), "{scenario} over {mode} ran nothing");
    }

    fn installed(variable: &str) -> PathBuf {
        std::env::var_os(variable).map(PathBuf::from).unwrap_or_else(|| {
            panic!("{variable} is not set: run this with `cargo xtask test`, which installs the clients")
        })
    }

    #[test]
    fn javascript_polling() {
        check(&Server::start(&[]), "contract.mjs", "polling");
    }

    #[test]
    fn javascript_websocket() {
        check(&Server::start(&[]), "contract.mjs", "websocket");
    }

    #[test]
    fn javascript_upgrade() {
        check(&Server::start(&[]), "contract.mjs", "upgrade");
    }

    #[test]
    fn javascript_upgrade_on_postgres() {
        let database = PrivatePostgres::shared().url_for_new_database();
        check(&Server::start(&[("DATABASE_URL", &database)]), "contract.mjs", "upgrade");
    }

    #[test]
    fn javascript_expiry() {
        let server = Server::start(&[("MANGO_ACCESS_TTL", "2s")]);
        for mode in ["polling", "websocket"] {
            check(&server, "expiry.mjs", mode);
        }
    }

    #[test]
    fn python_polling() {
        check(&Server::start(&[]), "contract_test.py", "polling");
    }

    #[test]
    fn python_websocket() {
        check(&Server::start(&[]), "contract_test.py", "websocket");
    }

    #[test]
    fn python_upgrade_on_postgres() {
        let database = PrivatePostgres::shared().url_for_new_database();
        check(&Server::start(&[("DATABASE_URL", &database)]), "contract_test.py", "upgrade");
    }
}
