//! A PostgreSQL server of a test process's own, which goes when the process goes.

mod binaries;

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use binaries::Account;

const KEEPER: &str = include_str!("postgres/keeper.sh");
const USER: &str = "mango";

/// A private PostgreSQL cluster in a temporary folder, on a spare port of 127.0.0.1, without passwords, and as durable as any
/// (fsync is on).
///
/// A small shell process keeps the server. It reads from a pipe that this process holds open, so it learns of this process's end
/// even when that was a crash or SIGKILL, stops the server by its process id and removes the folder.
pub struct PrivatePostgres {
    programs: PathBuf,
    folder: PathBuf,
    port: u16,
    databases: AtomicU32,
    keeper: Mutex<Keeper>,
}

/// How a server is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Connections are cut and everything is written: an administrator's restart.
    Fast,
    /// All processes quit at once, and the next start recovers from the log: a crash.
    Immediate,
}

impl PrivatePostgres {
    /// The cluster of this test process, started when it is first asked for.
    ///
    /// # Panics
    /// When PostgreSQL is not installed, saying how to install it, or does not start, with its log.
    #[must_use]
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<PrivatePostgres> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// Starts a cluster of its own, for a test that stops it. It goes when this is dropped.
    ///
    /// # Panics
    /// As [`shared`](Self::shared).
    #[must_use]
    pub fn start() -> Self {
        let set = std::env::var_os(binaries::SETTING);
        let path = std::env::var_os("PATH").unwrap_or_default();
        let programs = binaries::find(set.as_deref(), &path, Path::new("/usr/lib/postgresql"))
            .unwrap_or_else(|remedy| panic!("{remedy}"));
        let account = Account::needed();
        let folder = tempfile::Builder::new().prefix("mango-postgres-").tempdir().expect("a temporary folder").keep();
        if let Some(Account { user, group }) = account {
            chown(&folder, Some(user), Some(group)).expect("give the folder to PostgreSQL's user");
        }
        let mut keeper = Keeper::spawn(&folder, &programs, account);
        assert!(keeper.order(&format!("init {USER}")).is_some(), "initdb failed:\n{}", log(&folder));
        // Somebody else may take the spare port before the server does; then another one will do.
        let port = (0..3).map(|_| spare_port()).find(|port| keeper.start(*port));
        let port = port.unwrap_or_else(|| panic!("PostgreSQL does not start:\n{}", log(&folder)));
        Self { programs, folder, port, databases: AtomicU32::new(0), keeper: Mutex::new(keeper) }
    }

    /// Creates an empty database and gives its URL, such as `postgres://mango@127.0.0.1:40123/test_7`.
    ///
    /// # Panics
    /// When the server refuses.
    #[must_use]
    pub fn url_for_new_database(&self) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed) + 1);
        let url = |database: &str| format!("postgres://{USER}@127.0.0.1:{}/{database}", self.port);
        self.psql(&url("postgres"), &format!("CREATE DATABASE {name}"));
        url(&name)
    }

    /// Runs SQL in the database of a URL and gives what `psql` prints of it: rows on lines, columns separated by `|`.
    ///
    /// # Panics
    /// When the server refuses.
    pub fn psql(&self, url: &str, sql: &str) -> String {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--dbname", url, "--command", sql]);
        let output = psql.output().expect("psql");
        assert!(output.status.success(), "psql: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("an answer in UTF-8").trim_end().to_owned()
    }

    /// The folder of PostgreSQL's programs, which are as new as the server.
    #[must_use]
    pub fn programs(&self) -> &Path {
        &self.programs
    }

    /// The port on 127.0.0.1 that the server listens on, the same after each start.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder that holds the cluster and the logs. It goes with the cluster.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The process id of the server, unless it was stopped.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.keeper().server
    }

    /// Stops the server and waits for its end. The data stays for [`start_again`](Self::start_again).
    ///
    /// # Panics
    /// When it was not running or does not stop.
    pub fn stop(&self, how: Stop) {
        let mode = match how {
            Stop::Fast => "fast",
            Stop::Immediate => "immediate",
        };
        let mut keeper = self.keeper();
        assert!(keeper.order(&format!("stop {mode}")).is_some(), "PostgreSQL does not stop:\n{}", log(&self.folder));
        keeper.server = None;
    }

    /// Starts the stopped server again on the same port and data, and waits until it takes connections.
    ///
    /// # Panics
    /// When it does not start, with its log.
    pub fn start_again(&self) {
        assert!(self.keeper().start(self.port), "PostgreSQL does not start again:\n{}", log(&self.folder));
    }

    fn keeper(&self) -> MutexGuard<'_, Keeper> {
        self.keeper.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The shell process that keeps the server.
struct Keeper {
    process: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    server: Option<u32>,
}

impl Keeper {
    /// It gets a process group of its own, so that a signal to the tests' group leaves it to clean up.
    fn spawn(folder: &Path, programs: &Path, account: Option<Account>) -> Self {
        let mut sh = Command::new("sh");
        sh.args(["-c", KEEPER, "mango-postgres-keeper"]).arg(folder).arg(programs);
        sh.arg(account.map(Account::become_command).unwrap_or_default());
        // PostgreSQL's user may not be allowed into the folder that the tests run in.
        sh.current_dir("/").process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = sh.spawn().expect("sh");
        let orders = process.stdin.take();
        let answers = BufReader::new(process.stdout.take().expect("a pipe"));
        Self { process, orders, answers, server: None }
    }

    /// Gives an order; `None` when it could not be followed.
    fn order(&mut self, order: &str) -> Option<String> {
        let orders = self.orders.as_mut().expect("a keeper that is still wanted");
        writeln!(orders, "{order}").expect("the keeper takes orders");
        let mut answer = String::new();
        self.answers.read_line(&mut answer).expect("the keeper answers");
        (answer != "failed\n").then(|| answer.trim().to_owned())
    }

    /// Starts the server; whether it runs and takes connections now.
    fn start(&mut self, port: u16) -> bool {
        self.server = self.order(&format!("start {port}")).map(|pid| pid.parse().expect("a process id"));
        self.server.is_some()
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.orders = None;
        // Whether it ended well or not, it is gone now, and a panic here would hide the one that the test is about.
        let _ended = self.process.wait();
    }
}

fn spare_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a spare port");
    listener.local_addr().expect("the address of a listener").port()
}

/// What the programs and the server have said.
fn log(folder: &Path) -> String {
    let logs = [folder.join("log"), folder.join("data/log")];
    logs.map(|log| std::fs::read_to_string(log).unwrap_or_default()).concat()
}
