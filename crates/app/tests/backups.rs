//! The recipes of `docs/operations.md` make a backup of a server that runs, a server again of a backup, and an account that was taken over its
//! owner's again.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a helper that fails should fail its test")]

#[path = "support/client.rs"]
#[expect(dead_code, reason = "these tests need no sockets")]
mod client;
mod support;

mod clients {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::{Path, PathBuf};
    use std::process::Command;

    use mango_testkit::PrivatePostgres;
    use reqwest::StatusCode;
    use serde_json::{Value, json};
    use tempfile::tempdir;

    use super::client::{PICTURE, User};
    use super::support::Server;

    /// The shell commands of the page, which has those of SQLite before those of PostgreSQL and backups before restoring.
    fn commands(number: usize) -> &'static str {
        let page = include_str!("../../../docs/operations.md");
        page.split("```bash\n").nth(number).unwrap().split("```").next().unwrap()
    }

    /// Pastes commands of the page into a shell.
    fn paste(number: usize, folder: &Path, database: &str, backup: &Path) {
        let mut bash = Command::new("bash");
        bash.args(["-euo", "pipefail", "-c", commands(number)]).current_dir(folder);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("MANGO_")) {
            bash.env_remove(name);
        }
        bash.env("DATABASE_URL", database).env("backup", backup);
        let mango = Path::new(env!("CARGO_BIN_EXE_mango")).parent().unwrap().display();
        let mut path = format!("{mango}:{}", std::env::var("PATH").unwrap());
        if !database.is_empty() {
            path = format!("{}:{path}", PrivatePostgres::shared().programs().display());
        }
        bash.env("PATH", path);
        let output = bash.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Makes a backup and gives it a name of the caller's.
    fn back_up(number: usize, folder: &Path, database: &str, name: &str) -> PathBuf {
        paste(number, folder, database, Path::new(""));
        let made = fs::read_dir(folder.join("backups")).unwrap().map(|entry| entry.unwrap().path());
        let made = made.into_iter().find(|path| !path.ends_with("first")).unwrap();
        let named = made.with_file_name(name);
        fs::rename(made, &named).unwrap();
        named
    }

    /// What a stranger on the machine could read.
    fn open_to_others(path: &Path) -> bool {
        fs::metadata(path).unwrap().permissions().mode() & 0o077 != 0
    }

    /// What a client of this epoch is told.
    async fn known(server: &Server, user: &User, epoch: &Value) -> Value {
        let asked = user.http.post(format!("{}/sync", server.url())).bearer_auth(&user.access);
        asked.json(&json!({ "epoch": epoch })).send().await.unwrap().json().await.unwrap()
    }

    async fn photo_status(server: &Server, user: &User) -> StatusCode {
        let me = user.get(server.url(), "/user/me").await;
        let photo = format!("{}/static/{}/100x100.webp", server.url(), me["photo"].as_str().unwrap());
        user.http.get(photo).send().await.unwrap().status()
    }

    /// Backs a server up while it runs, and once more when other things have happened; restores the first backup into a database,
    /// and looks at what is there.
    async fn check([making, restoring]: [usize; 2], before: &str, after: &str) {
        let folder = tempdir().unwrap();
        let data = folder.path().join("data");
        let settings = |database| [("MANGO_DATA_DIR", data.to_str().unwrap()), ("DATABASE_URL", database)];
        let server = Server::start(&settings(before));
        let ada = User::sign_up(server.url(), "+31612345678", Some(PICTURE)).await;
        let epoch = known(&server, &ada, &json!(null)).await["epoch"].clone();
        let backup = back_up(making, folder.path(), before, "first");
        let other = json!({"name": "of later", "photo": null});
        let change = ada.http.patch(format!("{}/user/{}", server.url(), ada.id)).bearer_auth(&ada.access).json(&other);
        assert_eq!(change.send().await.unwrap().status(), StatusCode::ACCEPTED);
        let forgotten = User::sign_up(server.url(), "+31611111111", None).await;
        back_up(making, folder.path(), before, "second");
        assert!(!open_to_others(&backup));
        for entry in fs::read_dir(&backup).unwrap() {
            let path = entry.unwrap().path();
            assert!(path.ends_with("media") || !open_to_others(&path), "{path:?}");
        }
        drop(server);

        paste(restoring, folder.path(), after, &backup);
        let server = Server::start(&settings(after));
        let me = ada.get(server.url(), "/user/me").await;
        assert_eq!((&me["id"], &me["name"]), (&json!(ada.id), &json!("+31612345678")), "by a token of before");
        assert_eq!(photo_status(&server, &ada).await, StatusCode::OK);
        let page = known(&server, &ada, &epoch).await;
        assert_eq!(page["reset"], true, "though the client knows nothing that the backup does not have");
        assert_ne!(page["epoch"], epoch);
        assert_eq!(known(&server, &ada, &page["epoch"]).await["reset"], false);
        let next = User::sign_up(server.url(), "+31687654321", Some(PICTURE)).await;
        assert_eq!(next.id, forgotten.id, "the number is given again");
        let of_before = next.http.get(format!("{}/user/me", server.url())).bearer_auth(&forgotten.access);
        assert_eq!(of_before.send().await.unwrap().status(), StatusCode::UNAUTHORIZED, "a token is not");
    }

    /// A backup has the sessions and passwords of its time. Who restores one after an incident can end all sessions.
    #[tokio::test]
    async fn all_sessions_can_be_ended_with_the_epoch() {
        let data = tempdir().unwrap();
        let settings = [("MANGO_DATA_DIR", data.path().to_str().unwrap())];
        let server = Server::start(&settings);
        let ada = User::sign_up(server.url(), "+31612345678", None).await;
        drop(server);
        let mut mango = Command::new(env!("CARGO_BIN_EXE_mango"));
        let output = mango.args(["renew-epoch", "--end-sessions"]).envs(settings).current_dir(&data).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(String::from_utf8_lossy(&output.stdout).contains("1 sessions are ended"), "{output:?}");
        let server = Server::start(&settings);
        let me = ada.http.get(format!("{}/user/me", server.url())).bearer_auth(&ada.access);
        assert_eq!(me.send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    }

    /// Runs statements of the page, for another user than theirs.
    fn mend(number: usize, id: i64, folder: &Path, database: &str) {
        let page = include_str!("../../../docs/operations.md");
        let sql = page.split("```sql\n").nth(number).unwrap().split("```").next().unwrap();
        let sql = sql.replace("= 42", &format!("= {id}"));
        if !database.is_empty() {
            PrivatePostgres::shared().psql(database, &sql);
            return;
        }
        let output = Command::new("sqlite3").arg("-bail").arg(folder.join("mango.db")).arg(sql).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Takes an account over with its access token, signs up with its phone, and lets the operator give it back.
    async fn check_return(database: &str) {
        let (phone, taken, fresh) = ("+31612345678", "+31699999999", "+31687654321");
        let data = tempdir().unwrap();
        let settings = [("MANGO_DATA_DIR", data.path().to_str().unwrap()), ("DATABASE_URL", database)];
        let server = Server::start(&settings);
        let ada = User::sign_up(server.url(), phone, None).await;
        let theft = json!({"phone": taken, "password": "of the thief"});
        let change = ada.http.patch(format!("{}/user/{}", server.url(), ada.id)).bearer_auth(&ada.access).json(&theft);
        assert_eq!(change.send().await.unwrap().status(), StatusCode::ACCEPTED);
        let thief = User::sign_up(server.url(), phone, None).await;
        User::sign_up(server.url(), fresh, None).await;
        drop(server);

        mend(1, ada.id, data.path(), database);
        mend(2, ada.id, data.path(), database);
        let server = Server::start(&settings);
        let stolen = ada.http.get(format!("{}/user/me", server.url())).bearer_auth(&ada.access);
        assert_eq!(stolen.send().await.unwrap().status(), StatusCode::UNAUTHORIZED, "the session is over");
        for (owner, phone) in [(&ada, phone), (&thief, taken)] {
            let me = User::log_in(server.url(), owner.id, phone).await.get(server.url(), "/user/me").await;
            assert_eq!((&me["id"], &me["phone"]), (&json!(owner.id), &json!(phone)));
        }
    }

    #[tokio::test]
    async fn an_account_that_was_taken_over_is_given_back() {
        check_return("").await;
    }

    #[tokio::test]
    async fn an_account_on_postgres_that_was_taken_over_is_given_back() {
        check_return(&PrivatePostgres::shared().url_for_new_database()).await;
    }

    #[tokio::test]
    async fn a_backup_of_sqlite_is_made_and_restored() {
        check([1, 3], "", "").await;
    }

    #[tokio::test]
    async fn a_backup_of_postgres_is_made_and_restored() {
        let [before, after] = [(); 2].map(|()| PrivatePostgres::shared().url_for_new_database());
        check([2, 4], &before, &after).await;
    }
}
