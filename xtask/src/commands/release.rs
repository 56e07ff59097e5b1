//! `cargo xtask release`: the release binary, how long it took and how large it is, packed with a checksum.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Context, Result};

use crate::shell;
use crate::workspace::Workspace;

/// Arguments of `cargo xtask release`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Build everything from nothing, to know how long that takes
    #[arg(long)]
    clean: bool,
}

/// What a person needs besides the binary.
const COMPANIONS: [&str; 4] = ["README.md", "CHANGELOG.md", "LICENSE", ".env.example"];

/// Builds and packs into the folder `dist` of the build folder.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let workspace = Workspace::locate()?;
    let build = if args.clean { workspace.target.join("clean-release") } else { workspace.target.clone() };
    if args.clean && build.exists() {
        fs::remove_dir_all(&build)?;
    }
    let started = Instant::now();
    let mut cargo = shell::cargo(&workspace.root, ["build", "--release", "--locked", "--package", "mango"]);
    shell::run(cargo.env("CARGO_TARGET_DIR", &build))?;
    let seconds = started.elapsed().as_secs();

    let file = format!("mango{}", std::env::consts::EXE_SUFFIX);
    let binary = build.join("release").join(&file);
    let archive = pack(&workspace, &binary, &file)?;
    println!("build: {} min {} s{}", seconds / 60, seconds % 60, if args.clean { ", from nothing" } else { "" });
    println!("binary: {}", size_of(&binary)?);
    println!("archive: {}, {}", size_of(&archive)?, archive.display());
    if args.clean {
        fs::remove_dir_all(&build)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Makes `dist/mango-<version>-<host>.tar.gz` and its checksum, in the form that `sha256sum --check` reads.
fn pack(workspace: &Workspace, binary: &Path, file: &str) -> Result<PathBuf> {
    let name = format!("mango-{}-{}-{}", env!("CARGO_PKG_VERSION"), std::env::consts::OS, std::env::consts::ARCH);
    let dist = workspace.target.join("dist");
    let folder = dist.join(&name);
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    fs::copy(binary, folder.join(file)).with_context(|| format!("cannot copy {}", binary.display()))?;
    for companion in COMPANIONS {
        let found = fs::copy(workspace.root.join(companion), folder.join(companion));
        found.with_context(|| format!("cannot copy {companion}"))?;
    }
    let archive = format!("{name}.tar.gz");
    shell::run(Command::new("tar").current_dir(&dist).args(["-czf", &archive, &name]))?;
    fs::remove_dir_all(&folder)?;
    let sums = [["sha256sum", "--"], ["shasum", "-a256"]]
        .map(|[program, option]| shell::ask(Command::new(program).current_dir(&dist).args([option, &archive])));
    let sum = sums.into_iter().flatten().next().context("neither sha256sum nor shasum works")?;
    fs::write(dist.join(format!("{archive}.sha256")), format!("{sum}\n"))?;
    println!("{sum}");
    Ok(dist.join(archive))
}

/// The size of a file for people, in mebibytes with one decimal.
fn size_of(path: &Path) -> Result<String> {
    let tenths = fs::metadata(path)?.len() * 10 / (1 << 20);
    Ok(format!("{}.{} MiB", tenths / 10, tenths % 10))
}
