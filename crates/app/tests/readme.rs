//! The tour of the README does what it says when it is pasted.
#![expect(clippy::expect_used, clippy::panic, reason = "a helper that fails should fail its test")]

mod support;

mod clients {
    use std::path::Path;
    use std::process::Command;

    use super::support::Server;

    const README: &str = include_str!("../../../README.md");
    const ADDRESS: &str = "http://127.0.0.1:5000";

    /// The first block of the README in a language, with the server's address for the one that the README names.
    fn block(language: &str, server: &Server) -> String {
        let fence = format!("```{language}\n");
        let (_, rest) = README.split_once(&fence).unwrap_or_else(|| panic!("the README has no {language}"));
        let code = rest.split("\n```").next().unwrap_or(rest);
        assert!(code.contains(ADDRESS), "the {language} of the README does not name the server");
        code.replace(ADDRESS, server.url())
    }

    fn output(command: &mut Command) -> String {
        let output = command.output().expect("run the example");
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{printed}\n{}", String::from_utf8_lossy(&output.stderr));
        printed
    }

    #[test]
    fn the_tour_works_when_pasted() {
        let server = Server::start(&[]);
        let printed = output(Command::new("bash").args(["-euo", "pipefail", "-c", &block("bash", &server)]));
        for expected in ["\"name\":\"Ada\"", "\"name\":\"Bob\"", "\"phone\":\"+31612345678\""] {
            assert!(printed.contains(expected), "curl did not print {expected}: {printed}");
        }

        let modules = std::env::var_os("MANGO_TEST_NODE_MODULES").expect("run this with `cargo xtask test`");
        let folder = tempfile::tempdir().expect("a folder");
        let link = folder.path().join("node_modules");
        std::os::unix::fs::symlink(Path::new(&modules).join("node_modules"), link).expect("link the modules");
        let tour = folder.path().join("tour.mjs");
        std::fs::write(&tour, block("js", &server)).expect("write the tour");
        let printed = output(Command::new("node").arg(&tour));
        assert!(printed.contains("Bob reads: Hello, Bob!"), "{printed}");
        assert!(printed.contains("Ada sees 1 like"), "{printed}");
    }
}
