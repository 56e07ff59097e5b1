//! A database that cannot be opened is one clear line; one that goes away comes back.

use mango_persistence::{Database, DatabaseUrl, Options};

/// Opening fails with one line that says these things and shows no password.
async fn check_refused(url: &DatabaseUrl, says: &[&str]) {
    let error = Database::connect(url, Options::default()).await.unwrap_err().to_string();
    assert!(says.iter().all(|text| error.contains(text)), "{error}");
    assert!(!error.contains('\n') && !error.contains("s3cret"), "{error}");
}

mod sqlite {
    use super::*;

    #[tokio::test]
    async fn says_what_is_wrong_with_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let missing = DatabaseUrl::sqlite(folder.path().join("no/such/folder/mango.db"));
        check_refused(&missing, &["cannot open the database sqlite:", "mango.db: No such file or directory"]).await;
        check_refused(&DatabaseUrl::sqlite(folder.path()), &["directory"]).await;
        let text = folder.path().join("letter.txt");
        std::fs::write(&text, "Dear database, ".repeat(100)).unwrap();
        check_refused(&DatabaseUrl::sqlite(text), &["letter.txt", "file is not a database"]).await;
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn keeps_its_file_from_others() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mango.db");
        Database::connect(&DatabaseUrl::sqlite(&file), Options::default()).await.unwrap();
        assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

mod postgres {
    use mango_testkit::build::{user, users};
    use mango_testkit::{PrivatePostgres, Stop};

    use super::*;
    use crate::support::{is_busy, open, stores};

    #[tokio::test]
    async fn says_what_is_wrong_with_the_server() {
        // Nobody listens on port 1.
        let nobody = "postgres://mango:s3cret@127.0.0.1:1/mango".parse().unwrap();
        check_refused(
            &nobody,
            &["cannot open the database postgres://mango@127.0.0.1:1/mango", "refused", "the port in DATABASE_URL"],
        )
        .await;
        let port = PrivatePostgres::shared().port();
        let missing = format!("postgres://mango:s3cret@127.0.0.1:{port}/missing").parse().unwrap();
        check_refused(&missing, &["database \"missing\" does not exist; create it on its server with: sudo -u postgres createdb --owner mango --encoding UTF8 --template template0 missing"]).await;
        let stranger = format!("postgres://stranger:s3cret@127.0.0.1:{port}/postgres").parse().unwrap();
        check_refused(&stranger, &["role \"stranger\" does not exist; check the user in DATABASE_URL"]).await;
    }

    #[tokio::test]
    async fn a_database_that_cannot_hold_every_character_is_refused() {
        let server = PrivatePostgres::shared();
        let url = |name: &str| format!("postgres://mango@127.0.0.1:{}/{name}", server.port());
        for (name, encoding) in [("narrow", "LATIN1"), ("bytes", "SQL_ASCII")] {
            let create = format!("CREATE DATABASE {name} ENCODING '{encoding}' TEMPLATE template0");
            server.psql(&url("postgres"), &create);
            let told = [encoding, "has to be UTF8; create it anew", "--encoding UTF8 --template template0"];
            check_refused(&url(name).parse().unwrap(), &told).await;
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn is_busy_while_it_is_away() {
        let server = PrivatePostgres::start();
        let database = open(&server.url_for_new_database().parse().unwrap(), Options::default()).await;
        let stores = stores(&database);
        let ids = users(&stores, 1).await;
        for how in [Stop::Fast, Stop::Immediate] {
            server.stop(how);
            assert!(is_busy(&stores.users.find(ids[0]).await.unwrap_err()));
            assert!(is_busy(&database.ping().await.unwrap_err()));
            server.start_again();
            database.ping().await.unwrap();
            assert_eq!(stores.users.briefs(&ids).await.unwrap().len(), 1);
        }
        user(2).add(&stores).await;
    }
}
