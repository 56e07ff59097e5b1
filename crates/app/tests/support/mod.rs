//! A Mango process of a test's own.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper that fails should fail its test")]

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// The binary, running on a spare port with a data folder of its own. Stopped when it is dropped.
pub struct Server {
    process: Child,
    url: String,
    folder: TempDir,
}

impl Server {
    /// Starts it with these settings on top and waits until it listens.
    pub fn start(settings: &[(&str, &str)]) -> Self {
        Self::launch(Self::command(settings))
    }

    /// The same for a command that becomes the binary in the end.
    pub fn launch(mut command: Command) -> Self {
        let folder = tempfile::tempdir().unwrap();
        command.current_dir(&folder).stdout(Stdio::piped()).stderr(File::create(folder.path().join("log")).unwrap());
        let mut process = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim_end().split_once("listens on ").map(|(_, url)| url.to_owned());
        let mut server = Self { process, url: String::new(), folder };
        server.url = url.unwrap_or_else(|| panic!("it does not start: {line:?}\n{}", server.log()));
        server
    }

    /// The binary with these settings and no others, for the arguments of the caller. It has no limits on how often one may do something,
    /// unless the settings say so: all of a test comes from one address.
    pub fn command(settings: &[(&str, &str)]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mango"));
        let set = std::env::vars_os().map(|(name, _)| name);
        for name in set.filter(|name| name == "DATABASE_URL" || name.to_string_lossy().starts_with("MANGO_")) {
            command.env_remove(name);
        }
        command.env("MANGO_BIND", "127.0.0.1:0").env("MANGO_RATE_LIMITS", "off");
        command.envs(settings.iter().copied()).stdin(Stdio::null());
        command
    }

    /// Where it listens, such as `http://127.0.0.1:40123`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The id of its process.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Sends it a signal, such as `TERM`.
    pub fn signal(&self, name: &str) {
        let pid = self.id().to_string();
        // `kill` is a part of every shell, whether or not there is a program of that name.
        let sent = Command::new("sh").args(["-c", "kill -s \"$0\" \"$1\"", name, &pid]).status();
        assert!(sent.is_ok_and(|status| status.success()), "the signal could not be sent");
    }

    /// Waits for its end; `None` when that does not come in time.
    pub fn wait(&mut self, within: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + within;
        loop {
            match self.process.try_wait() {
                Ok(Some(status)) => return Some(status),
                // There is no event to wait for with a deadline and without a thread.
                Ok(None) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(10)),
                Ok(None) | Err(_) => return None,
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.process.try_wait().is_ok_and(|ended| ended.is_some()) {
            return;
        }
        self.signal("TERM");
        if self.wait(Duration::from_secs(20)).is_none() {
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
    }
}
