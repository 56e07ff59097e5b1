//! The private PostgreSQL is private, durable, and never outlives its test process.

#![expect(clippy::unwrap_used, reason = "helpers of tests are outside the functions that clippy takes for tests")]

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

use mango_testkit::{PrivatePostgres, Stop};

/// When set, [`postgres_databases_are_fresh_and_durable`] ends in a way that leaves no time to clean up.
const END: &str = "MANGO_TEST_END";

#[test]
fn postgres_databases_are_fresh_and_durable() {
    let server = PrivatePostgres::shared();
    let (one, two) = (server.url_for_new_database(), server.url_for_new_database());
    assert_ne!(one, two);
    server.psql(&one, "CREATE TABLE only_here (n int)");
    for (url, sql, expected) in [
        (&one, "SELECT count(*) FROM pg_tables WHERE tablename = 'only_here'", "1"),
        (&two, "SELECT count(*) FROM pg_tables WHERE tablename = 'only_here'", "0"),
        (&one, "SHOW fsync", "on"),
        (&one, "SHOW synchronous_commit", "on"),
        (&one, "SHOW server_encoding", "UTF8"),
    ] {
        assert_eq!(server.psql(url, sql), expected, "{sql}");
    }
    match std::env::var(END).as_deref() {
        Ok("panic") => panic!("{}", place(server)),
        Ok(_) => {
            println!("{}", place(server));
            std::thread::park();
        }
        Err(_) => {}
    }
}

#[test]
fn a_stopped_postgres_comes_back_with_its_data() {
    let server = PrivatePostgres::start();
    let url = server.url_for_new_database();
    server.psql(&url, "CREATE TABLE kept (n int)");
    for (n, how) in [(1, Stop::Fast), (2, Stop::Immediate)] {
        server.psql(&url, &format!("INSERT INTO kept VALUES ({n})"));
        let before = server.pid();
        server.stop(how);
        assert_eq!(server.pid(), None);
        assert!(TcpStream::connect(("127.0.0.1", server.port())).is_err());
        server.start_again();
        assert_ne!(server.pid(), before);
        assert_eq!(server.psql(&url, "SELECT count(*) FROM kept"), n.to_string());
    }
    let (folder, port) = (server.folder().to_owned(), server.port());
    drop(server);
    check_gone(&folder, port);
}

#[test]
fn a_killed_process_leaves_no_postgres_behind() {
    let mut tests = this_test_program("kill");
    let mut child = tests.stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let (folder, port) = lines.filter_map(|line| read_place(&line)).next().expect("the place of the server");
    assert!(folder.exists());
    TcpStream::connect(("127.0.0.1", port)).expect("a server that listens");
    child.kill().unwrap();
    // The keeper shares standard error with the tests, so this ends when the keeper has ended.
    let mut rest = String::new();
    child.stderr.take().unwrap().read_to_string(&mut rest).unwrap();
    assert!(!child.wait().unwrap().success());
    check_gone(&folder, port);
}

#[test]
fn a_panicking_process_leaves_no_postgres_behind() {
    let output = this_test_program("panic").stdout(Stdio::null()).output().unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    let (folder, port) = said.lines().find_map(read_place).expect("the place of the server");
    check_gone(&folder, port);
}

/// This very program, to run the first test and end it thus. Reading its standard error to the end waits for the keeper too.
fn this_test_program(end: &str) -> Command {
    let mut tests = Command::new(std::env::current_exe().unwrap());
    tests
        .args(["--exact", "postgres_databases_are_fresh_and_durable", "--nocapture"])
        .env(END, end)
        .stderr(Stdio::piped());
    tests
}

fn place(server: &PrivatePostgres) -> String {
    format!("place|{}|{}", server.port(), server.folder().display())
}

fn read_place(line: &str) -> Option<(std::path::PathBuf, u16)> {
    let (port, folder) = line.strip_prefix("place|")?.split_once('|')?;
    Some((folder.into(), port.parse().ok()?))
}

fn check_gone(folder: &Path, port: u16) {
    assert!(!folder.exists(), "{} is still there", folder.display());
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err(), "port {port} still answers");
}
