//! The tour of the README does what it says when it is pasted.
#![expect(clippy::expect_used, clippy::panic, reason = "a helper that fails should fail its test")]

mod support;

mod clients {
    use std::path::Path;
    use std::process::Command;

    use super::support::Server;

    const README: &str = include_str!("../../../README.md");
    const ADDRESS: &str = "http://127.0.0.1:5000";

    /// A block of the README in a language, with the server's address for the one that the README names.
    fn block(language: &str, number: usize, server: &Server) -> String {
        let fence = format!("```{language}\n");
        let rest = README.split(&fence).nth(number).unwrap_or_else(|| panic!("the README lacks {language} {number}"));
        let code = rest.split("\n```").next().unwrap_or(rest);
        assert!(code.contains(ADDRESS), "the {language} of the README does not name the server");
        code.replace(ADDRESS, server.url())
    }

    /// A grey PNG of two by two pixels, in base64 of more than one line.
    const PICTURE: &str =
        "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAAAAABX3VL4AAAADklEQVR4nGNomMCwYAMABrYCYTBGkIoAAAAASUVORK5CYII=";

    fn output(command: &mut Command) -> String {
        let output = command.output().expect("run the example");
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{printed}\n{}", String::from_utf8_lossy(&output.stderr));
        printed
    }

    #[test]
    fn the_tour_works_when_pasted() {
        let server = Server::start(&[]);
        let paste = |number| {
            let mut bash = Command::new("bash");
            bash.args(["-euo", "pipefail", "-c", &block("bash", number, &server)]);
            bash
        };
        let printed = output(&mut paste(1));
        for expected in ["\"name\":\"Ada\"", "\"name\":\"Bob\"", "\"phone\":\"+31612345678\""] {
            assert!(printed.contains(expected), "curl did not print {expected}: {printed}");
        }

        let pictures = tempfile::tempdir().expect("a folder");
        let write = format!("echo {PICTURE} | base64 -d > cat.jpg");
        output(Command::new("bash").args(["-c", &write]).current_dir(&pictures));
        let printed = output(paste(2).current_dir(&pictures));
        let photo = printed.split_once("\"photo\":\"").and_then(|(_, rest)| rest.split('"').next());
        assert!(photo.is_some_and(|name| name.len() == 32), "{printed}");

        let modules = std::env::var_os("MANGO_TEST_NODE_MODULES").expect("run this with `cargo xtask test`");
        let folder = tempfile::tempdir().expect("a folder");
        let link = folder.path().join("node_modules");
        std::os::unix::fs::symlink(Path::new(&modules).join("node_modules"), link).expect("link the modules");
        let tour = folder.path().join("tour.mjs");
        std::fs::write(&tour, block("js", 1, &server)).expect("write the tour");
        let printed = output(Command::new("node").arg(&tour));
        assert!(printed.contains("Bob reads: Hello, Bob!"), "{printed}");
        assert!(printed.contains("Ada sees 1 like"), "{printed}");
    }
}

/// The password that PostgreSQL keeps is the one that was made at first, however often the lines are pasted.
#[test]
fn the_lines_for_docker_keep_the_password_that_there_is() {
    let lines = include_str!("../../../README.md").split_once("## Docker\n").expect("a chapter").1;
    let lines: Vec<_> = lines.lines().skip_while(|line| line.is_empty()).take_while(|line| !line.is_empty()).collect();
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("docker")).expect("a folder");
    let passwords = [(); 2].map(|()| {
        let script = format!("docker() {{ echo \"would run $*\"; }}\n{}", lines.join("\n"));
        let mut bash = std::process::Command::new("bash");
        let output = bash.args(["-euo", "pipefail", "-c", &script]).current_dir(&folder).output().expect("bash");
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "would run compose up --build", "{output:?}");
        std::fs::read_to_string(folder.path().join("docker/.env")).expect("the password")
    });
    assert_eq!(passwords[0].trim_end().len(), "POSTGRES_PASSWORD=".len() + 48, "{passwords:?}");
    assert_eq!(passwords[0], passwords[1]);
}
