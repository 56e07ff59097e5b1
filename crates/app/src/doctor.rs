//! `mango doctor`: looks at everything that a server needs, changes nothing, and says what to do about what it finds.

mod checks;
mod keys;
mod report;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use crate::config::{DOTENV, Loaded, Settings};
use crate::run::runtime;

use self::report::{Finding, Report};

/// Makes all checks, one line each. The exit code is 1 when a server could not work.
///
/// # Errors
/// The report cannot be written.
pub fn run(out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let mut report = Report::new(out);
    match Settings::from_process() {
        Ok(Loaded { settings, warnings }) => {
            configuration(&mut report, &warnings)?;
            if let Some(finding) = checks::dotenv(Path::new(DOTENV)) {
                report.add("configuration", &finding)?;
            }
            let findings = runtime(&settings)?.block_on(checks::all(&settings));
            for (name, finding) in findings {
                report.add(name, &finding)?;
            }
        }
        Err(error) => {
            for problem in error.0 {
                report
                    .add("configuration", &Finding::fail(problem, "correct the value, or remove it for the default"))?;
            }
        }
    }
    Ok(if report.failed() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn configuration(report: &mut Report<'_>, warnings: &[String]) -> std::io::Result<()> {
    if warnings.is_empty() {
        report.add("configuration", &Finding::ok("every setting can be used"))?;
    }
    for warning in warnings {
        report.add("configuration", &Finding::warn(warning, "the server starts all the same"))?;
    }
    Ok(())
}
