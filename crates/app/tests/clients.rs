//! The official Socket.IO clients, for JavaScript and for Python, Swagger UI in a browser, and Schemathesis, against the real binary.
//!
//! `cargo xtask test` installs the clients and says where they are.
#![expect(clippy::expect_used, clippy::panic, reason = "a helper that fails should fail its test")]

mod support;

mod clients {
    mod nginx;

    use std::io::{BufRead as _, BufReader, Read as _};
    use std::path::{Path, PathBuf};
    use std::process::{Command, Stdio};

    use mango_testkit::PrivatePostgres;

    use self::nginx::Nginx;
    use super::support::Server;

    /// A scenario file, to be run against a server. `mode` is what the file takes for its second argument.
    fn scenario(url: &str, file: &str, mode: &str) -> Command {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(file);
        let mut command = match file.extension().and_then(|ending| ending.to_str()) {
            Some("py") => Command::new(installed("MANGO_TEST_PYTHON")),
            _ => Command::new("node"),
        };
        command.env("MANGO_TEST_NODE_MODULES", installed("MANGO_TEST_NODE_MODULES"));
        // The folder of the sources is no place for compiled ones.
        command.env("PYTHONDONTWRITEBYTECODE", "1").arg(&file).arg(url).arg(mode);
        command
    }

    /// Runs a scenario file against a server and shows what it printed when it fails.
    fn check(server: &Server, file: &str, mode: &str) {
        succeed(&mut scenario(server.url(), file, mode), || server.log());
    }

    /// Runs a scenario and shows what it printed when it fails, with what the server has logged.
    fn succeed(scenario: &mut Command, log: impl Fn() -> String) {
        let output = scenario.output().expect("run the client");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (printed, complaint) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{scenario:?}:\n{printed}\n{complaint}\n{}", log());
        assert!(printed.contains("ok   "), "{scenario:?} ran nothing");
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
    fn javascript_goes_on_polling_where_websockets_fail() {
        check(&Server::start(&[]), "proxies.mjs", "upgrade");
    }

    #[test]
    fn javascript_upgrade_on_postgres() {
        let database = PrivatePostgres::shared().url_for_new_database();
        check(&Server::start(&[("DATABASE_URL", &database)]), "contract.mjs", "upgrade");
    }

    #[test]
    fn javascript_client_of_the_page_catches_up_after_any_interruption() {
        let server = Server::start(&[]);
        for mode in ["polling", "websocket", "upgrade"] {
            check(&server, "delivery.mjs", mode);
        }
    }

    #[test]
    fn javascript_client_of_the_page_catches_up_on_postgres() {
        let database = PrivatePostgres::shared().url_for_new_database();
        check(&Server::start(&[("DATABASE_URL", &database)]), "delivery.mjs", "upgrade");
    }

    /// A server whose access tokens are good for two seconds.
    fn short_lived() -> Server {
        Server::start(&[("MANGO_ACCESS_TTL", "2s")])
    }

    #[test]
    fn javascript_expiry() {
        let server = short_lived();
        for mode in ["polling", "websocket", "upgrade"] {
            check(&server, "expiry.mjs", mode);
        }
    }

    #[test]
    fn javascript_client_of_the_page_gets_over_expired_tokens() {
        check(&short_lived(), "reconnect.mjs", "expiry");
    }

    /// Runs a scenario that says when the server is to be stopped and started again.
    fn check_restart(file: &str) {
        let data = tempfile::tempdir().expect("a folder");
        let data = data.path().to_str().expect("a path in UTF-8");
        let server = Server::start(&[("MANGO_DATA_DIR", data)]);
        let address = server.url().replace("http://", "");
        let mut client = scenario(server.url(), file, "restart").stdout(Stdio::piped()).spawn().expect("the client");
        let mut printed = BufReader::new(client.stdout.take().expect("its output"));
        let mut line = String::new();
        printed.read_line(&mut line).expect("a line");
        // It stops when it is dropped.
        drop(server);
        let server = Server::start(&[("MANGO_DATA_DIR", data), ("MANGO_BIND", &address)]);
        printed.read_to_string(&mut line).expect("the rest");
        assert!(client.wait().expect("its end").success(), "{line}\n{}", server.log());
        assert!(line.starts_with("restart\nok   "), "{line}");
    }

    #[test]
    fn javascript_client_of_the_page_gets_over_a_restart() {
        check_restart("reconnect.mjs");
    }

    #[test]
    fn python_gets_over_a_restart() {
        check_restart("restart_test.py");
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

    #[test]
    fn python_expiry() {
        let server = short_lived();
        for mode in ["polling", "websocket", "upgrade"] {
            check(&server, "expiry_test.py", mode);
        }
    }

    /// The example of a proxy does all that clients need of one, with both transports and the change from one to the other.
    #[test]
    fn nginx_as_in_the_example_serves_all_of_it() {
        let server = Server::start(&[("MANGO_TRUSTED_PROXIES", "127.0.0.1")]);
        let nginx = Nginx::before(&server);
        for (file, mode) in [
            ("contract.mjs", "polling"),
            ("contract.mjs", "websocket"),
            ("contract.mjs", "upgrade"),
            ("proxy.mjs", &nginx.clear_url()),
        ] {
            let mut scenario = scenario(&nginx.url(), file, mode);
            succeed(scenario.env("NODE_EXTRA_CA_CERTS", nginx.certificate()), || server.log() + &nginx.log());
        }
    }

    /// Every operation answers as its documentation says, whatever it is sent.
    #[test]
    fn schemathesis_finds_no_answer_that_is_not_documented() {
        check(&Server::start(&[]), "schema_test.py", "all");
    }

    #[test]
    fn chromium_logs_in_through_swagger() {
        installed("MANGO_TEST_CHROMIUM");
        check(&Server::start(&[]), "swagger.mjs", "chromium");
    }
}
