//! The commands beside `serve`: migrate, doctor, healthcheck.

use std::net::TcpListener;
use std::process::Command;

use mango_testkit::PrivatePostgres;
use tempfile::tempdir;

use crate::client::User;
use crate::support::Server;
use crate::{address, check_refusal, path, run, text};

#[test]
fn migrations_go_up_and_down() {
    let folder = tempdir().unwrap();
    let settings = [("MANGO_DATA_DIR", path(&folder))];
    let said = |arguments: &[&str]| {
        let output = run(arguments, &settings);
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    let applied = said(&["migrate"]);
    assert!(applied.lines().all(|line| line.starts_with("applied ")) && !applied.is_empty(), "{applied}");
    assert!(said(&["migrate"]).starts_with("nothing to do"));
    check_refusal(&["migrate", "--down", "1"], &settings, &["undo migration 2026", "mango.db", "backup", "--yes"]);
    assert!(said(&["migrate"]).starts_with("nothing to do"), "what was refused has not been done");
    let undone = said(&["migrate", "--down", "1", "--yes"]);
    assert_eq!(undone.lines().count(), 1, "{undone}");
    assert_eq!(undone.replace("undone", "applied").trim(), applied.lines().last().unwrap());
    assert!(said(&["doctor"]).contains("warn  migrations"));
    said(&["migrate", "--down", "999", "--yes"]);
    assert!(said(&["migrate", "--down", "1"]).starts_with("nothing to do"));
    drop(Server::start(&settings));
    assert!(said(&["doctor"]).contains("ok    migrations"));
}

#[test]
fn of_migrations_at_once_one_does_the_work() {
    let folder = tempdir().unwrap();
    let settings = [("MANGO_DATA_DIR", path(&folder))];
    let said = std::thread::scope(|scope| {
        let nodes: Vec<_> = (0..4).map(|_| scope.spawn(|| run(&["migrate"], &settings))).collect();
        nodes.into_iter().map(|node| node.join().unwrap()).collect::<Vec<_>>()
    });
    assert!(said.iter().all(|output| output.status.success()), "{said:?}");
    let with = |words: &str| said.iter().filter(|output| text(&output.stdout).starts_with(words)).count();
    assert_eq!((with("applied "), with("nothing to do")), (1, 3), "{said:?}");
}

#[tokio::test]
async fn the_doctor_looks_and_changes_nothing() {
    let folder = tempdir().unwrap();
    let data = folder.path().join("data");
    let examine = |settings: &[(&str, &str)]| {
        let output = run(&["doctor"], &[&[("MANGO_DATA_DIR", data.to_str().unwrap())], settings].concat());
        assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
        (output.status.code(), text(&output.stdout))
    };
    let (code, report) = examine(&[]);
    assert_eq!(code, Some(0), "{report}");
    assert!(report.lines().all(|line| line.starts_with("ok  ")), "{report}");
    assert!(report.lines().count() >= 8 && !data.exists(), "{report}");

    let server = Server::start(&[("MANGO_DATA_DIR", data.to_str().unwrap())]);
    let bind = address(&server).to_string();
    let (code, report) = examine(&[("MANGO_BIND", &bind)]);
    assert_eq!(code, Some(0), "{report}");
    for words in ["Mango answers", "SQLite 3.", "are applied", "by its owner alone"] {
        assert!(report.contains(words), "{words:?} is not in\n{report}");
    }

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listener.local_addr().unwrap().to_string();
    drop(std::thread::spawn(move || while listener.accept().is_ok() {}));
    for (settings, words) in [
        (("MANGO_BIND", taken.as_str()), "FAIL  port"),
        (("DATABASE_URL", "postgres://127.0.0.1:1/mango"), "FAIL  database"),
        (("MANGO_WORKERS", "none"), "FAIL  configuration"),
    ] {
        let (code, report) = examine(&[settings]);
        assert_eq!(code, Some(1), "{report}");
        assert!(report.contains(words), "{words:?} is not in\n{report}");
    }
    let copy = folder.path().join("copy");
    std::fs::create_dir(&copy).unwrap();
    User::sign_up(server.url(), "+31612345678", None).await;
    for file in ["mango.db", "mango.db-wal"] {
        std::fs::copy(data.join(file), copy.join(file)).unwrap();
    }
    let (_, report) = examine(&[("MANGO_DATA_DIR", copy.to_str().unwrap())]);
    for words in ["warn  media folder", "warn  signing key"] {
        assert!(report.contains(words), "{words:?} is not in\n{report}");
    }
    let (_, report) = examine(&[("MANGO_WORKER", "4")]);
    assert!(report.contains("warn  configuration") && report.contains("MANGO_WORKERS"), "{report}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;

        let everybody = std::fs::Permissions::from_mode(0o644);
        std::fs::set_permissions(data.join("jwt.key"), everybody).unwrap();
        let (code, report) = examine(&[]);
        assert!(code == Some(0) && report.contains("warn  signing key"), "{report}");
    }
}

#[test]
fn what_is_not_there_yet_alarms_nobody() {
    let folder = tempdir().unwrap();
    let settings = [("MANGO_DATA_DIR", path(&folder))];
    let output = run(&["audit"], &settings);
    assert!(output.status.success() && output.stdout.is_empty(), "{output:?}");
    assert!(text(&output.stderr).contains("is empty"), "{output:?}");
    assert!(run(&["migrate"], &settings).status.success());
    let report = text(&run(&["doctor"], &settings).stdout);
    assert!(report.lines().all(|line| line.starts_with("ok  ")), "{report}");
    let output = run(&["audit"], &settings);
    assert!(output.status.success() && text(&output.stderr).contains("is empty"), "{output:?}");
}

#[cfg(unix)]
#[test]
fn the_doctor_warns_of_secrets_that_others_can_read() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempdir().unwrap();
    let file = folder.path().join(".env");
    let warned = |text: &str, mode: u32| {
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        let output = Server::command(&[]).arg("doctor").current_dir(&folder).output().unwrap();
        String::from_utf8(output.stdout).unwrap().contains("chmod 600 .env")
    };
    let secret = "MANGO_JWT_SECRET=an-open-secret-of-more-than-thirty-two-bytes\n";
    let password = "DATABASE_URL=postgres://mango:s3cret@127.0.0.1:1/mango\n";
    for (text, mode, expected) in [
        (secret, 0o644, true),
        (secret, 0o640, true),
        (secret, 0o600, false),
        (password, 0o644, true),
        ("DATABASE_URL=postgres://mango@127.0.0.1:1/mango\n", 0o644, false),
        ("DATABASE_URL=sqlite:mango.db\nMANGO_WORKERS=2\n", 0o644, false),
    ] {
        assert_eq!(warned(text, mode), expected, "{text} {mode:o}");
    }
}

#[test]
fn the_doctor_compares_its_clock_with_that_of_postgres() {
    let url = PrivatePostgres::shared().url_for_new_database();
    let output = run(&["doctor"], &[("DATABASE_URL", &url)]);
    let report = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{report}");
    for words in ["PostgreSQL 1", "warn  migrations", "are 0.", "s apart"] {
        assert!(report.contains(words), "{words:?} is not in\n{report}");
    }
}

#[test]
fn the_doctor_says_when_postgres_lets_the_user_create_nothing() {
    let postgres = PrivatePostgres::shared();
    let url = postgres.url_for_new_database();
    postgres.psql(&url, "CREATE ROLE guest LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC");
    let settings = [("DATABASE_URL", url.replace("mango@", "guest@"))];
    let settings = settings.each_ref().map(|(name, value)| (*name, value.as_str()));
    let report = text(&run(&["doctor"], &settings).stdout);
    let line = report.lines().find(|line| line.starts_with("FAIL  database")).unwrap_or_else(|| panic!("{report}"));
    assert!(line.contains("may not create tables; make it the owner"), "{line}");
    check_refusal(&["migrate"], &settings, &["cannot migrate", "may not create tables", "OWNER TO \"guest\""]);
}

#[test]
fn the_health_check_asks_the_server_that_runs() {
    let server = Server::start(&[]);
    let bind = address(&server).to_string();
    let output = run(&["healthcheck"], &[("MANGO_BIND", &bind)]);
    assert!(output.status.success() && text(&output.stdout).contains("is ready"), "{output:?}");
    drop(server);
    check_refusal(&["healthcheck"], &[("MANGO_BIND", &bind)], &[&bind, "does not answer"]);
}

/// Tests that want sqlite3.
mod clients {
    use super::*;

    #[test]
    fn an_epoch_is_not_renewed_where_nothing_was_restored() {
        let folder = tempdir().unwrap();
        let settings = [("MANGO_DATA_DIR", path(&folder))];
        check_refusal(&["renew-epoch"], &settings, &["there is no database at", "mango.db", "MANGO_DATA_DIR"]);
        let file = folder.path().join("mango.db");
        assert!(!file.exists(), "nothing was made");
        std::fs::write(&file, "").unwrap();
        check_refusal(&["renew-epoch"], &settings, &["there is nothing in", "restore a backup"]);
    }

    #[test]
    fn a_database_of_a_newer_version_is_left_alone() {
        let folder = tempdir().unwrap();
        let settings = [("MANGO_DATA_DIR", path(&folder))];
        assert!(run(&["migrate"], &settings).status.success());
        let file = folder.path().join("mango.db");
        let newer = "INSERT INTO __diesel_schema_migrations (version) VALUES ('99990101000000')";
        let added = Command::new("sqlite3").arg(file).arg(newer).status();
        assert!(added.unwrap_or_else(|error| panic!("sqlite3: {error}")).success());
        for command in [&["serve"][..], &["migrate"], &["migrate", "--down", "1", "--yes"], &["renew-epoch"]] {
            check_refusal(command, &settings, &["mango.db", "99990101000000", "run the newer version", "backup"]);
        }
        assert!(!folder.path().join("jwt.key").exists(), "nothing was made");
        let report = text(&run(&["doctor"], &settings).stdout);
        assert!(report.contains("FAIL  migrations"), "{report}");
    }
}
