//! What the tests need from the machine: PostgreSQL's programs, Node.js with npm, Python with venv, Chromium, sqlite3, nginx.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use crate::shell;

/// What was found, by what it answered.
pub(crate) struct Found {
    /// For example `16.4`.
    pub postgres: String,
    /// For example `v20.20.2`.
    pub node: String,
    /// For example `3.11.7`.
    pub python: String,
    /// The browser that can be driven without a window.
    pub chromium: Chromium,
    /// The reverse proxy that the example of the documentation is run with.
    pub nginx: Nginx,
}

/// nginx.
pub(crate) struct Nginx {
    /// The program.
    pub program: PathBuf,
    /// For example `1.22.1`.
    pub version: String,
}

/// Chromium, or a browser that is made of it.
pub(crate) struct Chromium {
    /// The program.
    pub program: PathBuf,
    /// For example `150.0.7871.100`.
    pub version: String,
}

/// Finds everything; as root on Debian it installs what is missing, elsewhere the error names the command that does.
pub(crate) fn require() -> Result<Found> {
    if missing().is_empty() {
        return found();
    }
    if shell::find_in_path("apt-get").is_some() && is_root() {
        let packages: Vec<_> = missing().iter().flat_map(|need| need.packages.apt.split(' ')).collect();
        eprintln!("installing what the tests need: {}", packages.join(" "));
        shell::run(&mut apt_get(&["update", "--quiet"]))?;
        shell::run(apt_get(&["install", "--yes", "--quiet", "--no-install-recommends"]).args(packages))?;
    }
    found()
}

struct Need {
    name: &'static str,
    version: fn() -> Option<String>,
    packages: Packages,
}

/// The package names by package manager.
struct Packages {
    apt: &'static str,
    dnf: &'static str,
    pacman: &'static str,
    apk: &'static str,
    brew: &'static str,
}

/// A package manager, by the program that is in `PATH`.
struct Manager {
    program: &'static str,
    install: &'static str,
    package: fn(&Packages) -> &'static str,
}

const MANAGERS: [Manager; 5] = [
    Manager { program: "apt-get", install: "sudo apt-get install --yes", package: |packages| packages.apt },
    Manager { program: "dnf", install: "sudo dnf install --assumeyes", package: |packages| packages.dnf },
    Manager { program: "pacman", install: "sudo pacman -S --needed", package: |packages| packages.pacman },
    Manager { program: "apk", install: "sudo apk add", package: |packages| packages.apk },
    Manager { program: "brew", install: "brew install", package: |packages| packages.brew },
];

const POSTGRES: Need = Need {
    name: "PostgreSQL (initdb, postgres)",
    version: postgres_version,
    packages: Packages {
        apt: "postgresql",
        dnf: "postgresql-server",
        pacman: "postgresql",
        apk: "postgresql",
        brew: "postgresql",
    },
};
const NODE: Need = Need {
    name: "Node.js 18 or newer",
    version: node_version,
    packages: Packages { apt: "nodejs", dnf: "nodejs", pacman: "nodejs", apk: "nodejs", brew: "node" },
};
const NPM: Need = Need {
    name: "npm",
    version: || shell::ask(Command::new("npm").arg("--version")),
    packages: Packages { apt: "npm", dnf: "nodejs-npm", pacman: "npm", apk: "npm", brew: "node" },
};
const PYTHON: Need = Need {
    name: "Python 3.11 or newer with venv",
    version: python_version,
    packages: Packages {
        apt: "python3 python3-venv",
        dnf: "python3",
        pacman: "python",
        apk: "python3",
        brew: "python3",
    },
};
const CHROMIUM: Need = Need {
    name: "Chromium",
    version: || chromium().map(|found| found.version),
    packages: Packages {
        apt: "chromium-headless-shell",
        dnf: "chromium",
        pacman: "chromium",
        apk: "chromium",
        brew: "chromium",
    },
};

const SQLITE: Need = Need {
    name: "sqlite3",
    version: || shell::ask(Command::new("sqlite3").arg("--version")),
    packages: Packages { apt: "sqlite3", dnf: "sqlite", pacman: "sqlite", apk: "sqlite", brew: "sqlite" },
};

const NGINX: Need = Need {
    name: "nginx",
    version: || nginx().map(|found| found.version),
    packages: Packages { apt: "nginx-light", dnf: "nginx", pacman: "nginx", apk: "nginx", brew: "nginx" },
};

/// The names that its package has in one place or another; the smallest first.
const BROWSERS: [&str; 5] = ["chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "chrome"];

fn missing() -> Vec<Need> {
    [POSTGRES, NODE, NPM, PYTHON, CHROMIUM, SQLITE, NGINX]
        .into_iter()
        .filter(|need| (need.version)().is_none())
        .collect()
}

fn found() -> Result<Found> {
    let servers = (postgres_version(), nginx());
    match (servers, node_version(), (NPM.version)(), python_version(), chromium(), (SQLITE.version)()) {
        ((Some(postgres), Some(nginx)), Some(node), Some(_), Some(python), Some(chromium), Some(_)) => {
            Ok(Found { postgres, node, python, chromium, nginx })
        }
        _ => bail!(advice(&missing(), |manager| shell::find_in_path(manager).is_some())),
    }
}

/// Names what is missing, and the command that installs it with the machine's own package manager.
fn advice(missing: &[Need], has: impl Fn(&str) -> bool) -> String {
    let names: Vec<_> = missing.iter().map(|need| need.name).collect();
    let names = names.join(", ");
    let quick = "`cargo xtask test --quick` runs the tests that do without";
    match MANAGERS.iter().find(|manager| has(manager.program)) {
        Some(manager) => {
            let mut packages: Vec<_> = missing.iter().map(|need| (manager.package)(&need.packages)).collect();
            packages.dedup();
            format!("the tests need {names}. Install with\n    {} {}\n{quick}", manager.install, packages.join(" "))
        }
        None => format!("the tests need {names}, in PATH. Install them by hand; {quick}"),
    }
}

/// The version of the PostgreSQL that tests start: the one in `PATH`, else the newest that Debian put aside.
fn postgres_version() -> Option<String> {
    let folder = match (shell::find_in_path("initdb"), shell::find_in_path("postgres")) {
        (Some(initdb), Some(_)) => initdb.parent()?.to_path_buf(),
        _ => newest_debian_postgres()?,
    };
    let said = shell::ask(Command::new(folder.join("postgres")).arg("--version"))?;
    said.split_whitespace().nth(2).map(str::to_owned)
}

/// Debian keeps the servers of several major versions side by side and out of `PATH`.
fn newest_debian_postgres() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
    let numbered = versions.filter_map(|entry| Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path())));
    let folders = numbered.map(|(version, folder)| (version, folder.join("bin")));
    let servers = folders.filter(|(_, bin)| bin.join("initdb").is_file() && bin.join("postgres").is_file());
    servers.max().map(|(_, bin)| bin)
}

fn node_version() -> Option<String> {
    let version = shell::ask(Command::new("node").arg("--version"))?;
    let major: u32 = version.trim_start_matches('v').split('.').next()?.parse().ok()?;
    (major >= 18).then_some(version)
}

/// Debian splits `ensurepip` off, so that importing `venv` alone proves nothing.
fn python_version() -> Option<String> {
    let probe = "import sys, venv, ensurepip; assert sys.version_info >= (3, 11); print(sys.version.split()[0])";
    shell::ask(Command::new("python3").args(["-c", probe]))
}

/// The first browser in `PATH` that answers; a name alone may be a stub that would install one.
fn chromium() -> Option<Chromium> {
    BROWSERS.iter().find_map(|name| {
        let program = shell::find_in_path(name)?;
        let version = version_of_browser(&shell::ask(Command::new(&program).arg("--version"))?)?;
        Some(Chromium { program, version })
    })
}

/// Debian keeps it where only administrators look. It says its version on standard error.
fn nginx() -> Option<Nginx> {
    let aside = PathBuf::from("/usr/sbin/nginx");
    let program = shell::find_in_path("nginx").or_else(|| aside.is_file().then_some(aside))?;
    let output = Command::new(&program).arg("-v").stdin(Stdio::null()).output().ok()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let version = said.trim().split_once("nginx/")?.1.split_whitespace().next()?.to_owned();
    Some(Nginx { program, version })
}

/// The number in what a browser says, such as `Chromium 150.0.7871.100 built on Debian`.
fn version_of_browser(said: &str) -> Option<String> {
    let is_number = |word: &&str| word.contains('.') && word.chars().all(|c| c.is_ascii_digit() || c == '.');
    said.split_whitespace().find(is_number).map(str::to_owned)
}

fn is_root() -> bool {
    shell::ask(Command::new("id").arg("-u")).is_some_and(|id| id == "0")
}

fn apt_get(args: &[&str]) -> Command {
    let mut command = Command::new("apt-get");
    command.args(args).env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_names_what_is_missing_and_the_exact_command() {
        let advice = advice(&[POSTGRES, PYTHON], |manager| manager == "apt-get");
        assert!(advice.contains("PostgreSQL (initdb, postgres), Python 3.11 or newer with venv"), "{advice}");
        assert!(advice.contains("sudo apt-get install --yes postgresql python3 python3-venv\n"), "{advice}");
    }

    #[test]
    fn advice_names_a_package_once() {
        let advice = advice(&[NODE, NPM], |manager| manager == "brew");
        assert!(advice.contains("brew install node\n"), "{advice}");
    }

    #[test]
    fn a_browser_says_its_version() {
        let check = |said, expected: Option<&str>| assert_eq!(version_of_browser(said).as_deref(), expected, "{said}");
        check("Chromium 156.0.8078.79", Some("156.0.8078.79"));
        check("Chromium 150.0.7871.100 built on Debian GNU/Linux 12 (bookworm)", Some("150.0.7871.100"));
        check("Google Chrome 149.0.1.2 ", Some("149.0.1.2"));
        check("Install it with `snap install chromium`.", None);
    }

    #[test]
    fn advice_without_a_known_package_manager_still_names_the_need() {
        assert!(advice(&[NPM], |_| false).contains("npm"));
    }
}
