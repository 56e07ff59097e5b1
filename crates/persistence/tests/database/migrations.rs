//! Migrations go up and down, one node at a time.

use std::collections::BTreeSet;
use std::path::Path;

use mango_domain::model::UserId;
use mango_persistence::{Database, DatabaseUrl, Options};
use mango_testkit::PrivatePostgres;
use mango_testkit::build::{moment, users};
use mango_testkit::suite::together;

use crate::support::stores;

/// Up, down and up again: what `down` leaves behind is in the way of the next `up`.
async fn check_up_and_down(url: DatabaseUrl) {
    let database = Database::connect(&url, Options::default()).await.unwrap();
    let all = database.migration_status().await.unwrap().pending;
    assert!(!all.is_empty());
    for _ in 0..2 {
        assert_eq!(database.migrate().await.unwrap(), all);
        let status = database.migration_status().await.unwrap();
        assert_eq!((&status.applied, status.pending.len(), status.unknown.len()), (&all, 0, 0));
        assert!(!database.has_users().await.unwrap());
        assert_eq!(users(&stores(&database), 2).await.len(), 2);
        assert!(database.has_users().await.unwrap());
        assert!(database.migrate().await.unwrap().is_empty());

        let mut undone = Vec::new();
        while let Some(version) = database.revert_last_migration().await.unwrap() {
            undone.insert(0, version);
        }
        assert_eq!(undone, all);
        assert_eq!(database.migration_status().await.unwrap().pending, all);
    }
}

/// Of nodes that start at the same time one migrates; all find everything done.
async fn check_nodes_at_once(url: DatabaseUrl) {
    let migrated = together((0..6).map(|_| {
        let url = url.clone();
        async move {
            let database = Database::connect(&url, Options::default()).await.unwrap();
            let applied = database.migrate().await.unwrap();
            assert!(database.migration_status().await.unwrap().pending.is_empty());
            applied
        }
    }))
    .await;
    assert_eq!(migrated.iter().filter(|applied| !applied.is_empty()).count(), 1);
}

/// What a newer version has applied is told apart from what is known.
async fn check_unknown_versions(url: DatabaseUrl, add: impl AsyncFnOnce(&str)) {
    let database = Database::connect(&url, Options::default()).await.unwrap();
    database.migrate().await.unwrap();
    add("INSERT INTO __diesel_schema_migrations (version) VALUES ('99990101000000')").await;
    let status = database.migration_status().await.unwrap();
    assert_eq!(status.unknown, ["99990101000000"]);
    let reason = status.too_new().unwrap();
    assert!(reason.contains("99990101000000") && reason.contains("run the newer version"), "{reason}");
    let (up, down) = (database.migrate().await.unwrap_err(), database.revert_last_migration().await.unwrap_err());
    assert!(up.to_string().contains(&reason) && down.to_string().contains(&reason), "{up} {down}");
    assert_eq!(database.migration_status().await.unwrap(), status);
}

/// Sessions from before they had a device were last used when they began.
async fn check_sessions_of_before(url: DatabaseUrl, blob: &str, run: impl AsyncFnOnce(&str)) {
    let database = Database::connect(&url, Options::default()).await.unwrap();
    database.migrate().await.unwrap();
    while database.revert_last_migration().await.unwrap().unwrap() != "20261122000004" {}
    run(&format!(
        "INSERT INTO users (phone, password_hash, created_at) VALUES ('+31600000001', 'x', '2026-01-01 00:00:00+00:00'); \
         INSERT INTO sessions (user_id, base_token, created_at) \
         VALUES (1, CAST('0123456789abcdef0123456789abcdef' AS {blob}), '2026-01-01 00:00:07+00:00')"
    ))
    .await;
    database.migrate().await.unwrap();
    let sessions = database.sessions().list(UserId::new(1), moment(0), moment(0)).await.unwrap();
    let (began, used) = (sessions[0].created_at, sessions[0].last_used_at);
    assert_eq!((sessions.len(), began, used), (1, moment(7), moment(7)));
}

#[test]
fn both_folders_have_the_same_versions() {
    let versions = |backend: &str| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations").join(backend);
        let mut versions = BTreeSet::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            assert!(path.join("up.sql").is_file() && path.join("down.sql").is_file(), "{path:?}");
            versions.insert(path.file_name().unwrap().to_owned());
        }
        versions
    };
    assert!(!versions("postgres").is_empty());
    assert_eq!(versions("postgres"), versions("sqlite"));
}

mod sqlite {
    use diesel::connection::SimpleConnection;
    use diesel::{Connection, SqliteConnection};
    use tempfile::TempDir;

    use super::*;

    fn fresh() -> (TempDir, DatabaseUrl) {
        let folder = tempfile::tempdir().unwrap();
        let url = DatabaseUrl::sqlite(folder.path().join("mango.db"));
        (folder, url)
    }

    #[tokio::test]
    async fn go_up_and_down() {
        let (_folder, url) = fresh();
        check_up_and_down(url).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn are_applied_by_one_node() {
        let (_folder, url) = fresh();
        check_nodes_at_once(url).await;
    }

    #[tokio::test]
    async fn of_a_newer_version_are_told() {
        let (_folder, url) = fresh();
        let file = url.file().unwrap().to_str().unwrap().to_owned();
        let add = async move |sql: &str| SqliteConnection::establish(&file).unwrap().batch_execute(sql).unwrap();
        check_unknown_versions(url, add).await;
    }

    #[tokio::test]
    async fn tell_when_old_sessions_were_used() {
        let (_folder, url) = fresh();
        let file = url.file().unwrap().to_str().unwrap().to_owned();
        let run = async move |sql: &str| SqliteConnection::establish(&file).unwrap().batch_execute(sql).unwrap();
        check_sessions_of_before(url, "BLOB", run).await;
    }
}

mod postgres {
    use super::*;

    fn fresh() -> (String, DatabaseUrl) {
        let url = PrivatePostgres::shared().url_for_new_database();
        (url.clone(), url.parse().unwrap())
    }

    // The runtime of one thread is on purpose: Diesel's asynchronous migrations panic on it.
    #[tokio::test]
    async fn go_up_and_down() {
        check_up_and_down(fresh().1).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn are_applied_by_one_node() {
        check_nodes_at_once(fresh().1).await;
    }

    #[tokio::test]
    async fn of_a_newer_version_are_told() {
        let (raw, url) = fresh();
        check_unknown_versions(url, async move |sql: &str| {
            PrivatePostgres::shared().psql(&raw, sql);
        })
        .await;
    }

    #[tokio::test]
    async fn tell_when_old_sessions_were_used() {
        let (raw, url) = fresh();
        check_sessions_of_before(url, "bytea", async move |sql: &str| {
            PrivatePostgres::shared().psql(&raw, sql);
        })
        .await;
    }
}
