//! A server that runs, and what it uses.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::process::{self, Usage};

/// How long a server may take to start, and to stop.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(20);

/// A server; it is stopped when this is dropped.
pub struct Server {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    database: Option<u32>,
}

impl Server {
    /// Starts the command on a spare port, which it is told as `PORT` and as `MANGO_BIND`, and waits until the path is answered.
    pub(super) fn start(mut command: Command, folder: &Path, ready: &str, database: Option<u32>) -> Result<Self> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let said = folder.join("said.log");
        let log = File::create(&said)?;
        command.env("PORT", port.to_string()).env("MANGO_BIND", address.to_string());
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = command.spawn().with_context(|| format!("cannot start {}", command.get_program().display()))?;
        let mut server = Self { child, address, database };
        let deadline = Instant::now() + PATIENCE;
        let url = format!("http://{address}{ready}");
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        loop {
            if agent.get(&url).call().is_ok_and(|reply| reply.status() != 503) {
                return Ok(server);
            }
            if server.child.try_wait()?.is_some() || Instant::now() > deadline {
                bail!("it does not start: {}", std::fs::read_to_string(&said)?);
            }
            thread::sleep(PAUSE);
        }
    }

    /// What the server itself has used.
    ///
    /// # Errors
    /// When it is gone.
    pub fn usage(&self) -> Result<Usage> {
        process::usage(self.child.id()).context("the server")
    }

    /// What its database server has used; none when it has none.
    ///
    /// # Errors
    /// When that is gone.
    pub fn database_usage(&self) -> Result<Usage> {
        self.database.map_or(Ok(Usage::default()), |pid| process::usage(pid).context("the database"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let told = pid.is_some_and(|pid| kill_process(pid, Signal::TERM).is_ok());
        let deadline = Instant::now() + PATIENCE;
        while told && matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
            thread::sleep(PAUSE);
        }
        // One that has stopped already cannot be killed, and that is well.
        let _gone = self.child.kill().and_then(|()| self.child.wait());
    }
}
