//! `mango migrate`: applies migrations, or undoes them for whoever means it.

use std::io::{self, BufRead, IsTerminal, Write};
use std::process::ExitCode;

use anyhow::bail;
use mango_persistence::Database;

use crate::config::Settings;
use crate::lock::Lock;
use crate::run::open;

/// Applies the migrations that the database lacks.
///
/// # Errors
/// The database cannot be reached, or a migration fails.
pub async fn up(settings: &Settings) -> anyhow::Result<ExitCode> {
    let database = open(settings).await?;
    let applied = database.migrate().await?;
    finish("applied", &applied, &database).await
}

/// Undoes the newest migrations, with the data that they added: not under a server that works with it, and not without being told to
/// by somebody who knows.
///
/// # Errors
/// A server has the database, a newer version has migrated it, nobody says yes, the database cannot be reached, or a migration fails.
pub async fn down(settings: &Settings, count: u32, yes: bool) -> anyhow::Result<ExitCode> {
    let database = open(settings).await?;
    let _lock = Lock::take(&database).await?;
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let status = database.migration_status().await?;
    if let Some(reason) = status.too_new() {
        bail!("cannot migrate the database {}: {reason}", database.url());
    }
    let doomed: Vec<String> = status.applied.into_iter().rev().take(count).collect();
    if !doomed.is_empty() && !yes {
        let loss = loss(&doomed, &database.url().to_string());
        confirm(&loss, io::stdin().is_terminal(), &mut io::stdin().lock(), &mut io::stderr())?;
    }
    let mut undone = Vec::new();
    for _ in &doomed {
        let Some(version) = database.revert_last_migration().await? else { break };
        undone.push(version);
    }
    finish("undone", &undone, &database).await
}

/// What it means to undo these migrations of a database.
fn loss(doomed: &[String], database: &str) -> String {
    let (what, needed) = match doomed {
        [one] => (format!("migration {one}"), "it"),
        several => (format!("{} migrations, {}", several.len(), several.join(", ")), "them"),
    };
    format!("to undo {what} of {database} loses all data that needs {needed}")
}

/// Asks whoever sits at the terminal; where nobody does, only `--yes` will do.
fn confirm(loss: &str, on_a_terminal: bool, answers: &mut dyn BufRead, out: &mut dyn Write) -> anyhow::Result<()> {
    if !on_a_terminal {
        bail!("{loss}; make a backup, and add --yes if that is what you want");
    }
    write!(out, "mango: {loss}; is there a backup?\nmango: type yes to go on: ")?;
    out.flush()?;
    let mut answer = String::new();
    answers.read_line(&mut answer)?;
    if answer.trim() != "yes" {
        bail!("nothing was undone");
    }
    Ok(())
}

/// Says what was done, and leaves.
async fn finish(done: &str, versions: &[String], database: &Database) -> anyhow::Result<ExitCode> {
    let mut out = io::stdout().lock();
    for version in versions {
        writeln!(out, "{done} {version}")?;
    }
    if versions.is_empty() {
        writeln!(out, "nothing to do on {}", database.url())?;
    }
    drop(out);
    database.close().await;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(on_a_terminal: bool, answer: &str, refusal: Option<&str>) {
        let loss = loss(&["1".to_owned(), "2".to_owned()], "sqlite:mango.db");
        let mut asked = Vec::new();
        let said = confirm(&loss, on_a_terminal, &mut answer.as_bytes(), &mut asked);
        let said = said.err().map(|error| error.to_string());
        assert_eq!(said.is_some(), refusal.is_some(), "{answer:?}");
        assert!(said.unwrap_or_default().contains(refusal.unwrap_or_default()), "{answer:?}");
        assert_eq!(String::from_utf8(asked).unwrap().contains("2 migrations, 1, 2 of sqlite:mango.db"), on_a_terminal);
    }

    #[test]
    fn only_a_plain_yes_will_do() {
        check(true, "yes\n", None);
        for answer in ["", "\n", "y\n", "no\n", "yes please\n"] {
            check(true, answer, Some("nothing was undone"));
        }
    }

    #[test]
    fn nobody_is_asked_where_nobody_is() {
        check(false, "yes\n", Some("--yes"));
    }
}
