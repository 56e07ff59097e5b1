//! The database's address, which tells the kind of database too.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use thiserror::Error;
use url::Url;

/// Where the database is: `postgres://…` (or `postgresql://…`), or `sqlite:<path of a file>`.
///
/// Neither its debug nor its display form shows the password.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl(pub(crate) Address);

#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Address {
    Postgres(Url),
    Sqlite(PathBuf),
}

/// Why an address cannot be a database's. It does not repeat the address, which may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DatabaseUrlError {
    /// It begins with something else.
    #[error("must begin with postgres://, postgresql:// or sqlite:")]
    Scheme,
    /// It is not a URL.
    #[error("is not a URL: {0}")]
    Malformed(String),
    /// There is an `@` behind the host, so that the host is likely to be a part of a password.
    #[error("must have @ / ? # and % in a password written as %40 %2F %3F %23 and %25, and @ behind the host as %40")]
    NotEncoded,
    /// No host is named, neither before the name of the database nor behind it.
    #[error("must name a host, such as postgres://mango@localhost/mango")]
    NoHost,
    /// No file is named.
    #[error("must name a file after sqlite:, such as sqlite:./data/mango.db (a database in memory is not supported)")]
    NoFile,
}

impl DatabaseUrl {
    /// The SQLite database in this file.
    #[must_use]
    pub fn sqlite(path: impl Into<PathBuf>) -> Self {
        Self(Address::Sqlite(path.into()))
    }

    /// The file of the database, when it is SQLite.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match &self.0 {
            Address::Postgres(_) => None,
            Address::Sqlite(path) => Some(path),
        }
    }
}

impl FromStr for DatabaseUrl {
    type Err = DatabaseUrlError;

    fn from_str(raw: &str) -> Result<Self, DatabaseUrlError> {
        if raw.starts_with("postgres://") || raw.starts_with("postgresql://") {
            // In a URL the first of these signs ends the host. When it is in a password, a part of the password would be the
            // host, which is shown, and the rest would be the name of the database, which is shown too.
            let (_, rest) = raw.split_once("://").unwrap_or_default();
            if rest.split_once(['/', '?', '#']).is_some_and(|(_, behind)| behind.contains('@')) {
                return Err(DatabaseUrlError::NotEncoded);
            }
            let url = Url::parse(raw).map_err(|error| DatabaseUrlError::Malformed(error.to_string()))?;
            let named = |(name, value): (Cow<'_, str>, Cow<'_, str>)| name.starts_with("host") && !value.is_empty();
            if url.host_str().is_none_or(str::is_empty) && !url.query_pairs().any(named) {
                return Err(DatabaseUrlError::NoHost);
            }
            return Ok(Self(Address::Postgres(url)));
        }
        let rest = raw.strip_prefix("sqlite:").ok_or(DatabaseUrlError::Scheme)?;
        match rest.strip_prefix("//").unwrap_or(rest) {
            "" | ":memory:" => Err(DatabaseUrlError::NoFile),
            path => Ok(Self::sqlite(path)),
        }
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Address::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            // The query is left out with the password, because it may hold one as well.
            Address::Postgres(url) => {
                f.write_str("postgres://")?;
                if !url.username().is_empty() {
                    write!(f, "{}@", url.username())?;
                }
                f.write_str(url.host_str().unwrap_or_default())?;
                if let Some(port) = url.port() {
                    write!(f, ":{port}")?;
                }
                f.write_str(url.path())
            }
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(raw: &str, shown: Result<&str, DatabaseUrlError>) {
        assert_eq!(raw.parse::<DatabaseUrl>().map(|url| url.to_string()), shown.map(str::to_owned), "{raw}");
    }

    #[test]
    fn knows_its_schemes() {
        check("sqlite:./data/mango.db", Ok("sqlite:./data/mango.db"));
        check("sqlite:///var/mango.db", Ok("sqlite:/var/mango.db"));
        check("sqlite://mango.db", Ok("sqlite:mango.db"));
        check("postgres://localhost/mango", Ok("postgres://localhost/mango"));
        check("postgresql://u@h:5433/mango", Ok("postgres://u@h:5433/mango"));
        check("postgres:///mango?host=/run/postgresql", Ok("postgres:///mango"));
        for nowhere in ["postgres://", "postgres:///mango", "postgresql:///mango?user=mango&host="] {
            check(nowhere, Err(DatabaseUrlError::NoHost));
        }
        check("sqlite:", Err(DatabaseUrlError::NoFile));
        check("sqlite::memory:", Err(DatabaseUrlError::NoFile));
        check("mysql://localhost/mango", Err(DatabaseUrlError::Scheme));
        check("data/mango.db", Err(DatabaseUrlError::Scheme));
        check("postgres://h:port/db", Err(DatabaseUrlError::Malformed("invalid port number".to_owned())));
    }

    #[test]
    fn never_shows_a_password() {
        let url: DatabaseUrl = "postgres://u:s3cret@h/db?password=s3cret".parse().unwrap();
        assert_eq!(format!("{url} {url:?}"), "postgres://u@h/db DatabaseUrl(postgres://u@h/db)");
        for sign in ["@", "%40", "%2F", "%3F", "%23", "%25", ":", "&", "+", "%"] {
            let url: DatabaseUrl = format!("postgres://u:s3{sign}cret@h/db").parse().unwrap();
            assert_eq!(url.to_string(), "postgres://u@h/db", "{sign}");
        }
    }

    #[test]
    fn refuses_what_may_be_a_password_behind_the_host() {
        for sign in ["/", "?", "#", "@1/", "/@", "1#"] {
            check(&format!("postgres://u:s3{sign}cret@h/db"), Err(DatabaseUrlError::NotEncoded));
        }
        check("postgres://u@h/db?application_name=a@b", Err(DatabaseUrlError::NotEncoded));
        check("postgres://u@h/db?application_name=a%40b", Ok("postgres://u@h/db"));
        let said = DatabaseUrlError::NotEncoded.to_string();
        for written in ["%40", "%2F", "%3F", "%23", "%25"] {
            assert!(said.contains(written), "{said}");
        }
    }
}
