//! What the doctor says.

use std::io::{self, Write};

/// The outcome of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    severity: Severity,
    text: String,
    /// What to do about it; empty when all is well.
    remedy: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Severity {
    Ok,
    Warn,
    Fail,
}

impl Finding {
    pub(super) fn ok(text: impl Into<String>) -> Self {
        Self { severity: Severity::Ok, text: text.into(), remedy: String::new() }
    }

    /// The server works, and something should be done.
    pub(super) fn warn(text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { severity: Severity::Warn, text: text.into(), remedy: remedy.into() }
    }

    /// The server does not work.
    pub(super) fn fail(text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { severity: Severity::Fail, text: text.into(), remedy: remedy.into() }
    }

    /// The server does not work, for this reason, which may say already what to do about it.
    pub(super) fn fail_for(reason: impl Into<String>, remedy: &str) -> Self {
        let text = reason.into();
        let remedy = if text.contains("; ") { "" } else { remedy };
        Self::fail(text, remedy)
    }
}

/// Writes findings as they come, and remembers whether one was a failure.
pub(super) struct Report<'w> {
    out: &'w mut dyn Write,
    failed: bool,
}

impl<'w> Report<'w> {
    pub(super) fn new(out: &'w mut dyn Write) -> Self {
        Self { out, failed: false }
    }

    pub(super) fn add(&mut self, name: &str, finding: &Finding) -> io::Result<()> {
        let Finding { severity, text, remedy } = finding;
        let word = match severity {
            Severity::Ok => "ok  ",
            Severity::Warn => "warn",
            Severity::Fail => "FAIL",
        };
        self.failed |= *severity == Severity::Fail;
        // One line each, whatever a database or an operating system puts into its messages.
        let line = if remedy.is_empty() { text.clone() } else { format!("{text}; {remedy}") };
        let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
        writeln!(self.out, "{word}  {name:<13}  {line}")
    }

    pub(super) fn failed(&self) -> bool {
        self.failed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(findings: &[Finding], text: &str, failed: bool) {
        let mut out = Vec::new();
        let mut report = Report::new(&mut out);
        for finding in findings {
            report.add("clock", finding).unwrap();
        }
        assert_eq!(report.failed(), failed);
        assert_eq!(String::from_utf8(out).unwrap(), text);
    }

    #[test]
    fn a_finding_is_a_line_and_a_failure_is_remembered() {
        let (ok, warn) = (Finding::ok("fine"), Finding::warn("late", "set it"));
        check(&[ok.clone(), warn.clone()], "ok    clock          fine\nwarn  clock          late; set it\n", false);
        let fail = Finding::fail("two\nlines", "set it");
        check(&[fail, ok], "FAIL  clock          two lines; set it\nok    clock          fine\n", true);
    }
}
