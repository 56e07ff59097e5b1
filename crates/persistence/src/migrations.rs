//! The migrations, which are part of the binary, and how they are applied one node at a time.

use std::path::Path;

use diesel::connection::SimpleConnection;
use diesel::dsl::sql;
use diesel::migration::{Migration, MigrationSource, MigrationVersion, Result};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::Bool;
use diesel::sqlite::Sqlite;
use diesel_async::AsyncPgConnection;
use diesel_async::async_connection_wrapper::AsyncConnectionWrapper;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use tokio::runtime::Handle;

use crate::url::{Address, DatabaseUrl};

const POSTGRES: EmbeddedMigrations = embed_migrations!("../../migrations/postgres");
const SQLITE: EmbeddedMigrations = embed_migrations!("../../migrations/sqlite");

/// Where a database stands against the migrations of this binary, as lists of versions in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationStatus {
    /// Those that the database has.
    pub applied: Vec<String>,
    /// Those that it lacks.
    pub pending: Vec<String>,
    /// Those that it has and this binary does not know: a newer Mango was here.
    pub unknown: Vec<String>,
}

impl MigrationStatus {
    pub(crate) fn of(url: &DatabaseUrl, applied: Vec<String>) -> Result<Self> {
        let known = match &url.0 {
            Address::Postgres(_) => versions::<Pg>(&POSTGRES)?,
            Address::Sqlite(_) => versions::<Sqlite>(&SQLITE)?,
        };
        let without = |these: &[String], those: &[String]| {
            these.iter().filter(|version| !those.contains(version)).cloned().collect::<Vec<_>>()
        };
        let (pending, unknown) = (without(&known, &applied), without(&applied, &known));
        Ok(Self { applied, pending, unknown })
    }

    /// Why this binary must leave the database alone, and what to do: it has migrations that are not known here.
    #[must_use]
    pub fn too_new(&self) -> Option<String> {
        too_new(&self.unknown)
    }
}

fn too_new(unknown: &[String]) -> Option<String> {
    let (named, them) = match unknown {
        [] => return None,
        [one] => (format!("migration {one}"), "it"),
        several => (format!("migrations {}", several.join(", ")), "them"),
    };
    let remedy = format!("run the newer version that applied {them}, or restore the backup of before");
    Some(format!("it has {named}, which this version of Mango does not know; {remedy}"))
}

fn versions<DB: diesel::backend::Backend>(source: &EmbeddedMigrations) -> Result<Vec<String>> {
    let migrations: Vec<Box<dyn Migration<DB>>> = source.migrations()?;
    let mut versions: Vec<String> = migrations.iter().map(|migration| migration.name().version().to_string()).collect();
    versions.sort();
    Ok(versions)
}

/// What to do with the migrations.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Direction {
    /// Apply all that are pending.
    Up,
    /// Undo the newest one.
    Down,
}

/// Migrates a database on a connection of its own, and gives the versions applied or undone. Diesel migrates on synchronous
/// connections, which must not run on a thread of the runtime.
pub(crate) async fn migrate(url: &DatabaseUrl, direction: Direction) -> Result<Vec<String>> {
    let url = url.0.clone();
    let migrating = tokio::task::spawn_blocking(move || match url {
        Address::Postgres(url) => postgres(url.as_str(), direction),
        Address::Sqlite(path) => sqlite(&path, direction),
    });
    migrating.await?
}

/// Any number that no other program locks in this database; these are the letters `mango`.
const LOCK: &str = "SET lock_timeout = '60s'; SELECT pg_advisory_lock(x'6d616e676f'::bigint)";
const UNLOCK: &str = "SELECT pg_advisory_unlock(x'6d616e676f'::bigint)";

fn postgres(url: &str, direction: Direction) -> Result<Vec<String>> {
    let runtime = Handle::current();
    let conn = runtime.block_on(crate::postgres::open(url))?;
    let mut conn = AsyncConnectionWrapper::<AsyncPgConnection>::from(conn);
    conn.batch_execute(LOCK)?;
    // An error ends the connection, and the lock with it.
    let versions = run::<Pg>(&mut conn, POSTGRES, direction).map_err(|error| {
        let said = error.to_string();
        format!("{said}{}", runtime.block_on(crate::postgres::migration_hint(url, &said)))
    })?;
    conn.batch_execute(UNLOCK)?;
    Ok(versions)
}

/// The write lock of SQLite is the lock. A migration that rebuilds a table needs foreign keys off, which has to be said before
/// the transaction begins; they are checked before it ends.
const BEFORE: &str = "PRAGMA busy_timeout = 60000; PRAGMA foreign_keys = OFF;";
const CONSISTENT: &str = "NOT EXISTS (SELECT 1 FROM pragma_foreign_key_check)";

fn sqlite(path: &Path, direction: Direction) -> Result<Vec<String>> {
    let file = std::path::absolute(path)?;
    let mut conn = SqliteConnection::establish(file.to_str().ok_or("the path is not UTF-8")?)?;
    conn.batch_execute(BEFORE)?;
    conn.immediate_transaction(|conn| {
        let versions = run::<Sqlite>(conn, SQLITE, direction)?;
        match diesel::select(sql::<Bool>(CONSISTENT)).get_result(conn)? {
            true => Ok(versions),
            false => Err("a migration left rows that refer to nothing".into()),
        }
    })
}

fn run<DB: diesel::backend::Backend>(
    conn: &mut impl MigrationHarness<DB>,
    source: EmbeddedMigrations,
    direction: Direction,
) -> Result<Vec<String>> {
    let name = |versions: Vec<MigrationVersion<'_>>| versions.iter().map(ToString::to_string).collect::<Vec<_>>();
    let (applied, known) = (name(conn.applied_migrations()?), versions::<DB>(&source)?);
    // The order is that of diesel, the newest first.
    let unknown: Vec<String> = applied.iter().rev().filter(|version| !known.contains(version)).cloned().collect();
    if let Some(reason) = too_new(&unknown) {
        return Err(reason.into());
    }
    match direction {
        Direction::Up => conn.run_pending_migrations(source).map(name),
        Direction::Down if applied.is_empty() => Ok(Vec::new()),
        Direction::Down => conn.revert_last_migration(source).map(|version| name(vec![version])),
    }
}
