//! What the commands of `mango` do.

use std::io::{self, ErrorKind, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, anyhow, bail};
use mango_domain::Failure;
use mango_domain::error::chain;
use mango_domain::model::{AuditEntry, AuditEvent};
use mango_domain::ports::Clock as _;
use mango_persistence::Database;
use tokio::net::TcpSocket;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::time::timeout_at;

use crate::cli::{Command, KeysAction};
use crate::config::{Loaded, LogFormat, Settings};
use crate::keys::{self, Rotated};
use crate::lock::Lock;
use crate::server::{self, Stopped};
use crate::signals::Signals;
use crate::system::{OsRandom, SystemClock};
use crate::telemetry::{logs, metrics};
use crate::{access, audit, background, descriptors, doctor, epoch, folders, heavy, migrate, probe, wiring};

/// Connections that may wait to be accepted: all clients come back at once after a restart.
const BACKLOG: u32 = 4096;

/// Runs a command to its end.
///
/// # Errors
/// Whatever kept it from being done, in one line.
pub fn run(command: Command) -> anyhow::Result<ExitCode> {
    if command == Command::Doctor {
        return doctor::run(&mut io::stdout().lock());
    }
    let Loaded { settings, warnings } = Settings::from_process()?;
    if command == Command::Healthcheck {
        return healthcheck(&settings);
    }
    // Not dropped before the last line is written.
    let _log_files = logs::install(&settings)?;
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    let (runtime, heavy) = (runtime(&settings)?, heavy::start()?);
    let done = runtime.block_on(async {
        match command {
            Command::Migrate { down: None, .. } => migrate::up(&settings).await,
            Command::Migrate { down: Some(count), yes } => migrate::down(&settings, count, yes).await,
            Command::RenewEpoch { end_sessions } => epoch::renew(&settings, end_sessions).await,
            Command::Keys { action } => manage_keys(&settings, action).await,
            Command::Audit { limit, json } => show_audit(&settings, limit, json).await,
            _ => serve(&settings, heavy.handle()).await,
        }
    });
    // A hash or a picture that is being worked on for a client that is gone holds nobody up.
    heavy.shutdown_background();
    runtime.shutdown_background();
    done
}

/// The runtime of everything but the HTTP workers, which have one each.
pub(crate) fn runtime(settings: &Settings) -> io::Result<Runtime> {
    Builder::new_multi_thread().worker_threads(settings.workers.get()).thread_name("mango").enable_all().build()
}

async fn serve(settings: &Settings, heavy: &Handle) -> anyhow::Result<ExitCode> {
    let metrics = metrics::install()?;
    if let Some(limit) = descriptors::raise().filter(|limit| *limit < descriptors::FEW) {
        tracing::warn!(limit, "few connections may be open at once; mango doctor says what to do about it");
    }
    // The port comes first: who cannot have it should not touch the database of the one who has.
    let listener = bind(settings.bind)?;
    let address = listener.local_addr()?;
    let database = open(settings).await?;
    let _lock = Lock::take(&database).await?;
    let applied = database.migrate().await?;
    if !applied.is_empty() {
        tracing::info!(migrations = applied.len(), "migrated the database");
    }
    let makes_key = keys::will_make(settings);
    let wired = wiring::wire(settings, &database, metrics.clone(), heavy)?;
    if makes_key {
        note_new_key(&database).await;
    }
    background::spawn(wired.use_cases.clone(), database.clone(), metrics, &wired.stopping);
    let following = keys::follow(settings.clone(), wired.keys.clone());
    tokio::spawn(wired.stopping.clone().run_until_cancelled_owned(following));

    let mut signals = Signals::install()?;
    let options = server::Options::new(settings.workers.get(), settings.shutdown_timeout);
    let app = {
        let (http, sockets) = (wired.http.clone(), wired.sockets.clone());
        move || {
            let sockets = sockets.clone();
            mango_http::app(http.clone(), move |config| server::mount(config, &sockets))
        }
    };
    let mut running = server::listen(listener, app, &wired.sockets, options)?;
    if settings.log_format == LogFormat::Json {
        // Whoever collects lines of JSON wants no others.
        let (data, database) = (settings.data_dir.display(), &settings.database);
        tracing::info!(version = env!("CARGO_PKG_VERSION"), %address, %data, %database, "listening");
    } else if let Err(error) = announce(settings, address) {
        // Whoever closed standard output, as `mango | head -1` does, still wants a server.
        tracing::info!(%error, %address, "listening, and nobody reads standard output");
    }

    tokio::select! {
        error = running.failed() => return Err(error).context("the server failed"),
        signal = signals.next() => tracing::info!(signal, "shutting down"),
    }
    let deadline = tokio::time::Instant::now() + settings.shutdown_timeout;
    wired.stopping.cancel();
    let stopping = async {
        let stopped = running.stop(wired.hub.shutdown()).await;
        let settled = timeout_at(deadline, async {
            wired.http.changes.finished().await;
            wired.audit.finish().await;
            database.close().await;
        });
        (stopped, settled.await.is_ok())
    };
    let (stopped, settled) = tokio::select! {
        ended = stopping => ended,
        signal = signals.next() => {
            tracing::warn!(signal, "not waiting for the shutdown");
            return Ok(ExitCode::from(130));
        }
    };
    match stopped {
        Stopped::Clean if settled => tracing::info!("stopped"),
        Stopped::Clean => tracing::warn!("stopped with changes under way"),
        Stopped::Cut { sockets } => tracing::warn!(sockets, "stopped when time was up, connections were cut"),
    }
    Ok(ExitCode::SUCCESS)
}

/// Notes that a key was made, unless it is the first: somebody has taken the one of before away, as they should when it is in strange hands.
async fn note_new_key(database: &Database) {
    let noted = match database.has_users().await {
        Ok(true) => note(database, AuditEvent::KeyRotated).await,
        other => other.map(drop),
    };
    if let Err(failure) = noted {
        tracing::error!(error = chain(&failure), "the audit log does not tell of the new signing key");
    }
}

/// Says where everything is, on standard output; the log goes elsewhere.
fn announce(settings: &Settings, address: SocketAddr) -> io::Result<()> {
    let data = std::path::absolute(&settings.data_dir).unwrap_or_else(|_| settings.data_dir.clone());
    let mut out = io::stdout().lock();
    writeln!(out, "Mango {} listens on http://{address}", env!("CARGO_PKG_VERSION"))?;
    writeln!(out, "  documentation  http://{}/docs", probe::reachable(address))?;
    writeln!(out, "  data           {}", data.display())?;
    writeln!(out, "  database       {}", settings.database)?;
    out.flush()
}

fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    match listen_on(address) {
        Ok(listener) => Ok(listener),
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            let who = if probe::is_mango(address) { "another Mango" } else { "another program" };
            bail!("{address} is in use by {who}; stop it, or set MANGO_BIND to another address or port")
        }
        Err(error) => bail!("cannot listen on {address}: {error}; {}", access::address_remedy(address, &error)),
    }
}

fn listen_on(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // Without it, the port could not be had for a minute after a restart. On Windows it would let two servers share it.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)?.into_std()
}

/// Opens the database, and makes the folders of the data if they are not there.
pub(crate) async fn open(settings: &Settings) -> anyhow::Result<Database> {
    let data = &settings.data_dir;
    folders::make(data).map_err(|error| anyhow!(access::data_folder(settings, data, &error)))?;
    if let Some(folder) = settings.database.file().and_then(Path::parent) {
        let value = settings.database.to_string();
        folders::make(folder).map_err(|error| anyhow!(access::folder("DATABASE_URL", &value, folder, &error)))?;
    }
    connect(settings).await
}

/// Opens the database, or says what to do about it.
async fn connect(settings: &Settings) -> anyhow::Result<Database> {
    let connected = Database::connect(&settings.database, wiring::database_options(settings)).await;
    connected.map_err(|error| {
        // What is known of PostgreSQL is said where it is known.
        let remedy = settings.database.file().map(|_| format!("; {}", access::database_remedy(settings)));
        anyhow!("{error}{}", remedy.unwrap_or_default())
    })
}

async fn manage_keys(settings: &Settings, action: KeysAction) -> anyhow::Result<ExitCode> {
    match action {
        KeysAction::List => {
            let lines = keys::list(settings, SystemClock.now())?;
            let mut out = io::stdout().lock();
            for line in lines {
                writeln!(out, "{line}")?;
            }
        }
        KeysAction::Rotate => {
            let Rotated { kid, retired, until, removed } = keys::rotate(settings, &OsRandom, SystemClock.now())?;
            let noted = note_rotation(settings).await;
            let mut out = io::stdout().lock();
            writeln!(out, "{kid} signs from now on; a running server takes it up within seconds")?;
            let until = until.map_or_else(String::new, |until| until.format(" until %F %T UTC").to_string());
            writeln!(out, "{retired} checks what it signed{until}")?;
            for kid in removed {
                writeln!(out, "{kid} is removed")?;
            }
            match noted {
                Ok(()) => writeln!(out, "the audit log in {} tells of it", settings.database)?,
                // The keys have been rotated all the same.
                Err(error) => writeln!(
                    io::stderr(),
                    "mango: the keys are rotated, but no audit log tells of it: {error:#}; note it yourself, and call this with the \
                     server's DATABASE_URL and MANGO_DATA_DIR the next time"
                )?,
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn note_rotation(settings: &Settings) -> anyhow::Result<()> {
    let missing = || anyhow!("{} is not there", settings.database);
    let database = open_existing(settings).await?.ok_or_else(missing)?;
    let noted = note(&database, AuditEvent::KeyRotated).await;
    database.close().await;
    Ok(noted?)
}

/// Notes in the audit log what an operator has done, which concerns nobody in particular.
pub(crate) async fn note(database: &Database, event: AuditEvent) -> Result<(), Failure> {
    let entry = AuditEntry { at: SystemClock.now(), event, user: None, session: None, address: None };
    database.audit().append(vec![entry]).await
}

async fn show_audit(settings: &Settings, limit: u32, json: bool) -> anyhow::Result<ExitCode> {
    let Some(database) = open_existing(settings).await? else {
        writeln!(io::stderr(), "mango: the audit log is empty, {} is not there yet", settings.database)?;
        return Ok(ExitCode::SUCCESS);
    };
    let entries = database.audit().newest(limit).await;
    database.close().await;
    let entries = entries.context("the audit log cannot be read; `mango migrate` makes it if it is not there yet")?;
    if entries.is_empty() {
        writeln!(io::stderr(), "mango: the audit log is empty")?;
    }
    audit::show(&entries, json, &mut io::stdout().lock())?;
    Ok(ExitCode::SUCCESS)
}

/// Opens the database, unless that would make one.
async fn open_existing(settings: &Settings) -> anyhow::Result<Option<Database>> {
    if settings.database.file().is_some_and(|file| !file.exists()) {
        return Ok(None);
    }
    connect(settings).await.map(Some)
}

fn healthcheck(settings: &Settings) -> anyhow::Result<ExitCode> {
    let address = probe::reachable(settings.bind);
    match probe::get(settings.bind, "/readyz") {
        Ok((200, _)) => {
            writeln!(io::stdout(), "http://{address} is ready")?;
            Ok(ExitCode::SUCCESS)
        }
        Ok((status, _)) => bail!("http://{address} is not ready, it answers with {status}"),
        Err(error) => bail!("http://{address} does not answer: {error}"),
    }
}
