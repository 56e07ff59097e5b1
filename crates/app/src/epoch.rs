//! `mango renew-epoch`: has every client begin anew, for a database that is not what they know.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use mango_domain::model::{AuditEvent, Epoch};
use mango_domain::ports::{Clock as _, Random as _};

use crate::config::Settings;
use crate::lock::Lock;
use crate::run::{note, open};
use crate::system::{OsRandom, SystemClock};
use crate::wiring::open_media;

/// Gives the database another epoch, with the migrations that it lacks, and ends all sessions when that is wanted. Not under a server, which
/// has told its clients of the old one.
///
/// # Errors
/// There is no database yet or nothing in it, a server has it, it cannot be reached, or a migration fails.
pub async fn renew(settings: &Settings, end_sessions: bool) -> anyhow::Result<ExitCode> {
    // Opening a file that is not there would make it, and a restore that went wrong would look like one that did not.
    if let Some(file) = settings.database.file().filter(|file| !file.exists()) {
        bail!("there is no database at {}; restore one first, or say with MANGO_DATA_DIR where it is", file.display());
    }
    let database = open(settings).await?;
    let _lock = Lock::take(&database).await?;
    if database.migration_status().await?.applied.is_empty() {
        bail!("there is nothing in {}; restore a backup into it first", database.url());
    }
    database.migrate().await?;
    let mut random = [0; 16];
    OsRandom.fill(&mut random)?;
    let epoch = Epoch::new(format!("{:032x}", u128::from_be_bytes(random)));
    let old = database.changes().epoch().await?;
    database.rename_epoch(epoch.clone()).await?;
    open_media(settings)?.rebind(&old, &epoch).await?;
    writeln!(io::stdout(), "{} has the epoch {epoch} now: every client begins anew", database.url())?;
    if end_sessions {
        let ended = database.end_sessions(SystemClock.now()).await?;
        writeln!(io::stdout(), "{ended} sessions are ended: their users have to log in again")?;
        note(&database, AuditEvent::SessionsEnded)
            .await
            .context("the audit log does not tell of the end of the sessions")?;
    }
    database.close().await;
    Ok(ExitCode::SUCCESS)
}
