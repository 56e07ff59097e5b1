//! What people read of the results: tables and a chart for `docs/benchmarks.md`, and all figures as JSON beside it.

mod chart;
mod goals;
mod tables;

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::results::Results;

const BEGIN: &str = "<!-- What stands from here on was written by `cargo xtask bench`. -->";

/// The tables as Markdown.
pub fn markdown(results: &Results) -> String {
    [tables::all(results), goals::table(results)].join("\n")
}

/// Writes the figures into the folder of the documentation: the tables take the place of those of the run before.
///
/// # Errors
/// When a file cannot be read or written.
pub fn write(results: &Results, docs: &Path) -> Result<()> {
    let page = docs.join("benchmarks.md");
    let text = fs::read_to_string(&page).with_context(|| format!("cannot read {}", page.display()))?;
    let (prose, _) = text.split_once(BEGIN).context("benchmarks.md has no place for the tables")?;
    fs::create_dir_all(docs.join("benchmarks"))?;
    fs::write(docs.join("benchmarks/results.json"), serde_json::to_string_pretty(results)? + "\n")?;
    fs::write(docs.join("benchmarks/chart.svg"), chart::draw(results))?;
    fs::write(page, format!("{prose}{BEGIN}\n\n{}", markdown(results)))?;
    Ok(())
}
