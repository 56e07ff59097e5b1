//! The notations of the settings: durations, sizes, numbers, origins. Each answers `None` for what is not allowed.

use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::thread::available_parallelism;
use std::time::Duration;

use mango_domain::model::Quota;
use mango_persistence::DatabaseUrl;
use mango_security::SigningKey;
use url::Url;

use super::{CookieSecure, CorsOrigins, LogFormat};

const MAX_COUNT: usize = 1024;
const MAX_MANY: usize = 1_000_000;
const MAX_QUOTA: u32 = 1_000_000;
const MAX_SIZE: usize = 1 << 30;
const MAX_LIFETIME: Duration = Duration::from_secs(3650 * 24 * 3600);
const MAX_TIMEOUT: Duration = Duration::from_secs(3600);

pub(super) fn address(value: &str) -> Option<SocketAddr> {
    value.parse().ok()
}

pub(super) fn folder(value: &str) -> Option<PathBuf> {
    Some(value.into())
}

/// The address of a database, or `Some(None)` when none is given.
pub(super) fn database(value: &str) -> Option<Option<DatabaseUrl>> {
    if value.is_empty() { Some(None) } else { value.parse().ok().map(Some) }
}

/// A key, or `Some(None)` when none is given.
pub(super) fn secret(value: &str) -> Option<Option<SigningKey>> {
    if value.is_empty() { Some(None) } else { SigningKey::new(value).ok().map(Some) }
}

/// How long a token is good: whole seconds, since that is what a token can say.
pub(super) fn lifetime(value: &str) -> Option<Duration> {
    let duration = humantime::parse_duration(value).ok()?;
    let allowed = (Duration::from_secs(1)..=MAX_LIFETIME).contains(&duration) && duration.subsec_nanos() == 0;
    allowed.then_some(duration)
}

pub(super) fn timeout(value: &str) -> Option<Duration> {
    humantime::parse_duration(value).ok().filter(|duration| *duration <= MAX_TIMEOUT)
}

pub(super) fn size(value: &str) -> Option<usize> {
    let (number, unit) = value.split_at(value.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.len()));
    let unit = match unit.trim_start().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        _ => return None,
    };
    let size = number.parse::<usize>().ok()?.checked_mul(unit)?;
    (1..=MAX_SIZE).contains(&size).then_some(size)
}

pub(super) fn count(value: &str) -> Option<NonZeroUsize> {
    value.parse::<NonZeroUsize>().ok().filter(|count| count.get() <= MAX_COUNT)
}

pub(super) fn many(value: &str) -> Option<NonZeroUsize> {
    value.parse::<NonZeroUsize>().ok().filter(|count| count.get() <= MAX_MANY)
}

/// A number, or `Some(None)` when none is given.
pub(super) fn many_if_any(value: &str) -> Option<Option<NonZeroUsize>> {
    if value.is_empty() { Some(None) } else { many(value).map(Some) }
}

/// A count; the number of cores when it is empty.
pub(super) fn workers(value: &str) -> Option<NonZeroUsize> {
    if value.is_empty() { Some(available_parallelism().unwrap_or(NonZeroUsize::MIN)) } else { count(value) }
}

/// `on` or `off`.
pub(super) fn switch(value: &str) -> Option<bool> {
    match value {
        "on" => Some(true),
        "off" => Some(false),
        _ => None,
    }
}

/// So many at once and so many in a time after that, or `Some(None)` when there is no limit.
pub(super) fn quota(value: &str) -> Option<Option<Quota>> {
    if value == "off" {
        return Some(None);
    }
    let (burst, rate) = value.split_once('+')?;
    let (count, unit) = rate.split_once('/')?;
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    let (burst, count) = (burst.parse::<NonZeroU32>().ok()?, count.parse::<NonZeroU32>().ok()?);
    let allowed = burst.get().max(count.get()) <= MAX_QUOTA;
    allowed.then(|| Some(Quota { burst, interval: Duration::from_secs(unit) / count.get() }))
}

pub(super) fn boolean(value: &str) -> Option<bool> {
    value.parse().ok()
}

pub(super) fn cookie_secure(value: &str) -> Option<CookieSecure> {
    match value {
        "auto" => Some(CookieSecure::Auto),
        "true" => Some(CookieSecure::Always),
        "false" => Some(CookieSecure::Never),
        _ => None,
    }
}

pub(super) fn log_format(value: &str) -> Option<LogFormat> {
    match value {
        "auto" | "text" => Some(LogFormat::Text),
        "json" => Some(LogFormat::Json),
        _ => None,
    }
}

pub(super) fn origins(value: &str) -> Option<CorsOrigins> {
    if value.trim() == "*" {
        return Some(CorsOrigins::Any);
    }
    value.split(',').map(|one| origin(one.trim())).collect::<Option<_>>().map(CorsOrigins::Only)
}

/// An origin as browsers send it: a scheme, a host, a port unless it is the usual one, and nothing behind.
fn origin(value: &str) -> Option<String> {
    let url = Url::parse(value).ok()?;
    let bare =
        url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    let web = matches!(url.scheme(), "http" | "https");
    // Nothing is matched by a pattern; an origin with a star would let nobody in.
    let exact = !value.contains('*');
    (web && bare && exact && url.path() == "/").then(|| url.origin().ascii_serialization())
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use super::*;

    fn check<T: PartialEq + Debug>(parse: fn(&str) -> Option<T>, table: &[(&str, Option<T>)]) {
        for (value, expected) in table {
            assert_eq!(parse(value), *expected, "{value:?}");
        }
    }

    #[test]
    fn addresses() {
        check(
            |value| address(value).map(|address| address.to_string()),
            &[
                ("127.0.0.1:5000", Some("127.0.0.1:5000".to_owned())),
                ("[::]:80", Some("[::]:80".to_owned())),
                ("0.0.0.0:0", Some("0.0.0.0:0".to_owned())),
                ("localhost:5000", None),
                ("127.0.0.1", None),
                (":5000", None),
                ("127.0.0.1:65536", None),
            ],
        );
    }

    #[test]
    fn lifetimes() {
        let seconds = |s| Some(Duration::from_secs(s));
        check(
            lifetime,
            &[
                ("15m", seconds(900)),
                ("30d", seconds(30 * 86_400)),
                ("1h 30m", seconds(5400)),
                ("1s", seconds(1)),
                ("3650d", seconds(3650 * 86_400)),
                ("3651d", None),
                ("0s", None),
                ("999ms", None),
                ("1500ms", None),
                ("15", None),
                ("-15m", None),
                ("soon", None),
                ("99999999999999999999d", None),
            ],
        );
    }

    #[test]
    fn timeouts() {
        check(
            timeout,
            &[
                ("10s", Some(Duration::from_secs(10))),
                ("500ms", Some(Duration::from_millis(500))),
                ("0s", Some(Duration::ZERO)),
                ("1h", Some(Duration::from_secs(3600))),
                ("2h", None),
                ("10", None),
            ],
        );
    }

    #[test]
    fn sizes() {
        check(
            size,
            &[
                ("1", Some(1)),
                ("65536", Some(65_536)),
                ("64KiB", Some(65_536)),
                ("64 kib", Some(65_536)),
                ("16MiB", Some(16 << 20)),
                ("1GiB", Some(1 << 30)),
                ("100B", Some(100)),
                ("0", None),
                ("2GiB", None),
                ("64KB", None),
                ("64K", None),
                ("1.5MiB", None),
                ("-1", None),
                ("KiB", None),
                ("99999999999999999999", None),
                ("18446744073709551615KiB", None),
                ("6４", None),
            ],
        );
    }

    #[test]
    fn counts() {
        check(
            |value| count(value).map(NonZeroUsize::get),
            &[
                ("1", Some(1)),
                ("1024", Some(1024)),
                ("0", None),
                ("1025", None),
                ("-1", None),
                ("many", None),
                ("", None),
            ],
        );
        assert_eq!((many_if_any(""), many_if_any("7")), (Some(None), Some(NonZeroUsize::new(7))));
        assert_eq!((many_if_any("0"), many_if_any("1000001")), (None, None));
        assert_eq!(workers(""), Some(available_parallelism().unwrap()));
        assert_eq!(workers("3"), NonZeroUsize::new(3));
        assert_eq!(workers("0"), None);
    }

    #[test]
    fn quotas() {
        let some = |burst, interval| Some(Some(Quota { burst: NonZeroU32::new(burst).unwrap(), interval }));
        check(
            quota,
            &[
                ("100+20/s", some(100, Duration::from_millis(50))),
                ("1+1/d", some(1, Duration::from_secs(86_400))),
                ("50+10/m", some(50, Duration::from_secs(6))),
                ("1000000+1000000/h", some(1_000_000, Duration::from_micros(3600))),
                ("off", Some(None)),
                ("0+1/s", None),
                ("1+0/s", None),
                ("1000001+1/s", None),
                ("20/s", None),
                ("100+20", None),
                ("100+20/w", None),
                ("100 + 20/s", None),
                ("-1+1/s", None),
                ("", None),
            ],
        );
    }

    #[test]
    fn words() {
        check(switch, &[("on", Some(true)), ("off", Some(false)), ("true", None)]);
        check(boolean, &[("true", Some(true)), ("false", Some(false)), ("yes", None), ("1", None), ("True", None)]);
        check(
            cookie_secure,
            &[
                ("auto", Some(CookieSecure::Auto)),
                ("true", Some(CookieSecure::Always)),
                ("false", Some(CookieSecure::Never)),
                ("always", None),
            ],
        );
        check(
            log_format,
            &[
                ("auto", Some(LogFormat::Text)),
                ("text", Some(LogFormat::Text)),
                ("json", Some(LogFormat::Json)),
                ("JSON", None),
            ],
        );
    }

    #[test]
    fn cors_origins() {
        let only = |origins: &[&str]| Some(CorsOrigins::Only(origins.iter().map(ToString::to_string).collect()));
        check(
            origins,
            &[
                ("*", Some(CorsOrigins::Any)),
                ("https://chat.example.org", only(&["https://chat.example.org"])),
                ("https://Chat.Example.org:443/", only(&["https://chat.example.org"])),
                ("http://localhost:3000, http://[::1]:80", only(&["http://localhost:3000", "http://[::1]"])),
                ("*,https://chat.example.org", None),
                ("https://*.example.org", None),
                ("chat.example.org", None),
                ("https://chat.example.org/app", None),
                ("https://chat.example.org?a", None),
                ("https://me@chat.example.org", None),
                ("https://chat.example.org,", None),
                ("null", None),
                ("file:///", None),
            ],
        );
    }

    #[test]
    fn databases() {
        assert_eq!(database(""), Some(None));
        assert_eq!(database("sqlite:chat.db"), Some(Some(DatabaseUrl::sqlite("chat.db"))));
        assert!(matches!(database("postgres://mango@db/mango"), Some(Some(url)) if url.file().is_none()));
        assert_eq!(database("mysql://mango@db/mango"), None);
    }

    #[test]
    fn secrets() {
        assert!(matches!(secret(""), Some(None)));
        assert!(secret("thirty-one bytes are not enough").is_none());
        assert_eq!(secret("thirty-two bytes, just long enou").unwrap().unwrap().expose().len(), 32);
    }
}
