//! The settings as an operator meets them: `.env.example`, the layers, and what is said of a mistake.

#![expect(clippy::unwrap_used, reason = "a helper that fails should fail its test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mango::config::catalogue::{SETTINGS, nearest};
use mango::config::{ConfigError, CookieSecure, CorsOrigins, Loaded, LogFormat, Settings};
use mango_domain::model::Quotas;
use mango_http::TrustedProxies;
use tempfile::tempdir;

const SECRET: &str = "an open secret of more than thirty-two bytes";

fn environment(set: &[(&str, &str)]) -> Vec<(String, String)> {
    set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn load(set: &[(&str, &str)]) -> Result<Loaded, ConfigError> {
    Settings::load(environment(set), None)
}

fn load_with_dotenv(set: &[(&str, &str)], dotenv: &str) -> Result<Loaded, ConfigError> {
    let dir = tempdir().unwrap();
    let path = dir.path().join(".env");
    fs::write(&path, dotenv).unwrap();
    // Messages name the file, whose folder differs from run to run.
    let here = |line: &String| line.replace(&*path.to_string_lossy(), ".env");
    match Settings::load(environment(set), Some(&path)) {
        Ok(loaded) => Ok(Loaded { warnings: loaded.warnings.iter().map(here).collect(), ..loaded }),
        Err(ConfigError(lines)) => Err(ConfigError(lines.iter().map(here).collect())),
    }
}

fn example() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.env.example")).unwrap()
}

/// The lines `#NAME=value` of `.env.example`, which look like nothing else in it.
fn example_settings() -> Vec<(String, String)> {
    let is_name = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase() || c == '_');
    let parse = |line: &str| {
        let (name, value) = line.strip_prefix('#')?.split_once('=')?;
        is_name(name).then(|| (name.to_owned(), value.to_owned()))
    };
    example().lines().filter_map(parse).collect()
}

#[test]
fn the_example_has_every_setting_with_its_default_in_order() {
    let code: Vec<_> = SETTINGS.iter().map(|setting| (setting.name.to_owned(), setting.default.to_owned())).collect();
    assert_eq!(example_settings(), code);
}

#[test]
fn the_example_describes_every_setting() {
    let example = example();
    let lines: Vec<_> = example.lines().collect();
    for (name, _) in example_settings() {
        let at = lines.iter().position(|line| line.starts_with(&format!("#{name}="))).unwrap();
        assert!(lines[at - 1].starts_with("# "), "{name} has no description");
    }
    assert!(lines.iter().all(|line| line.is_empty() || line.starts_with('#')), "the example sets nothing as it is");
}

#[test]
fn the_example_without_its_comment_signs_sets_the_defaults() {
    let uncommented: String = example_settings().iter().map(|(name, value)| format!("{name}={value}\n")).collect();
    let loaded = load_with_dotenv(&[], &uncommented).unwrap();
    assert_eq!(format!("{:?}", loaded.settings), format!("{:?}", load(&[]).unwrap().settings));
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
}

#[test]
fn defaults() {
    let Loaded { settings, warnings } = load(&[]).unwrap();
    assert!(warnings.is_empty());
    assert_eq!(settings.bind.to_string(), "127.0.0.1:5000");
    assert_eq!(settings.data_dir, PathBuf::from("./data"));
    assert_eq!(settings.database.file(), Some(Path::new("./data/mango.db")));
    assert!(settings.jwt_secret.is_none());
    assert_eq!(settings.key_file(), PathBuf::from("./data/jwt.key"));
    assert_eq!(settings.media_dir(), PathBuf::from("./data/media"));
    assert_eq!(settings.log_dir(), PathBuf::from("./data/logs"));
    assert_eq!(settings.access_ttl, Duration::from_secs(15 * 60));
    assert_eq!(settings.refresh_ttl, Duration::from_secs(30 * 86_400));
    assert_eq!(settings.cors_origins, CorsOrigins::Any);
    assert_eq!((settings.max_body, settings.max_content, settings.max_photo), (16 << 20, 64 << 10, 10 << 20));
    assert_eq!(settings.workers, std::thread::available_parallelism().unwrap());
    assert_eq!(settings.database_pool.get(), mango_persistence::Options::default().max_connections);
    assert_eq!(settings.shutdown_timeout, Duration::from_secs(10));
    assert_eq!(settings.cookie_secure, CookieSecure::Auto);
    assert_eq!(settings.log, "info");
    assert_eq!(settings.log_format, LogFormat::Text);
    assert!(!settings.log_files);
}

#[test]
fn every_setting_can_be_set() {
    let Loaded { settings, warnings } = load(&[
        ("MANGO_BIND", "[::1]:8080"),
        ("MANGO_DATA_DIR", "/var/lib/mango"),
        ("DATABASE_URL", "postgres://mango:swordfish@db/mango"),
        ("MANGO_DATABASE_POOL", "20"),
        ("MANGO_WORKERS", "3"),
        ("MANGO_SHUTDOWN_TIMEOUT", "1m"),
        ("MANGO_TRUSTED_PROXIES", "127.0.0.1, fd00::/8"),
        ("MANGO_JWT_SECRET", SECRET),
        ("MANGO_ACCESS_TTL", "5m"),
        ("MANGO_REFRESH_TTL", "7d"),
        ("MANGO_REQUIRE_CURRENT_PASSWORD", "true"),
        ("MANGO_COOKIE_SECURE", "true"),
        ("MANGO_CORS_ORIGINS", "https://chat.example.org"),
        ("MANGO_MAX_BODY", "8MiB"),
        ("MANGO_MAX_CONTENT", "1000"),
        ("MANGO_MAX_PHOTO", "1MiB"),
        ("MANGO_RATE_SEND", "7+2/s"),
        ("MANGO_RATE_READ", "off"),
        ("MANGO_RATE_CHANGE_PHONE", "2+4/d"),
        ("MANGO_RATE_LOGIN_ACCOUNT", "9+1/h"),
        ("MANGO_FAILED_LOGIN_DELAY", "5s"),
        ("MANGO_LOG", "warn"),
        ("MANGO_LOG_FORMAT", "json"),
        ("MANGO_LOG_FILES", "true"),
    ])
    .unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    assert_eq!(settings.bind.to_string(), "[::1]:8080");
    assert_eq!(settings.key_file(), PathBuf::from("/var/lib/mango/jwt.key"));
    assert_eq!(settings.database.to_string(), "postgres://mango@db/mango");
    assert_eq!((settings.database_pool.get(), settings.workers.get()), (20, 3));
    assert_eq!(settings.shutdown_timeout, Duration::from_secs(60));
    assert_eq!(settings.jwt_secret.as_ref().unwrap().expose(), SECRET.as_bytes());
    assert_eq!(
        (settings.access_ttl, settings.refresh_ttl),
        (Duration::from_secs(300), Duration::from_secs(7 * 86_400))
    );
    assert!(settings.require_current_password);
    assert_eq!(settings.trusted_proxies, TrustedProxies::parse("127.0.0.1,fd00::/8").unwrap());
    assert_eq!(settings.cookie_secure, CookieSecure::Always);
    assert_eq!(settings.cors_origins, CorsOrigins::Only(vec!["https://chat.example.org".to_owned()]));
    assert_eq!((settings.max_body, settings.max_content, settings.max_photo), (8 << 20, 1000, 1 << 20));
    assert_eq!((settings.log.as_str(), settings.log_format, settings.log_files), ("warn", LogFormat::Json, true));
    let send = settings.rates.send.unwrap();
    assert_eq!((send.burst.get(), send.interval, settings.rates.read), (7, Duration::from_millis(500), None));
    let phone = settings.rates.change_phone.unwrap();
    assert_eq!((phone.burst.get(), phone.interval), (2, Duration::from_secs(6 * 3600)));
    let account = settings.rates.log_in_account.unwrap();
    assert_eq!((account.burst.get(), account.interval), (9, Duration::from_secs(3600)));
    assert_eq!(settings.failed_login_delay, Duration::from_secs(5));
    let off = load(&[("MANGO_RATE_LIMITS", "off"), ("MANGO_RATE_SEND", "7+2/s")]).unwrap().settings;
    assert_eq!((off.rates, off.failed_login_delay), (Quotas::default(), Duration::ZERO));
    let shown = format!("{settings:?}");
    assert!(!shown.contains(SECRET) && !shown.contains("swordfish"), "{shown}");
}

#[test]
fn the_environment_wins_over_the_file_and_the_file_over_the_default() {
    let dotenv = "MANGO_WORKERS=3\nMANGO_DATABASE_POOL=7\nMANGO_LOG=warn\n";
    let settings = load_with_dotenv(&[("MANGO_WORKERS", "5"), ("MANGO_LOG", "")], dotenv).unwrap().settings;
    assert_eq!(settings.workers.get(), 5);
    assert_eq!(settings.database_pool.get(), 7);
    assert_eq!(settings.log, "info", "an empty value stands for the default, in front of the file too");
}

#[test]
fn the_file_is_read_as_shells_read_it() {
    let dotenv = "\u{feff}# a comment\n\nexport MANGO_WORKERS=3 # three\nMANGO_LOG='warn'\nMANGO_DATABASE_POOL=\"7\"\nMANGO_LOG_FILES=true ";
    let settings = load_with_dotenv(&[], dotenv).unwrap().settings;
    assert_eq!((settings.workers.get(), settings.database_pool.get()), (3, 7));
    assert_eq!((settings.log.as_str(), settings.log_files), ("warn", true));
    let dollar = "MANGO_JWT_SECRET='$ecret and $ecret and $ecret and $ecret'";
    let secret = load_with_dotenv(&[], dollar).unwrap().settings.jwt_secret.unwrap();
    assert_eq!(secret.expose(), b"$ecret and $ecret and $ecret and $ecret");
}

#[test]
fn a_file_that_is_not_there_is_fine_and_one_that_cannot_be_read_is_not() {
    let dir = tempdir().unwrap();
    assert!(Settings::load([], Some(&dir.path().join(".env"))).is_ok());
    let ConfigError(lines) = Settings::load([], Some(dir.path())).unwrap_err();
    assert!(lines.len() == 1 && lines[0].contains("cannot be read"), "{lines:?}");
}

#[test]
fn a_line_that_cannot_be_read_is_named_and_not_shown() {
    for bad in [format!("MANGO_JWT_SECRET={SECRET}"), format!("MANGO_JWT_SECRET='{SECRET}"), SECRET.to_owned()] {
        let dotenv = format!("MANGO_WORKERS=3\n# {SECRET}\n{bad}\nMANGO_LOG=info\n");
        let ConfigError(lines) = load_with_dotenv(&[], &dotenv).unwrap_err();
        let expected = ".env line 3 cannot be read; allowed is NAME=value, in quotes when it holds blanks, # or $";
        assert_eq!(lines, [expected], "{bad}");
    }
}

#[test]
fn a_bad_value_is_one_line_that_says_what_is_allowed() {
    let table = [
        (
            "MANGO_BIND",
            "localhost",
            "MANGO_BIND=localhost in the environment cannot be used; allowed is an IP address and a port, such as 0.0.0.0:5000 or [::1]:5000",
        ),
        (
            "MANGO_ACCESS_TTL",
            "15",
            "MANGO_ACCESS_TTL=15 in the environment cannot be used; allowed is a duration from 1s to 3650d, such as 15m, 12h or 30d",
        ),
        (
            "MANGO_WORKERS",
            "two\nlines",
            "MANGO_WORKERS=two\\nlines in the environment cannot be used; allowed is a whole number from 1 to 1024",
        ),
        (
            "MANGO_DATA_DIR",
            "bad\u{fffd}name",
            "MANGO_DATA_DIR=bad\u{fffd}name in the environment cannot be used; allowed is the path of a folder",
        ),
        (
            "MANGO_LOG",
            "inof",
            "MANGO_LOG=inof in the environment cannot be used; allowed is error, warn, info, debug, trace or off, also for each module, such as info or warn,mango_http=debug",
        ),
        (
            "MANGO_JWT_SECRET",
            "swordfish",
            "MANGO_JWT_SECRET in the environment (its value is not shown) cannot be used; allowed is a secret of at least 32 bytes",
        ),
        (
            "DATABASE_URL",
            "mysql://mango:swordfish@db/mango",
            "DATABASE_URL in the environment (its value is not shown) cannot be used; allowed is postgres://user:password@host:5432/database, with @ / ? # and % in the password written as %40 %2F %3F %23 and %25, or sqlite:path/of/a/file",
        ),
    ];
    for (name, value, expected) in table {
        assert_eq!(load(&[(name, value)]).unwrap_err().to_string(), expected);
    }
}

/// Such a URL is often one whose password has signs in it that end the host; what is behind them must not be shown.
#[test]
fn a_password_that_breaks_the_url_is_not_shown_and_the_way_to_write_it_is_said() {
    for password in ["blue/gill", "blue?gill", "blue#gill", "1/blue@gill", "5#gill"] {
        let line = load(&[("DATABASE_URL", &format!("postgres://mango:{password}@db/mango"))]).unwrap_err().to_string();
        assert!(!line.contains("gill") && !line.contains("blue") && line.contains("%40 %2F %3F %23"), "{line}");
    }
    let loaded = load(&[("DATABASE_URL", "postgres://mango:blue%40%2F%3F%23%25gill@db/mango")]).unwrap();
    assert_eq!(loaded.settings.database.to_string(), "postgres://mango@db/mango");
}

#[test]
fn every_setting_refuses_nonsense_and_names_itself() {
    // The control character is for the settings that take nearly any text, such as a folder.
    for setting in SETTINGS {
        let nonsense = "=\u{7}=";
        let line = load(&[(setting.name, nonsense)]).expect_err(setting.name).to_string();
        assert!(line.starts_with(setting.name) && line.contains(setting.allowed), "{line}");
        assert_eq!(line.lines().count(), 1);
        assert_eq!(line.contains("=\\u{7}="), !setting.secret, "{line}");
    }
}

#[test]
fn a_long_value_is_cut() {
    let line = load(&[("MANGO_BIND", &"x".repeat(10_000))]).unwrap_err().to_string();
    assert!(line.contains("xxx…") && line.len() < 250, "{line}");
}

#[test]
fn all_that_is_wrong_is_told_at_once_with_its_place() {
    let ConfigError(lines) =
        load_with_dotenv(&[("MANGO_LOG_FILES", "yes")], "MANGO_WORKERS=0\nMANGO_MAX_BODY=16MB\n").unwrap_err();
    let starts = ["MANGO_MAX_BODY=16MB in .env", "MANGO_WORKERS=0 in .env", "MANGO_LOG_FILES=yes in the environment"];
    assert_eq!(lines.len(), starts.len(), "{lines:?}");
    for (line, start) in lines.iter().zip(starts) {
        assert!(line.starts_with(start), "{line}");
    }
}

#[test]
fn a_name_that_is_not_a_setting_is_a_warning() {
    let set = [("MANGO_WORKER", "3"), ("MANGO_PORT_5000_TCP_ADDR", "10.0.0.1"), ("PATH", "/bin"), ("MANGO", "fruit")];
    let warnings = load_with_dotenv(&set, "MANGO_BNID=0.0.0.0:80\nPOSTGRES_PASSWORD=swordfish\n").unwrap().warnings;
    assert_eq!(
        warnings,
        [
            "MANGO_BNID in .env is not a setting; did you mean MANGO_BIND?",
            "MANGO_PORT_5000_TCP_ADDR in the environment is not a setting; mango --help lists the settings",
            "MANGO_WORKER in the environment is not a setting; did you mean MANGO_WORKERS?",
        ]
    );
    assert!(SETTINGS.iter().all(|setting| nearest(setting.name) == Some(setting)));
}

#[test]
fn settings_that_contradict_each_other_are_a_warning() {
    let table = [
        (("MANGO_MAX_PHOTO", "12MiB"), 0),
        (("MANGO_MAX_PHOTO", "13MiB"), 1),
        (("MANGO_MAX_CONTENT", "17MiB"), 1),
        (("MANGO_ACCESS_TTL", "31d"), 1),
        (("MANGO_TRUSTED_PROXIES", "10.0.0.0/8"), 0),
        (("MANGO_TRUSTED_PROXIES", "10.0.0.1,::/0"), 1),
    ];
    for (set, expected) in table {
        let warnings = load(&[set]).unwrap().warnings;
        assert_eq!(warnings.len(), expected, "{set:?}: {warnings:?}");
    }
}
