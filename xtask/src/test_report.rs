//! Reads the output of `cargo test` line by line and counts: what passed, what failed, what was tested.

/// Something that tests run against. An integration test counts for it when its file and path hold all the words.
pub(crate) struct Subject {
    /// Its name for people.
    pub name: &'static str,
    words: &'static [&'static str],
    /// Passed tests.
    pub passed: u64,
}

/// The sums over all test programs of a run.
pub(crate) struct Report {
    /// Tests that passed.
    pub passed: u64,
    /// Tests that failed.
    pub failed: u64,
    /// Tests that are marked to be ignored. There should be none.
    pub ignored: u64,
    /// The stores that the contract suite ran on.
    pub backends: [Subject; 3],
    /// The official Socket.IO clients, the browser that shows the documentation, what tries every operation in it, and the proxy.
    pub clients: [Subject; 5],
    /// The file of the integration tests that are running.
    running: Option<String>,
}

impl Report {
    /// Nothing has run yet.
    pub(crate) fn new() -> Self {
        let subject = |name, words| Subject { name, words, passed: 0 };
        Self {
            passed: 0,
            failed: 0,
            ignored: 0,
            backends: [
                subject("memory", &["memory"]),
                subject("SQLite", &["sqlite"]),
                subject("PostgreSQL", &["postgres"]),
            ],
            clients: [
                subject("socket.io-client", &["clients", "javascript"]),
                subject("python-socketio", &["clients", "python"]),
                subject("Chromium", &["clients", "chromium"]),
                subject("schemathesis", &["clients", "schemathesis"]),
                subject("nginx", &["clients", "nginx"]),
            ],
            running: None,
        }
    }

    /// Takes one line of what cargo and the test programs print, with or without colours.
    pub(crate) fn read_line(&mut self, line: &str) {
        let line = without_colors(line);
        let line = line.trim();
        if let Some(at) = line.find("test result: ") {
            let result = line.get(at..).unwrap_or_default();
            self.passed += count_before(result, "passed");
            self.failed += count_before(result, "failed");
            self.ignored += count_before(result, "ignored");
        } else if let Some(program) = line.strip_prefix("Running ") {
            self.running =
                program.starts_with("tests/").then(|| program.split(" (").next().unwrap_or(program).to_owned());
        } else if line.starts_with("Doc-tests ") {
            self.running = None;
        } else if let Some(test) = line.strip_prefix("test ").and_then(|rest| rest.strip_suffix(" ... ok")) {
            let Some(file) = &self.running else { return };
            for subject in self.backends.iter_mut().chain(&mut self.clients) {
                let holds = |word: &&str| file.contains(*word) || test.contains(*word);
                subject.passed += u64::from(subject.words.iter().all(holds));
            }
        }
    }
}

/// The number before a word of a result line such as `ok. 3 passed; 0 failed; 1 ignored`.
fn count_before(result: &str, word: &str) -> u64 {
    let part = result.split([';', '.']).find_map(|part| part.trim().strip_suffix(word));
    part.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
}

/// Drops ANSI escape sequences, which end with a letter.
fn without_colors(line: &str) -> String {
    let mut pieces = line.split('\u{1b}');
    let mut plain = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let end = piece.find(|c: char| c.is_ascii_alphabetic());
        plain.push_str(end.and_then(|end| piece.get(end + 1..)).unwrap_or_default());
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(lines: &[&str]) -> Report {
        let mut report = Report::new();
        lines.iter().for_each(|line| report.read_line(line));
        report
    }

    #[test]
    fn sums_over_all_test_programs() {
        let report = report(&[
            "running 3 tests",
            "test a ... ok",
            "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 2 filtered out; finished in 0.12s",
            "test result: FAILED. 40 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out; finished in 1.00s",
        ]);
        assert_eq!((report.passed, report.failed, report.ignored), (43, 2, 1));
    }

    #[test]
    fn reads_colored_lines() {
        let report = report(&[
            "\u{1b}[1m\u{1b}[92m     Running\u{1b}[0m tests/contract.rs (target/debug/deps/contract-0)",
            "test sqlite::users ... \u{1b}[32mok\u{1b}(B\u{1b}[m",
            "test result: \u{1b}[31mFAILED\u{1b}[0m. 1 passed; 5 failed; 0 ignored; 0 measured; 0 filtered out",
        ]);
        assert_eq!((report.passed, report.failed), (1, 5));
        assert_eq!(report.backends.map(|backend| backend.passed), [0, 1, 0]);
    }

    #[test]
    fn finds_a_result_behind_output_without_a_line_end() {
        assert_eq!(report(&["half a line test result: ok. 7 passed; 0 failed; 0 ignored"]).passed, 7);
    }

    #[test]
    fn counts_passed_integration_tests_by_file_and_path() {
        let report = report(&[
            "     Running unittests src/lib.rs (target/debug/deps/persistence-0)",
            "test postgres::url::is_parsed ... ok",
            "     Running tests/contract.rs (target/debug/deps/contract-0)",
            "test postgres::users::create ... ok",
            "test postgres::chats::create ... FAILED",
            "     Running tests/memory.rs (target/debug/deps/memory-0)",
            "test users::create ... ok",
            "     Running tests/clients.rs (target/debug/deps/clients-0)",
            "test clients::javascript_upgrade ... ok",
            "test clients::python_upgrade_on_postgres ... ok",
            "test clients::python_expiry - should panic ... ok",
            "test clients::chromium_logs_in_through_swagger ... ok",
            "test clients::schemathesis_finds_nothing ... ok",
            "test clients::nginx_as_in_the_example ... ok",
            "   Doc-tests persistence",
            "test src/sqlite.rs - open (line 3) ... ok",
        ]);
        assert_eq!(report.backends.map(|backend| backend.passed), [1, 0, 2]);
        assert_eq!(report.clients.map(|client| client.passed), [1, 2, 1, 1, 1]);
    }
}
