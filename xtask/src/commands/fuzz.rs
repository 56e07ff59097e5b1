//! `cargo xtask fuzz`: the readers of what strangers send, fed with what a fuzzer thinks up.

use std::env::consts::EXE_SUFFIX;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

use crate::shell;
use crate::workspace::Workspace;

/// Has the compiler mark branches and comparisons as libFuzzer wants them: the flags of `-fsanitize=fuzzer` of clang, which a stable
/// compiler takes one by one.
const MARKS: &str = "--cfg fuzzing -Ccodegen-units=1 -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
                     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
                     -Cllvm-args=-sanitizer-coverage-trace-compares";

/// What libFuzzer is told: no input that takes longer than 20 s or more than 2 GiB is fine, and none has more than 64 KiB.
const RULES: [&str; 4] = ["-timeout=20", "-rss_limit_mb=2048", "-max_len=65536", "-print_final_stats=1"];

/// Arguments of `cargo xtask fuzz`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// How long to fuzz each target
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// Which targets, all by default: the names of the files in fuzz/targets
    #[arg(long, value_delimiter = ',')]
    targets: Vec<String>,
}

/// Builds the targets and runs one after the other, each from its seeds and from what earlier runs have found.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let workspace = Workspace::locate()?;
    let fuzz = workspace.root.join("fuzz");
    let targets = chosen(&all(&fuzz)?, &args.targets)?;
    let host = host()?;
    let build = workspace.target.join("fuzz");
    // With a target named, build scripts and macros go without the marks.
    let words = ["build", "--release", "--locked", "--target", &host];
    shell::run(shell::cargo(&fuzz, words).env("CARGO_TARGET_DIR", &build).env("RUSTFLAGS", MARKS))?;
    let mut crashed = Vec::new();
    for target in targets {
        let program = build.join(&host).join("release").join(format!("{target}{EXE_SUFFIX}"));
        if !fuzzes(&program, &fuzz.join("seeds").join(&target), &build.join("found").join(&target), args.seconds)? {
            crashed.push(target);
        }
    }
    if crashed.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    println!(
        "{} crashed. Put the input that libFuzzer has named into fuzz/seeds, make a test of it, and mend what it shows.",
        crashed.join(", ")
    );
    Ok(ExitCode::FAILURE)
}

/// Runs a target for a time; whether nothing crashed. What it finds is kept for the next run.
fn fuzzes(program: &Path, seeds: &Path, found: &Path, seconds: u32) -> Result<bool> {
    fs::create_dir_all(found).with_context(|| format!("cannot make the folder {}", found.display()))?;
    let mut artifacts = OsString::from("-artifact_prefix=");
    artifacts.push(found.with_extension("crash-"));
    let mut fuzzer = Command::new(program);
    fuzzer.arg(format!("-max_total_time={seconds}")).args(RULES).arg(artifacts).arg(found).arg(seeds);
    shell::succeeds(&mut fuzzer)
}

/// The names of the targets, each of which has a file.
fn all(fuzz: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(fuzz.join("targets"))? {
        let path = entry?.path();
        names.extend(path.file_stem().map(|name| name.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}

fn chosen(all: &[String], wanted: &[String]) -> Result<Vec<String>> {
    if let Some(unknown) = wanted.iter().find(|name| !all.contains(name)) {
        bail!("there is no target {unknown}; there are {}", all.join(", "));
    }
    let is_wanted = |name: &&String| wanted.is_empty() || wanted.contains(name);
    Ok(all.iter().filter(is_wanted).cloned().collect())
}

/// The platform that programs are built for by default.
fn host() -> Result<String> {
    let said = shell::ask(Command::new("rustc").arg("-vV")).context("rustc does not say what it builds for")?;
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc does not say what it builds for")?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_all_or_those_that_are_named() {
        let all = ["events", "tokens"].map(str::to_owned);
        assert_eq!(chosen(&all, &[]).unwrap(), all);
        assert_eq!(chosen(&all, &all[1..]).unwrap(), all[1..]);
        let error = chosen(&all, &["evnts".to_owned()]).unwrap_err();
        assert_eq!(error.to_string(), "there is no target evnts; there are events, tokens");
    }

    #[test]
    fn every_target_has_seeds_and_a_place_in_the_manifest() {
        let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz");
        let manifest = fs::read_to_string(fuzz.join("Cargo.toml")).unwrap();
        let targets = all(&fuzz).unwrap();
        assert!(!targets.is_empty());
        for target in targets {
            assert!(manifest.contains(&format!("name = \"{target}\"")), "{target}");
            assert!(fs::read_dir(fuzz.join("seeds").join(&target)).unwrap().count() > 0, "{target}");
        }
    }
}
