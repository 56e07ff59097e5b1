//! The settings of the server: read from the environment and from `.env`, checked, and typed.
//!
//! What can be set is listed in [`catalogue`]; `.env.example` describes it at length, and a test keeps the two equal.

pub mod catalogue;
mod log_filter;
mod parse;
mod source;

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mango_domain::model::Quotas;
use mango_http::TrustedProxies;
use mango_persistence::DatabaseUrl;
use mango_security::SigningKey;
use thiserror::Error;

use source::Source;

pub(crate) use source::holds_secret;

/// The file of settings, in the folder that the process was started from.
pub(crate) const DOTENV: &str = ".env";

/// Everything that can be set, checked and with its defaults filled in. Its debug output holds no secret.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The address and port to listen on (`MANGO_BIND`).
    pub bind: SocketAddr,
    /// The folder of the database file, the photos, the signing key and the logs (`MANGO_DATA_DIR`).
    pub data_dir: PathBuf,
    /// Where rows are kept (`DATABASE_URL`).
    pub database: DatabaseUrl,
    /// The key that signs access tokens (`MANGO_JWT_SECRET`); `None` for the one in [`Settings::key_file`].
    pub jwt_secret: Option<SigningKey>,
    /// A key that signed before (`MANGO_JWT_SECRET_PREVIOUS`).
    pub jwt_secret_previous: Option<SigningKey>,
    /// How long an access token is good (`MANGO_ACCESS_TTL`).
    pub access_ttl: Duration,
    /// How long a refresh token is good (`MANGO_REFRESH_TTL`).
    pub refresh_ttl: Duration,
    /// How long the audit log is kept (`MANGO_AUDIT_RETENTION`).
    pub audit_retention: Duration,
    /// Whether a new password or phone takes the current password (`MANGO_REQUIRE_CURRENT_PASSWORD`).
    pub require_current_password: bool,
    /// Which web pages may call the server (`MANGO_CORS_ORIGINS`).
    pub cors_origins: CorsOrigins,
    /// Most bytes of a request's body (`MANGO_MAX_BODY`).
    pub max_body: usize,
    /// Most bytes of a message's content (`MANGO_MAX_CONTENT`).
    pub max_content: usize,
    /// Most bytes of a photo, before base64 (`MANGO_MAX_PHOTO`).
    pub max_photo: usize,
    /// How many threads serve requests (`MANGO_WORKERS`).
    pub workers: NonZeroUsize,
    /// Most connections to the database (`MANGO_DATABASE_POOL`).
    pub database_pool: NonZeroUsize,
    /// How long a shutdown waits for requests in flight (`MANGO_SHUTDOWN_TIMEOUT`).
    pub shutdown_timeout: Duration,
    /// Which reverse proxies are believed when they say who the client is (`MANGO_TRUSTED_PROXIES`).
    pub trusted_proxies: TrustedProxies,
    /// When the refresh cookie is `Secure` (`MANGO_COOKIE_SECURE`).
    pub cookie_secure: CookieSecure,
    /// Most sockets that one user may have connected (`MANGO_MAX_SOCKETS_PER_USER`).
    pub max_sockets_per_user: NonZeroUsize,
    /// Most sockets that may be open from one address (`MANGO_MAX_SOCKETS_PER_ADDRESS`).
    pub max_sockets_per_address: NonZeroUsize,
    /// Most connections that may be open from one address (`MANGO_MAX_CONNECTIONS_PER_ADDRESS`); `None` for as many as go with the sockets
    /// and the files that the process may have open.
    pub max_connections_per_address: Option<NonZeroUsize>,
    /// How often one may do what (`MANGO_RATE_…`); no limits when `MANGO_RATE_LIMITS` is off.
    pub rates: Quotas,
    /// The longest wait after failed logins (`MANGO_FAILED_LOGIN_DELAY`).
    pub failed_login_delay: Duration,
    /// Which log lines are written, in the syntax of `tracing_subscriber::EnvFilter` (`MANGO_LOG`).
    pub log: String,
    /// How a log line looks (`MANGO_LOG_FORMAT`).
    pub log_format: LogFormat,
    /// Whether the log also goes to files in [`Settings::log_dir`] (`MANGO_LOG_FILES`).
    pub log_files: bool,
}

/// Which web pages may call the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CorsOrigins {
    /// Pages of any origin, without credentials.
    Any,
    /// Pages of these origins only, with credentials. Each is written as browsers send it: `https://chat.example.org`.
    Only(Vec<String>),
}

/// When the refresh cookie is marked `Secure`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CookieSecure {
    /// When `X-Forwarded-Proto` says that the request came over https.
    Auto,
    /// On every request.
    Always,
    /// On none.
    Never,
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Settings, and what the operator should know about them.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    /// One line each: a name that is not a setting, or settings that do not go together.
    pub warnings: Vec<String>,
}

/// Settings that cannot be used: one line each, naming the setting, its value unless it is a secret, and what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{}", .0.join("\n"))]
pub struct ConfigError(pub Vec<String>);

impl Settings {
    /// Reads the settings of this process: its environment, and `.env` in the folder it was started from.
    ///
    /// # Errors
    /// [`ConfigError`] when a value is not allowed or `.env` cannot be read.
    pub fn from_process() -> Result<Loaded, ConfigError> {
        // A name that is not UTF-8 cannot be one of ours. A value that is not comes out with a replacement character, which is
        // refused when the value is read.
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.to_string_lossy().into_owned())));
        Self::load(environment, Some(Path::new(DOTENV)))
    }

    /// Reads the settings from these variables and, for those that are not among them, from a file in the format of `.env`,
    /// which need not exist. An empty value stands for the default.
    ///
    /// # Errors
    /// [`ConfigError`] when a value is not allowed or the file cannot be read. All that is wrong is told at once.
    pub fn load(
        environment: impl IntoIterator<Item = (String, String)>,
        dotenv: Option<&Path>,
    ) -> Result<Loaded, ConfigError> {
        use catalogue as c;
        let mut source = Source::open(environment, dotenv).map_err(|problem| ConfigError(vec![problem]))?;
        let bind = source.read(&c::BIND, parse::address);
        let data_dir = source.read(&c::DATA_DIR, parse::folder);
        let database = source.read(&c::DATABASE_URL, parse::database);
        let jwt_secret = source.read(&c::JWT_SECRET, parse::secret);
        let jwt_secret_previous = source.read(&c::JWT_SECRET_PREVIOUS, parse::secret);
        let access_ttl = source.read(&c::ACCESS_TTL, parse::lifetime);
        let refresh_ttl = source.read(&c::REFRESH_TTL, parse::lifetime);
        let audit_retention = source.read(&c::AUDIT_RETENTION, parse::lifetime);
        let require_current_password = source.read(&c::REQUIRE_CURRENT_PASSWORD, parse::boolean);
        let cors_origins = source.read(&c::CORS_ORIGINS, parse::origins);
        let max_body = source.read(&c::MAX_BODY, parse::size);
        let max_content = source.read(&c::MAX_CONTENT, parse::size);
        let max_photo = source.read(&c::MAX_PHOTO, parse::size);
        let workers = source.read(&c::WORKERS, parse::workers);
        let database_pool = source.read(&c::DATABASE_POOL, parse::count);
        let shutdown_timeout = source.read(&c::SHUTDOWN_TIMEOUT, parse::timeout);
        let trusted_proxies = source.read(&c::TRUSTED_PROXIES, TrustedProxies::parse);
        let cookie_secure = source.read(&c::COOKIE_SECURE, parse::cookie_secure);
        let max_sockets_per_user = source.read(&c::MAX_SOCKETS_PER_USER, parse::many);
        let max_sockets_per_address = source.read(&c::MAX_SOCKETS_PER_ADDRESS, parse::many);
        let max_connections_per_address = source.read(&c::MAX_CONNECTIONS_PER_ADDRESS, parse::many_if_any);
        let rate_limits = source.read(&c::RATE_LIMITS, parse::switch);
        let sign_up = source.read(&c::RATE_SIGN_UP, parse::quota);
        let log_in = source.read(&c::RATE_LOGIN, parse::quota);
        let refresh = source.read(&c::RATE_REFRESH, parse::quota);
        let connect = source.read(&c::RATE_CONNECT, parse::quota);
        let send = source.read(&c::RATE_SEND, parse::quota);
        let create = source.read(&c::RATE_CREATE, parse::quota);
        let read = source.read(&c::RATE_READ, parse::quota);
        let upload = source.read(&c::RATE_UPLOAD, parse::quota);
        let change_phone = source.read(&c::RATE_CHANGE_PHONE, parse::quota);
        let log_in_account = source.read(&c::RATE_LOGIN_ACCOUNT, parse::quota);
        let failed_login_delay = source.read(&c::FAILED_LOGIN_DELAY, parse::timeout);
        let log = source.read(&c::LOG, log_filter::parse);
        source.hint(&c::LOG, log_filter::meant);
        let log_format = source.read(&c::LOG_FORMAT, parse::log_format);
        let log_files = source.read(&c::LOG_FILES, parse::boolean);
        let rates = || {
            Some(Quotas {
                sign_up: sign_up?,
                log_in: log_in?,
                refresh: refresh?,
                connect: connect?,
                send: send?,
                create: create?,
                read: read?,
                upload: upload?,
                change_phone: change_phone?,
                log_in_account: log_in_account?,
            })
        };
        let settings = || {
            let data_dir = data_dir?;
            Some(Self {
                bind: bind?,
                database: database?.unwrap_or_else(|| DatabaseUrl::sqlite(data_dir.join("mango.db"))),
                data_dir,
                jwt_secret: jwt_secret?,
                jwt_secret_previous: jwt_secret_previous?,
                access_ttl: access_ttl?,
                refresh_ttl: refresh_ttl?,
                audit_retention: audit_retention?,
                require_current_password: require_current_password?,
                cors_origins: cors_origins?,
                max_body: max_body?,
                max_content: max_content?,
                max_photo: max_photo?,
                workers: workers?,
                database_pool: database_pool?,
                shutdown_timeout: shutdown_timeout?,
                trusted_proxies: trusted_proxies?,
                cookie_secure: cookie_secure?,
                max_sockets_per_user: max_sockets_per_user?,
                max_sockets_per_address: max_sockets_per_address?,
                max_connections_per_address: max_connections_per_address?,
                rates: if rate_limits? { rates()? } else { Quotas::default() },
                failed_login_delay: failed_login_delay?.min(if rate_limits? { Duration::MAX } else { Duration::ZERO }),
                log: log?,
                log_format: log_format?,
                log_files: log_files?,
            })
        };
        let Some(settings) = settings() else { return Err(ConfigError(source.problems)) };
        let mut warnings = source.unknown();
        warnings.extend(settings.contradictions());
        Ok(Loaded { settings, warnings })
    }

    /// The file of the signing keys that are used without `MANGO_JWT_SECRET`.
    #[must_use]
    pub fn key_file(&self) -> PathBuf {
        self.data_dir.join("jwt.key")
    }

    /// The folder of the photos.
    #[must_use]
    pub fn media_dir(&self) -> PathBuf {
        self.data_dir.join("media")
    }

    /// The folder of the log files.
    #[must_use]
    pub fn log_dir(&self) -> PathBuf {
        self.data_dir.join("logs")
    }

    /// Settings that are fine one by one and make no sense together.
    fn contradictions(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let photo_as_base64 = self.max_photo.div_ceil(3).saturating_mul(4);
        if photo_as_base64 > self.max_body {
            warnings.push(format!(
                "a photo of MANGO_MAX_PHOTO has {photo_as_base64} bytes in base64, more than the {} of MANGO_MAX_BODY",
                self.max_body
            ));
        }
        if self.max_content > self.max_body {
            warnings.push("MANGO_MAX_CONTENT is more than MANGO_MAX_BODY".to_owned());
        }
        if self.access_ttl > self.refresh_ttl {
            warnings.push("MANGO_ACCESS_TTL is longer than MANGO_REFRESH_TTL".to_owned());
        }
        if self.trusted_proxies.trust_everybody() {
            warnings.push("MANGO_TRUSTED_PROXIES trusts every address, so that clients can forge theirs".to_owned());
        }
        warnings
    }
}
