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
    shell::run(&mut cargo_build(&workspace, &build))?;
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

fn cargo_build(workspace: &Workspace, target: &Path) -> Command {
    let mut cargo = shell::cargo(&workspace.root, ["build", "--release", "--locked", "--package", "mango"]);
    cargo.env("CARGO_TARGET_DIR", target);
    cargo
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_builds_what_is_locked_into_the_folder_that_it_packs_from() {
        let workspace = Workspace { root: "checkout".into(), target: "built".into() };
        let cargo = cargo_build(&workspace, Path::new("built/clean-release"));
        let words: Vec<_> = cargo.get_args().collect();
        assert_eq!(words, ["build", "--release", "--locked", "--package", "mango"]);
        assert_eq!(cargo.get_current_dir(), Some(Path::new("checkout")));
        let target = cargo.get_envs().find(|(name, _)| *name == "CARGO_TARGET_DIR").and_then(|(_, value)| value);
        assert_eq!(target, Some("built/clean-release".as_ref()));
    }

    #[test]
    fn the_archive_holds_the_binary_and_what_goes_with_it_and_matches_its_checksum() {
        let folder = tempfile::tempdir().unwrap();
        let workspace = Workspace { root: folder.path().join("checkout"), target: folder.path().join("target") };
        fs::create_dir(&workspace.root).unwrap();
        let binary = folder.path().join("built");
        fs::write(&binary, vec![7; 3 << 19]).unwrap();
        assert_eq!(size_of(&binary).unwrap(), "1.5 MiB");
        assert!(pack(&workspace, &binary, "mango").is_err(), "the companions are missing");

        for companion in COMPANIONS {
            fs::write(workspace.root.join(companion), companion).unwrap();
        }
        // The second time finds what the first has left.
        pack(&workspace, &binary, "mango").unwrap();
        let archive = pack(&workspace, &binary, "mango").unwrap();
        let dist = archive.parent().unwrap();
        let name = archive.file_name().unwrap().to_str().unwrap();
        let stem = name.strip_suffix(".tar.gz").unwrap();
        assert!(stem.starts_with(concat!("mango-", env!("CARGO_PKG_VERSION"), "-")), "{stem}");
        shell::run(Command::new("tar").current_dir(folder.path()).arg("-xzf").arg(&archive)).unwrap();
        let unpacked = folder.path().join(stem);
        assert_eq!(fs::read(unpacked.join("mango")).unwrap(), fs::read(&binary).unwrap());
        for companion in COMPANIONS {
            assert_eq!(fs::read_to_string(unpacked.join(companion)).unwrap(), companion);
        }
        assert_eq!(fs::read_dir(&unpacked).unwrap().count(), COMPANIONS.len() + 1);

        let sum = fs::read_to_string(dist.join(format!("{name}.sha256"))).unwrap();
        assert!(sum.len() > 64 && sum.trim_end().ends_with(&format!(" {name}")), "{sum}");
        assert_eq!(fs::read_dir(dist).unwrap().count(), 2, "the archive and its checksum");
        let checked = ["sha256sum", "shasum"]
            .map(|program| shell::ask(Command::new(program).current_dir(dist).args(["-c", &format!("{name}.sha256")])));
        assert_eq!(checked.into_iter().flatten().next(), Some(format!("{name}: OK")));
    }
}
