//! `mango-bench` measures Mango beside its peers: the same clients do the same work on each server in turn, in one run on one machine.
//!
//! It is started by `cargo xtask bench`, which builds what it needs. `docs/benchmarks.md` tells what it does and what came of it.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool speaks by printing")]

mod photo;
mod process;
mod report;
mod results;
mod swarm;
mod targets;
mod workloads;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::Parser;

use crate::results::{Measurement, Results};
use crate::targets::{Kind, Programs, Target};
use crate::workloads::{Times, Workload};

/// How long the machine may come to rest between two measurements.
const REST: Duration = Duration::from_millis(500);

/// Measures Mango beside its peers.
#[derive(Parser)]
#[command(name = "mango-bench")]
struct Args {
    /// Mango's release binary
    #[arg(long)]
    mango: PathBuf,
    /// The folder of the Node server, with its packages installed
    #[arg(long)]
    peer: PathBuf,
    /// How often to measure everything
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// How many seconds to count in each measurement
    #[arg(long, default_value_t = 6)]
    seconds: u64,
    /// How many seconds to leave ten thousand sockets alone
    #[arg(long, default_value_t = 30)]
    idle_seconds: u64,
    /// Which servers, all by default
    #[arg(long, value_enum, value_delimiter = ',')]
    targets: Vec<Kind>,
    /// Which workloads, all by default: a, b, c, d, a-paced, …, storm, idle, history, login, sign-up
    #[arg(long, value_delimiter = ',')]
    workloads: Vec<String>,
    /// The folder of the documentation, to write the results into; without it they are only printed
    #[arg(long)]
    docs: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<()> {
    let programs = Programs {
        mango: fs::canonicalize(&args.mango).context("there is no Mango to measure")?,
        peer: fs::canonicalize(&args.peer).context("there is no Node server to measure")?,
    };
    let kinds = if args.targets.is_empty() { Kind::ALL.to_vec() } else { args.targets.clone() };
    let workloads = chosen(&args.workloads)?;
    let photo = photo::photo()?;
    let mut targets = Vec::new();
    for kind in kinds {
        eprintln!("preparing {}", kind.name());
        targets.push(Target::prepare(kind, &programs)?);
    }
    let times = Times {
        warm_up: Duration::from_secs(2),
        counted: Duration::from_secs(args.seconds),
        idle: Duration::from_secs(args.idle_seconds),
    };
    let mut results = Results {
        date: chrono::Utc::now().format("%Y-%m-%d").to_string(),
        machine: machine(),
        seconds: args.seconds,
        rounds: args.rounds,
        measurements: Vec::new(),
    };
    for round in 1..=args.rounds {
        for workload in &workloads {
            for target in targets.iter().filter(|target| workload.suits(target)) {
                thread::sleep(REST);
                let (name, work) = (target.kind.name(), workload.name());
                let measured = workload.measure(target, times, &photo);
                let figures = measured.with_context(|| format!("round {round}, {work} on {name}"))?;
                let said = figures.iter().map(|(name, value)| format!("{name} {value:.2}"));
                eprintln!("round {round} {work} on {name}: {}", said.collect::<Vec<_>>().join(", "));
                let (target, workload) = (name.to_owned(), work);
                results.measurements.push(Measurement { target, workload, round, figures });
            }
        }
    }
    println!("{}", report::markdown(&results));
    if let Some(docs) = &args.docs {
        report::write(&results, docs)?;
    }
    let (lost, twice) = (results.total("lost"), results.total("duplicates"));
    if lost + twice > 0.0 {
        bail!("{lost} deliveries were lost and {twice} came twice");
    }
    Ok(())
}

fn chosen(names: &[String]) -> Result<Vec<Workload>> {
    let all = Workload::all();
    if let Some(unknown) = names.iter().find(|name| all.iter().all(|workload| workload.name() != **name)) {
        let known: Vec<_> = all.iter().map(|workload| workload.name()).collect();
        bail!("there is no workload {unknown}; there are {}", known.join(", "));
    }
    Ok(all.into_iter().filter(|workload| names.is_empty() || names.contains(&workload.name())).collect())
}

/// The processor and how much of it there is.
fn machine() -> String {
    let cores = thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ").map(|(_, name)| name));
    format!(
        "on {cores} cores of {}, shared by server, database and load",
        model.unwrap_or("an unknown processor").trim()
    )
}
