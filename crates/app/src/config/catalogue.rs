//! The list of what can be set: names, defaults, and what is allowed.

use std::fmt::Write;

/// One setting.
#[derive(Debug, PartialEq, Eq)]
pub struct Setting {
    /// The name of the environment variable.
    pub name: &'static str,
    /// The value that an unset or empty variable stands for, in the same notation; empty when it depends on the machine or on
    /// other settings.
    pub default: &'static str,
    /// What it is, in one line.
    pub help: &'static str,
    /// The values that are allowed, worded to follow "allowed is".
    pub allowed: &'static str,
    /// Whether the value must not be shown.
    pub secret: bool,
}

/// Every setting, in the order of `.env.example`.
pub const SETTINGS: [&Setting; 36] = [
    &BIND,
    &DATA_DIR,
    &DATABASE_URL,
    &DATABASE_POOL,
    &WORKERS,
    &SHUTDOWN_TIMEOUT,
    &TRUSTED_PROXIES,
    &JWT_SECRET,
    &JWT_SECRET_PREVIOUS,
    &ACCESS_TTL,
    &REFRESH_TTL,
    &AUDIT_RETENTION,
    &REQUIRE_CURRENT_PASSWORD,
    &COOKIE_SECURE,
    &CORS_ORIGINS,
    &MAX_BODY,
    &MAX_CONTENT,
    &MAX_PHOTO,
    &MAX_SOCKETS_PER_USER,
    &MAX_SOCKETS_PER_ADDRESS,
    &MAX_CONNECTIONS_PER_ADDRESS,
    &RATE_LIMITS,
    &RATE_SIGN_UP,
    &RATE_LOGIN,
    &RATE_REFRESH,
    &RATE_CONNECT,
    &RATE_SEND,
    &RATE_CREATE,
    &RATE_READ,
    &RATE_UPLOAD,
    &RATE_CHANGE_PHONE,
    &RATE_LOGIN_ACCOUNT,
    &FAILED_LOGIN_DELAY,
    &LOG,
    &LOG_FORMAT,
    &LOG_FILES,
];

const A_DURATION: &str = "a duration from 1s to 3650d, such as 15m, 12h or 30d";
const A_RATE: &str =
    "so many at once and so many in a second, minute, hour or day after that, such as 100+20/s or 50+10/m, or off";
const A_SIZE: &str = "a size from 1 byte to 1GiB, such as 65536, 64KiB or 16MiB";

/// `MANGO_BIND`
pub const BIND: Setting = Setting {
    name: "MANGO_BIND",
    default: "127.0.0.1:5000",
    help: "the address and port to listen on",
    allowed: "an IP address and a port, such as 0.0.0.0:5000 or [::1]:5000",
    secret: false,
};

/// `MANGO_DATA_DIR`
pub const DATA_DIR: Setting = Setting {
    name: "MANGO_DATA_DIR",
    default: "./data",
    help: "the folder of the database file, photos, signing key and logs",
    allowed: "the path of a folder",
    secret: false,
};

/// `DATABASE_URL`
pub const DATABASE_URL: Setting = Setting {
    name: "DATABASE_URL",
    default: "",
    help: "the database; without it, SQLite in the file mango.db of the data folder",
    allowed: "postgres://user:password@host:5432/database, with @ / ? # and % in the password written as %40 %2F %3F %23 and %25, or sqlite:path/of/a/file",
    // It may hold a password.
    secret: true,
};

/// `MANGO_DATABASE_POOL`
pub const DATABASE_POOL: Setting = Setting {
    name: "MANGO_DATABASE_POOL",
    default: "10",
    help: "most connections to the database, beside those that commit messages",
    allowed: "a whole number from 1 to 1024",
    secret: false,
};

/// `MANGO_WORKERS`
pub const WORKERS: Setting = Setting {
    name: "MANGO_WORKERS",
    default: "",
    help: "how many threads serve requests; without it, one for each core",
    allowed: "a whole number from 1 to 1024",
    secret: false,
};

/// `MANGO_SHUTDOWN_TIMEOUT`
pub const SHUTDOWN_TIMEOUT: Setting = Setting {
    name: "MANGO_SHUTDOWN_TIMEOUT",
    default: "10s",
    help: "how long a shutdown waits for requests in flight",
    allowed: "a duration from 0s to 1h, such as 10s or 500ms",
    secret: false,
};

/// `MANGO_TRUSTED_PROXIES`
pub const TRUSTED_PROXIES: Setting = Setting {
    name: "MANGO_TRUSTED_PROXIES",
    default: "",
    help: "the reverse proxies whose Forwarded and X-Forwarded-For are believed",
    allowed: "addresses and networks separated by commas, such as 127.0.0.1,10.0.0.0/8,fd00::/8",
    secret: false,
};

/// `MANGO_JWT_SECRET`
pub const JWT_SECRET: Setting = Setting {
    name: "MANGO_JWT_SECRET",
    default: "",
    help: "the key that signs access tokens; without it, a random one kept in jwt.key of the data folder",
    allowed: "a secret of at least 32 bytes",
    secret: true,
};

/// `MANGO_JWT_SECRET_PREVIOUS`
pub const JWT_SECRET_PREVIOUS: Setting = Setting {
    name: "MANGO_JWT_SECRET_PREVIOUS",
    default: "",
    help: "a key that signed before: its access tokens are still taken",
    allowed: "a secret of at least 32 bytes",
    secret: true,
};

/// `MANGO_ACCESS_TTL`
pub const ACCESS_TTL: Setting = Setting {
    name: "MANGO_ACCESS_TTL",
    default: "15m",
    help: "how long an access token is good",
    allowed: A_DURATION,
    secret: false,
};

/// `MANGO_REFRESH_TTL`
pub const REFRESH_TTL: Setting = Setting {
    name: "MANGO_REFRESH_TTL",
    default: "30d",
    help: "how long a refresh token is good",
    allowed: A_DURATION,
    secret: false,
};

/// `MANGO_AUDIT_RETENTION`
pub const AUDIT_RETENTION: Setting = Setting {
    name: "MANGO_AUDIT_RETENTION",
    default: "90d",
    help: "how long the audit log of logins and the like is kept",
    allowed: A_DURATION,
    secret: false,
};

/// `MANGO_REQUIRE_CURRENT_PASSWORD`
pub const REQUIRE_CURRENT_PASSWORD: Setting = Setting {
    name: "MANGO_REQUIRE_CURRENT_PASSWORD",
    default: "false",
    help: "whether a user who wants a new password or phone has to give the current password",
    allowed: "true or false",
    secret: false,
};

/// `MANGO_COOKIE_SECURE`
pub const COOKIE_SECURE: Setting = Setting {
    name: "MANGO_COOKIE_SECURE",
    default: "auto",
    help: "whether the refresh cookie is sent over https only; auto asks X-Forwarded-Proto",
    allowed: "auto, true or false",
    secret: false,
};

/// `MANGO_CORS_ORIGINS`
pub const CORS_ORIGINS: Setting = Setting {
    name: "MANGO_CORS_ORIGINS",
    default: "*",
    help: "the origins of web pages that may call the server",
    allowed: "* or origins separated by commas, such as https://chat.example.org,http://localhost:3000",
    secret: false,
};

/// `MANGO_MAX_BODY`
pub const MAX_BODY: Setting = Setting {
    name: "MANGO_MAX_BODY",
    default: "16MiB",
    help: "most bytes of a body, such as one with a photo; logins and refreshes take 64 KiB",
    allowed: A_SIZE,
    secret: false,
};

/// `MANGO_MAX_CONTENT`
pub const MAX_CONTENT: Setting = Setting {
    name: "MANGO_MAX_CONTENT",
    default: "64KiB",
    help: "most bytes of a message's content",
    allowed: A_SIZE,
    secret: false,
};

/// `MANGO_MAX_PHOTO`
pub const MAX_PHOTO: Setting = Setting {
    name: "MANGO_MAX_PHOTO",
    default: "10MiB",
    help: "most bytes of a photo",
    allowed: A_SIZE,
    secret: false,
};

/// `MANGO_MAX_SOCKETS_PER_USER`
pub const MAX_SOCKETS_PER_USER: Setting = Setting {
    name: "MANGO_MAX_SOCKETS_PER_USER",
    default: "50",
    help: "most sockets that one user may have connected",
    allowed: "a whole number from 1 to 1000000",
    secret: false,
};

/// `MANGO_MAX_SOCKETS_PER_ADDRESS`
pub const MAX_SOCKETS_PER_ADDRESS: Setting = Setting {
    name: "MANGO_MAX_SOCKETS_PER_ADDRESS",
    default: "5000",
    help: "most sockets that may be open from one address",
    allowed: "a whole number from 1 to 1000000",
    secret: false,
};

/// `MANGO_MAX_CONNECTIONS_PER_ADDRESS`
pub const MAX_CONNECTIONS_PER_ADDRESS: Setting = Setting {
    name: "MANGO_MAX_CONNECTIONS_PER_ADDRESS",
    default: "",
    help: "most connections from one address; without it, twice MANGO_MAX_SOCKETS_PER_ADDRESS, but at most its share of the files that may be open",
    allowed: "a whole number from 1 to 1000000",
    secret: false,
};

/// `MANGO_RATE_LIMITS`
pub const RATE_LIMITS: Setting = Setting {
    name: "MANGO_RATE_LIMITS",
    default: "on",
    help: "whether there are limits on how often one may do something; off turns all of them off",
    allowed: "on or off",
    secret: false,
};

/// `MANGO_RATE_SIGN_UP`
pub const RATE_SIGN_UP: Setting = Setting {
    name: "MANGO_RATE_SIGN_UP",
    default: "50+10/m",
    help: "sign-ups from one address",
    allowed: A_RATE,
    secret: false,
};

/// `MANGO_RATE_LOGIN`
pub const RATE_LOGIN: Setting = Setting {
    name: "MANGO_RATE_LOGIN",
    default: "100+30/m",
    help: "logins from one address",
    allowed: A_RATE,
    secret: false,
};

/// `MANGO_RATE_REFRESH`
pub const RATE_REFRESH: Setting = Setting {
    name: "MANGO_RATE_REFRESH",
    default: "500+5/s",
    help: "new tokens for one address",
    allowed: A_RATE,
    secret: false,
};

/// `MANGO_RATE_CONNECT`
pub const RATE_CONNECT: Setting = Setting {
    name: "MANGO_RATE_CONNECT",
    default: "1000+50/s",
    help: "sockets opened from one address",
    allowed: A_RATE,
    secret: false,
};

/// `MANGO_RATE_SEND`
pub const RATE_SEND: Setting = Setting {
    name: "MANGO_RATE_SEND",
    default: "100+20/s",
    help: "messages, likes and pins of one user",
    allowed: A_RATE,
    secret: false,
};

/// `MANGO_RATE_CREATE`
pub const RATE_CREATE: Setting = Setting {
    name: "MANGO_RATE_CREATE",
    default: "50+1/s",
    help: "chats made and sessions ended by one user",
    allowed: A_RATE,
    secret: false,
};

/// `MANGO_RATE_READ`
pub const RATE_READ: Setting = Setting {
    name: "MANGO_RATE_READ",
    default: "500+50/s",
    help: "calls and events of one user that read",
    allowed: A_RATE,
    secret: false,
};

/// `MANGO_RATE_UPLOAD`
pub const RATE_UPLOAD: Setting = Setting {
    name: "MANGO_RATE_UPLOAD",
    default: "30+20/m",
    help: "calls of one user, or of one address without a login, that may hold a photo",
    allowed: A_RATE,
    secret: false,
};

/// `MANGO_RATE_CHANGE_PHONE`
pub const RATE_CHANGE_PHONE: Setting = Setting {
    name: "MANGO_RATE_CHANGE_PHONE",
    default: "3+3/d",
    help: "how often one user may take another phone",
    allowed: A_RATE,
    secret: false,
};

/// `MANGO_RATE_LOGIN_ACCOUNT`
pub const RATE_LOGIN_ACCOUNT: Setting = Setting {
    name: "MANGO_RATE_LOGIN_ACCOUNT",
    default: "100+1/m",
    help: "attempts to log in to one account from all addresses; beyond that only those where it is logged in may go on",
    allowed: A_RATE,
    secret: false,
};

/// `MANGO_FAILED_LOGIN_DELAY`
pub const FAILED_LOGIN_DELAY: Setting = Setting {
    name: "MANGO_FAILED_LOGIN_DELAY",
    default: "1m",
    help: "the longest wait after failed logins on an account from an address; 0s for none",
    allowed: "a duration from 0s to 1h, such as 10s or 500ms",
    secret: false,
};

/// `MANGO_LOG`
pub const LOG: Setting = Setting {
    name: "MANGO_LOG",
    default: "info",
    help: "which log lines are written: error, warn, info, debug, trace or off, also for each module",
    allowed: "error, warn, info, debug, trace or off, also for each module, such as info or warn,mango_http=debug",
    secret: false,
};

/// `MANGO_LOG_FORMAT`
pub const LOG_FORMAT: Setting = Setting {
    name: "MANGO_LOG_FORMAT",
    default: "auto",
    help: "how a log line looks; auto is text",
    allowed: "auto, text or json",
    secret: false,
};

/// `MANGO_LOG_FILES`
pub const LOG_FILES: Setting = Setting {
    name: "MANGO_LOG_FILES",
    default: "false",
    help: "whether the log also goes to daily files in logs of the data folder, kept for 14 days",
    allowed: "true or false",
    secret: false,
};

/// The setting whose name is nearest to one that does not exist, if it is near enough to have been meant: no more than a third of
/// its letters differ. The common prefix says nothing, and one that was written before DATABASE_URL is forgiven.
#[must_use]
pub fn nearest(name: &str) -> Option<&'static Setting> {
    let stem = |name: &str| name.strip_prefix("MANGO_").unwrap_or(name).to_owned();
    let written = stem(name);
    SETTINGS
        .into_iter()
        .map(|setting| (strsim::damerau_levenshtein(&stem(setting.name), &written), setting))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, _)| distance.saturating_mul(3) <= written.len())
        .map(|(_, setting)| setting)
}

/// The settings as `mango --help` lists them.
#[must_use]
pub fn help() -> String {
    let mut help = "Settings, from the environment or from .env in the current folder:\n".to_owned();
    for setting in SETTINGS {
        let default =
            if setting.default.is_empty() { String::new() } else { format!(" [default: {}]", setting.default) };
        // Writing to a string cannot fail.
        let _ = writeln!(help, "  {:<29} {}{default}", setting.name, setting.help);
    }
    help.push_str("\nAn empty value stands for the default. .env.example describes each of them.");
    help
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_finds_its_setting() {
        let table = [
            ("MANGO_WORKER", Some("MANGO_WORKERS")),
            ("MANGO_BNID", Some("MANGO_BIND")),
            ("MANGO_LOGFORMAT", Some("MANGO_LOG_FORMAT")),
            ("MANGO_JWT_SECRETS", Some("MANGO_JWT_SECRET")),
            ("MANGO_DATABASE_URL", Some("DATABASE_URL")),
            ("MANGO_PORT", None),
            ("MANGO_SERVICE_PORT_HTTP_ALT", None),
        ];
        for (written, meant) in table {
            assert_eq!(nearest(written).map(|setting| setting.name), meant, "{written}");
        }
    }

    #[test]
    fn help_names_every_setting_and_its_default() {
        let help = help();
        for setting in SETTINGS {
            let line = help.lines().find(|line| line.split_whitespace().next() == Some(setting.name)).unwrap();
            assert!(line.contains(setting.help) && line.contains(setting.default), "{line}");
        }
    }
}
