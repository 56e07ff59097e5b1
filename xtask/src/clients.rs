//! What comes from the registries of Node.js and Python, installed into the build folder: the official Socket.IO clients that the tests talk
//! with, Schemathesis, which tries every operation, and what the server is made of that the benchmark compares with.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::prerequisites::Found;
use crate::shell;
use crate::workspace::Workspace;

/// Where the clients are, and which.
pub(crate) struct Clients {
    /// The folder that holds `node_modules`.
    pub node: PathBuf,
    /// The interpreter of the virtual environment.
    pub python: PathBuf,
    /// The version of `socket.io-client`.
    pub socket_io_client: String,
    /// The version of `python-socketio`.
    pub python_socketio: String,
    /// The version of `schemathesis`.
    pub schemathesis: String,
}

/// Installs the clients as pinned by the manifests, unless that very state is there already.
pub(crate) fn install(workspace: &Workspace, found: &Found) -> Result<Clients> {
    let manifests = workspace.root.join("crates/app/tests/clients");
    let node = workspace.target.join("clients/node");
    let python_folder = workspace.target.join("clients/python");
    let python =
        if cfg!(windows) { python_folder.join("Scripts/python.exe") } else { python_folder.join("bin/python") };

    unless_installed(&node, &manifests, &["package.json", "package-lock.json"], &found.node, install_packages)?;
    unless_installed(&python_folder, &manifests, &["requirements.txt"], &found.python, |folder| {
        shell::run(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
        let install = ["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", "--requirement"];
        shell::run(Command::new(&python).args(install).arg(folder.join("requirements.txt")).stdin(Stdio::null()))
    })?;

    let version = |package: &str| {
        let probe = format!("import importlib.metadata as m; print(m.version('{package}'))");
        let said = shell::ask(Command::new(&python).args(["-c", &probe]));
        said.with_context(|| format!("{package} is not in its virtual environment"))
    };
    Ok(Clients {
        socket_io_client: version_of_package(&node.join("node_modules/socket.io-client/package.json"))?,
        python_socketio: version("python-socketio")?,
        schemathesis: version("schemathesis")?,
        node,
        python,
    })
}

/// Installs the Node server that Mango is measured beside, and gives its folder.
pub(crate) fn install_peer(workspace: &Workspace, found: &Found) -> Result<PathBuf> {
    let source = workspace.root.join("crates/bench/peer");
    let folder = workspace.target.join("bench/peer");
    let files = ["package.json", "package-lock.json", "server.mjs"];
    unless_installed(&folder, &source, &files, &found.node, install_packages)?;
    Ok(folder)
}

fn install_packages(folder: &Path) -> Result<()> {
    shell::run(npm().current_dir(folder).args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]))
}

/// Installs into an empty folder that holds the manifests. A stamp, written last, says what was installed, so that
/// an installation that was cut short, another interpreter or a changed manifest starts afresh.
fn unless_installed(
    folder: &Path,
    manifests: &Path,
    names: &[&str],
    interpreter: &str,
    install: impl FnOnce(&Path) -> Result<()>,
) -> Result<()> {
    let mut state = format!("{interpreter}\n");
    for name in names {
        let path = manifests.join(name);
        state += &fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    }
    let stamp = folder.join("installed");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == state) {
        return Ok(());
    }
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    for name in names {
        fs::copy(manifests.join(name), folder.join(name))?;
    }
    install(folder)?;
    Ok(fs::write(stamp, state)?)
}

fn npm() -> Command {
    let mut command = Command::new(if cfg!(windows) { "npm.cmd" } else { "npm" });
    command.stdin(Stdio::null());
    command
}

fn version_of_package(manifest: &Path) -> Result<String> {
    let text = fs::read_to_string(manifest).with_context(|| format!("cannot read {}", manifest.display()))?;
    let manifest: serde_json::Value = serde_json::from_str(&text)?;
    let version = manifest.get("version").and_then(serde_json::Value::as_str);
    Ok(version.context("a package without a version")?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn installs_again_only_when_something_changed() {
        let folder = tempfile::tempdir().unwrap();
        let (manifests, target) = (folder.path().join("manifests"), folder.path().join("target"));
        fs::create_dir(&manifests).unwrap();
        let mut installed = 0;
        let mut check = |manifest: &str, interpreter: &str, succeeds: bool, times: u32| {
            fs::write(manifests.join("lock"), manifest).unwrap();
            let outcome = unless_installed(&target, &manifests, &["lock"], interpreter, |folder| {
                installed += 1;
                assert_eq!(fs::read_to_string(folder.join("lock")).unwrap(), manifest);
                if succeeds { Ok(()) } else { anyhow::bail!("cut short") }
            });
            assert_eq!(outcome.is_ok(), succeeds);
            assert_eq!(installed, times, "{manifest} {interpreter}");
        };
        check("one", "v20", true, 1);
        check("one", "v20", true, 1);
        check("one", "v22", true, 2);
        check("two", "v22", false, 3);
        check("two", "v22", true, 4);
    }
}
