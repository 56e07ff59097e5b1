//! The servers that are measured: Mango on both databases, the Node server that people would write instead, and socketioxide with nothing
//! around it. Each keeps its data from one measurement to the next and is started afresh for each.

mod crowd;
mod server;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use mango_testkit::PrivatePostgres;
use tempfile::TempDir;

pub use self::crowd::{Crowd, PASSWORD, phone};
pub use self::server::Server;

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Kind {
    /// Mango on PostgreSQL.
    MangoPostgres,
    /// Mango on SQLite.
    MangoSqlite,
    /// Node.js with socket.io and pg, on PostgreSQL.
    Node,
    /// socketioxide without a database and without tokens.
    Bare,
}

impl Kind {
    /// All of them, in the order of the tables.
    pub const ALL: [Self; 4] = [Self::MangoPostgres, Self::MangoSqlite, Self::Node, Self::Bare];

    /// Its name in the results.
    pub const fn name(self) -> &'static str {
        match self {
            Self::MangoPostgres => "Mango on PostgreSQL",
            Self::MangoSqlite => "Mango on SQLite",
            Self::Node => "Node socket.io + pg",
            Self::Bare => "bare socketioxide",
        }
    }

    /// Whether it keeps users and messages.
    pub const fn has_http(self) -> bool {
        !matches!(self, Self::Bare)
    }
}

/// Where the programs are.
pub struct Programs {
    /// Mango's release binary.
    pub mango: PathBuf,
    /// The folder of the Node server, with its packages.
    pub peer: PathBuf,
}

/// A server with its data.
pub struct Target {
    /// Which server.
    pub kind: Kind,
    folder: TempDir,
    program: PathBuf,
    arguments: Vec<PathBuf>,
    database: Option<(String, &'static PrivatePostgres)>,
    /// Who chats on it.
    pub crowd: Crowd,
    newcomers: AtomicU32,
}

impl Target {
    /// Makes room for its data, starts it, and has everybody sign up.
    ///
    /// # Errors
    /// When it does not start or refuses somebody.
    pub fn prepare(kind: Kind, programs: &Programs) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("mango-bench-").tempdir()?;
        let beside = std::env::current_exe()?.with_file_name("bare-socketioxide");
        let (program, arguments) = match kind {
            Kind::MangoPostgres | Kind::MangoSqlite => (programs.mango.clone(), Vec::new()),
            Kind::Node => (PathBuf::from("node"), vec![programs.peer.join("server.mjs")]),
            Kind::Bare => (beside, Vec::new()),
        };
        let database = matches!(kind, Kind::MangoPostgres | Kind::Node).then(|| {
            let postgres = PrivatePostgres::shared();
            (postgres.url_for_new_database(), postgres)
        });
        let newcomers = AtomicU32::new(0);
        let mut target = Self { kind, folder, program, arguments, database, crowd: Crowd::default(), newcomers };
        target.crowd = if kind.has_http() {
            let server = target.start()?;
            Crowd::sign_up(server.address).with_context(|| format!("preparing {}", kind.name()))?
        } else {
            Crowd::of_rooms()
        };
        Ok(target)
    }

    /// Starts the server and waits until it takes requests.
    ///
    /// # Errors
    /// When it does not within some seconds; what it has printed is in the text.
    pub fn start(&self) -> Result<Server> {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).current_dir(self.folder());
        let url = self.database.as_ref().map_or("", |(url, _)| url.as_str());
        command.env("DATABASE_URL", url).env("MEDIA_DIR", self.folder().join("media"));
        command.env("MANGO_DATA_DIR", self.folder()).env("MANGO_LOG", "warn").env("MANGO_ACCESS_TTL", "30d");
        // Everything comes from one address.
        command.env("MANGO_RATE_LIMITS", "off").env("MANGO_MAX_SOCKETS_PER_ADDRESS", "1000000");
        command.env("MANGO_MAX_CONNECTIONS_PER_ADDRESS", "1000000");
        let ready = if self.kind.has_http() { "/readyz" } else { "/" };
        let database = self.database.as_ref().and_then(|(_, postgres)| postgres.pid());
        Server::start(command, self.folder(), ready, database)
    }

    fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A phone that nobody has yet.
    pub fn new_phone(&self) -> String {
        phone(2, self.newcomers.fetch_add(1, Ordering::Relaxed))
    }
}
