//! The composition root: which adapter stands behind each port, and what the settings mean to each.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use async_trait::async_trait;
use mango_domain::error::chain;
use mango_domain::model::{Rate, Room, Subject};
use mango_domain::ports::{Clock, Random};
use mango_domain::usecases::{Policy, Ports, UseCases};
use mango_http::{Answers, Bodies, BodyLimits, Changes, CorsPolicy, FailedCheck, HttpState, Readiness, SecureCookies};
use mango_media::{FileMedia, ImageLimits, ImageProcessor};
use mango_persistence::Database;
use mango_security::{Argon2Passwords, GovernedRates, JwtTokens, KeyRing, PoolSize};
use mango_socketio::{Hub, MemoryPresence};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::runtime::Handle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::audit::QueuedAudit;
use crate::config::{CookieSecure, CorsOrigins, Settings};
use crate::descriptors::Allotment;
use crate::server::{Doors, Origins, Sockets};
use crate::system::{OsRandom, SystemClock};
use crate::{access, descriptors, heavy, keys};

/// How long the database may take to say that it is there.
const READINESS_TIMEOUT: Duration = Duration::from_secs(2);

/// The parts of a server, connected with each other.
pub struct Wired {
    /// What the HTTP routes work with.
    pub http: HttpState,
    /// The sockets, for the port.
    pub sockets: Sockets,
    /// The sockets, for taking leave of them.
    pub hub: Hub,
    /// What can be done.
    pub use_cases: Arc<UseCases>,
    /// The keys of access tokens.
    pub keys: Arc<KeyRing>,
    /// The audit log, to be finished before the database is closed.
    pub audit: Arc<QueuedAudit>,
    /// Cancelled when the server is to count as not ready any more.
    pub stopping: CancellationToken,
}

/// How a database is opened under these settings.
#[must_use]
pub fn database_options(settings: &Settings) -> mango_persistence::Options {
    let max_connections = settings.database_pool.get();
    mango_persistence::Options { max_connections, ..mango_persistence::Options::default() }
}

/// Opens the folder of the photos, and makes it if it is not there.
pub(crate) fn open_media(settings: &Settings) -> anyhow::Result<FileMedia> {
    let folder = settings.media_dir();
    FileMedia::open(&folder).map_err(|error| anyhow!(access::data_folder(settings, &folder, &error)))
}

/// Connects the parts. They work on the runtime that this is called on, and do what is heavy on the threads of `heavy`.
///
/// # Errors
/// When there is no signing key, no randomness, or no folder for photos.
pub fn wire(
    settings: &Settings,
    database: &Database,
    metrics: PrometheusHandle,
    heavy: &Handle,
) -> anyhow::Result<Wired> {
    let random: Arc<dyn Random> = Arc::new(OsRandom);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let keys = Arc::new(keys::ring(settings, &*random)?);
    let media = Arc::new(open_media(settings)?);
    let limits = ImageLimits { bytes: wide(settings.max_photo), ..ImageLimits::default() };
    let policy = Policy {
        access_ttl: settings.access_ttl,
        refresh_ttl: settings.refresh_ttl,
        max_content: settings.max_content,
        audit_retention: settings.audit_retention,
        require_current_password: settings.require_current_password,
    };
    let audit = Arc::new(QueuedAudit::new(database.audit()));
    let socket_options = mango_socketio::Options {
        max_per_user: settings.max_sockets_per_user.get(),
        ..mango_socketio::Options::new(settings.max_content)
    };
    let (hub, service) = mango_socketio::build(&socket_options);
    let passwords = Argon2Passwords::new(PoolSize::at_once(heavy::hashing()), random.clone())?;
    let ports = Ports {
        users: database.users(),
        sessions: database.sessions(),
        chats: database.chats(),
        messages: database.messages(),
        likes: database.likes(),
        changes: database.changes(),
        audit: audit.clone(),
        passwords: Arc::new(passwords.on(heavy.clone())),
        tokens: Arc::new(JwtTokens::new(keys.clone(), random.clone())),
        images: Arc::new(ImageProcessor::new(limits, mango_media::PoolSize::default()).on(heavy.clone())),
        media: media.clone(),
        events: Arc::new(hub.publisher()),
        presence: Arc::new(MemoryPresence::default()),
        clock: clock.clone(),
        random,
        rates: Arc::new(GovernedRates::new(&settings.rates, settings.failed_login_delay)),
    };
    let use_cases = Arc::new(UseCases::new(ports, policy));
    hub.attach(use_cases.clone(), clock);

    let allotment = Allotment::of(descriptors::soft_limit(), settings.database_pool.get());
    let stopping = CancellationToken::new();
    let readiness = DatabaseReadiness { database: database.clone(), stopping: stopping.clone() };
    let http = HttpState {
        use_cases: use_cases.clone(),
        media,
        readiness: Arc::new(readiness),
        metrics: Arc::new(move || metrics.render()),
        uploads: Bodies::new(BodyLimits::up_to(settings.max_body)),
        calls: Bodies::new(BodyLimits::up_to(settings.max_body.min(BodyLimits::CALL))),
        answers: Answers::new(Answers::ROOM),
        files: Room::new(allotment.photos),
        changes: Changes::on(Handle::current()),
        settings: http_settings(settings),
    };
    let wired = use_cases.clone();
    let sessions = service.clone();
    let doors = Doors {
        polls: Box::new(move |session| sessions.polls(session)),
        origins: origins(settings),
        bodies: Bodies::new(BodyLimits::up_to(socket_options.max_message)),
        proxies: settings.trusted_proxies.clone(),
        places: shared_out(settings, allotment).at_most(settings.max_sockets_per_address.get()),
        connections: shared_out(settings, allotment).at_most(connections(settings)),
        admit: Box::new(move |client| use_cases.limit.take(Rate::Connect, Subject::Address(client))),
    };
    let sockets = Sockets::new(service, doors);
    Ok(Wired { http, sockets, hub, use_cases: wired, keys, audit, stopping })
}

/// The places for connections, or for sockets. An operator who lets an address have more of them than its share means that, as for load tests.
fn shared_out(settings: &Settings, Allotment { connections, .. }: Allotment) -> Room {
    let set = settings.max_connections_per_address.map_or(0, NonZeroUsize::get);
    if set > connections / 4 { Room::unshared(connections) } else { Room::new(connections) }
}

/// How many connections an address may have, however much room there is: as set, or else enough for the sockets that it may have and as many
/// requests.
fn connections(settings: &Settings) -> usize {
    let twice = settings.max_sockets_per_address.get().saturating_mul(2);
    settings.max_connections_per_address.map_or(twice, NonZeroUsize::get)
}

fn http_settings(settings: &Settings) -> mango_http::Settings {
    mango_http::Settings {
        cors: match &settings.cors_origins {
            CorsOrigins::Any => CorsPolicy::AnyOrigin,
            CorsOrigins::Only(origins) => CorsPolicy::Origins(origins.clone()),
        },
        secure_cookies: match settings.cookie_secure {
            CookieSecure::Auto => SecureCookies::Auto,
            CookieSecure::Always => SecureCookies::Always,
            CookieSecure::Never => SecureCookies::Never,
        },
        trusted_proxies: settings.trusted_proxies.clone(),
    }
}

fn origins(settings: &Settings) -> Origins {
    match &settings.cors_origins {
        CorsOrigins::Any => Origins::Any,
        CorsOrigins::Only(origins) => Origins::Only(origins.clone()),
    }
}

fn wide(size: usize) -> u64 {
    u64::try_from(size).unwrap_or(u64::MAX)
}

/// Ready while the database answers, has the migrations of this binary, and nobody has asked the server to stop.
struct DatabaseReadiness {
    database: Database,
    stopping: CancellationToken,
}

impl DatabaseReadiness {
    /// What is wrong with the database; the causes are for the log.
    async fn trouble(&self) -> Option<String> {
        match timeout(READINESS_TIMEOUT, self.database.migration_status()).await {
            Ok(Ok(status)) if status.pending.is_empty() => None,
            Ok(Ok(status)) => Some(format!("lacks {} migrations", status.pending.len())),
            Ok(Err(failure)) => {
                tracing::warn!(error = chain(&failure), "the database does not answer");
                Some("does not answer".to_owned())
            }
            Err(_) => Some(format!("has not answered for {} s", READINESS_TIMEOUT.as_secs())),
        }
    }
}

#[async_trait]
impl Readiness for DatabaseReadiness {
    async fn failed(&self) -> Vec<FailedCheck> {
        if self.stopping.is_cancelled() {
            return vec![FailedCheck { name: "server".to_owned(), message: "is shutting down".to_owned() }];
        }
        let check = |message| FailedCheck { name: "database".to_owned(), message };
        self.trouble().await.map(check).into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use mango_domain::model::Client;

    use super::*;

    #[test]
    fn an_address_has_twice_as_many_connections_as_sockets_unless_it_is_set_otherwise() {
        let load = |set: &[(&str, &str)]| {
            let set = set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            Settings::load(set, None).unwrap().settings
        };
        let held = |set: &[(&str, &str)]| {
            let room = shared_out(&load(set), Allotment { connections: 400, photos: 400 });
            (1..=400).rev().find(|count| room.has(Client::at(Some([192, 0, 2, 1].into())), *count))
        };
        assert_eq!(held(&[]), Some(100));
        assert_eq!(held(&[("MANGO_MAX_CONNECTIONS_PER_ADDRESS", "100")]), Some(100));
        assert_eq!(held(&[("MANGO_MAX_CONNECTIONS_PER_ADDRESS", "101")]), Some(400));
        assert_eq!(connections(&load(&[])), 10_000);
        assert_eq!(connections(&load(&[("MANGO_MAX_SOCKETS_PER_ADDRESS", "7")])), 14);
        assert_eq!(connections(&load(&[("MANGO_MAX_CONNECTIONS_PER_ADDRESS", "1000")])), 1000);
    }
}
