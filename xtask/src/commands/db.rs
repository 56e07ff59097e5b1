//! `cargo xtask db`: new migrations, and the database that `DATABASE_URL` names or the embedded one.

use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command as Process, ExitCode};

use anyhow::{Context, Result, bail, ensure};
use chrono::Utc;

use crate::shell;
use crate::workspace::Workspace;

/// The folders of the two databases, which always hold the same versions.
pub(crate) const BACKENDS: [&str; 2] = ["postgres", "sqlite"];

/// Subcommands of `cargo xtask db`.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Make the files of a new migration for both databases
    New {
        /// What it does, such as `add_reactions`
        name: String,
    },
    /// Apply all migrations that are missing
    Up,
    /// Take the newest migrations back
    Down {
        /// How many
        #[arg(default_value_t = 1)]
        steps: usize,
        /// Do not ask whether their data may be lost
        #[arg(long)]
        yes: bool,
    },
    /// Take all migrations back and apply them again. All data is lost
    Reset {
        /// Yes, lose all data
        #[arg(long)]
        yes: bool,
    },
    /// Open psql, or sqlite3 for the embedded database
    Psql,
}

/// Does what the subcommand says.
pub(crate) fn run(command: Command) -> Result<ExitCode> {
    let workspace = Workspace::locate()?;
    let migrations = workspace.root.join("migrations");
    match command {
        Command::New { name } => new(&migrations, &name, &Utc::now().format("%Y-%m-%d-%H%M%S").to_string())?,
        Command::Up => migrate(&workspace, &[])?,
        Command::Down { steps, yes } => migrate(&workspace, &down(steps, yes))?,
        Command::Reset { yes } => {
            ensure!(yes, "this deletes all data of {}; say so with --yes", Database::from_settings(&workspace)?.name());
            migrate(&workspace, &down(versions(&migrations.join(BACKENDS[0]))?.len(), yes))?;
            migrate(&workspace, &[])?;
        }
        Command::Psql => shell::run(&mut Database::from_settings(&workspace)?.shell())?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The folder names in a folder of migrations, oldest first.
pub(crate) fn versions(folder: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

fn new(migrations: &Path, name: &str, time: &str) -> Result<()> {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    ensure!(!name.is_empty() && name.chars().all(is_plain), "a migration's name is lower_case_words, not `{name}`");
    for backend in BACKENDS {
        let folder = migrations.join(backend).join(format!("{time}_{name}"));
        fs::create_dir(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        fs::write(folder.join("up.sql"), format!("-- What {name} changes, and why.\n"))?;
        fs::write(folder.join("down.sql"), format!("-- Takes {name} back.\n"))?;
        println!("{}", folder.display());
    }
    Ok(())
}

/// Migrations are the server's own business: it has them embedded and applies them under a lock.
fn migrate(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    let mut mango = shell::cargo(&workspace.root, ["run", "--quiet", "--package", "mango", "--", "migrate"]);
    shell::run(mango.args(arguments))
}

/// What the server's command is told to take migrations back. Without a yes it asks for itself.
fn down(steps: usize, yes: bool) -> Vec<String> {
    let sure = yes.then(|| "--yes".to_owned());
    ["--down".to_owned(), steps.to_string()].into_iter().chain(sure).collect()
}

#[derive(Debug, PartialEq)]
enum Database {
    Postgres(String),
    Sqlite(String),
}

impl Database {
    /// From the environment and `.env`, as the server reads them.
    fn from_settings(workspace: &Workspace) -> Result<Self> {
        let file = workspace.root.join(".env");
        if file.exists() {
            dotenvy::from_path(&file).with_context(|| format!("cannot read {}", file.display()))?;
        }
        let data = env::var("MANGO_DATA_DIR").unwrap_or_else(|_| "data".to_owned());
        Self::from_url(env::var("DATABASE_URL").ok().filter(|url| !url.is_empty()), &workspace.root.join(data))
    }

    fn from_url(url: Option<String>, data: &Path) -> Result<Self> {
        let Some(url) = url else {
            return Ok(Self::Sqlite(data.join("mango.db").to_string_lossy().into_owned()));
        };
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Self::Postgres(url));
        }
        match url.strip_prefix("sqlite:") {
            Some(path) => Ok(Self::Sqlite(path.strip_prefix("//").unwrap_or(path).to_owned())),
            None => bail!("DATABASE_URL starts with neither postgres:// nor sqlite:"),
        }
    }

    /// The database for people, without the password that a URL may hold.
    fn name(&self) -> &str {
        match self {
            Self::Postgres(url) => url.rsplit('@').next().unwrap_or_default(),
            Self::Sqlite(path) => path,
        }
    }

    fn shell(&self) -> Process {
        let (program, argument) = match self {
            Self::Postgres(url) => ("psql", url),
            Self::Sqlite(path) => ("sqlite3", path),
        };
        let mut command = Process::new(program);
        command.arg(argument);
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_migration_has_the_same_version_in_both_folders() {
        let folder = tempfile::tempdir().unwrap();
        for backend in BACKENDS {
            fs::create_dir(folder.path().join(backend)).unwrap();
        }
        new(folder.path(), "add_reactions", "2026-01-02-030405").unwrap();
        for backend in BACKENDS {
            let folder = folder.path().join(backend);
            assert_eq!(versions(&folder).unwrap(), ["2026-01-02-030405_add_reactions"]);
            assert!(folder.join("2026-01-02-030405_add_reactions/down.sql").is_file());
        }
        assert!(new(folder.path(), "Add reactions", "2026-01-02-030406").is_err());
    }

    #[test]
    fn the_database_follows_its_url() {
        let check = |url: Option<&str>, expected: Option<Database>| {
            let database = Database::from_url(url.map(str::to_owned), Path::new("data"));
            assert_eq!(database.ok(), expected, "{url:?}");
        };
        let sqlite = |path: &str| Some(Database::Sqlite(path.to_owned()));
        check(None, sqlite("data/mango.db"));
        check(Some("sqlite:chat.db"), sqlite("chat.db"));
        check(Some("sqlite:///tmp/chat.db"), sqlite("/tmp/chat.db"));
        check(Some("postgres://me@host/chat"), Some(Database::Postgres("postgres://me@host/chat".to_owned())));
        check(Some("mysql://host/chat"), None);
    }

    #[test]
    fn a_password_is_not_part_of_the_name() {
        assert_eq!(Database::Postgres("postgres://me:secret@host/chat".to_owned()).name(), "host/chat");
    }
}
