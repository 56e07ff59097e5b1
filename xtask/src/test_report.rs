//! Reads the output of `cargo test` line by line and counts: what passed, what failed, what was tested.

/// Something outside of the code that tests run against. A test counts for it when its path holds all the words.
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
    /// The official Socket.IO clients.
    pub clients: [Subject; 2],
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
                subject("socket.io-client", &["clients", "node"]),
                subject("python-socketio", &["clients", "python"]),
            ],
        }
    }

    /// Takes one line of output, with or without colours.
    pub(crate) fn read_line(&mut self, line: &str) {
        let line = without_colors(line);
        if let Some(at) = line.find("test result: ") {
            let result = line.get(at..).unwrap_or_default();
            self.passed += count_before(result, "passed");
            self.failed += count_before(result, "failed");
            self.ignored += count_before(result, "ignored");
        } else if let Some(test) = line.trim().strip_prefix("test ").and_then(|rest| rest.strip_suffix(" ... ok")) {
            for subject in self.backends.iter_mut().chain(&mut self.clients) {
                subject.passed += u64::from(subject.words.iter().all(|word| test.contains(word)));
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
            "test contract::sqlite::users ... \u{1b}[32mok\u{1b}(B\u{1b}[m",
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
    fn counts_only_passed_tests_of_a_subject() {
        let report = report(&[
            "test memory::users::create ... ok",
            "test postgres::users::create ... ok",
            "test postgres::chats::create ... FAILED",
            "test clients::node_upgrade ... ok",
            "test clients::python::polling ... ok",
            "test clients::python::expiry - should panic ... ok",
            "test nodes::postgresql_like ... ok",
        ]);
        assert_eq!(report.backends.map(|backend| backend.passed), [1, 0, 2]);
        assert_eq!(report.clients.map(|client| client.passed), [1, 2]);
    }
}
