//! The metrics: where they are collected, in which buckets, and what their names mean.

use mango_contract::catalogue::{Direction, EVENTS, EventSpec};
use mango_contract::event::HangUpReason;
use mango_domain::model::Rate;
use metrics::{Label, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

use self::Kind::{Counter, Gauge, Histogram};
use self::Series::{Later, Outcomes, Published, Rates, Reasons, Sent, Single};

/// Upper bounds in seconds: from what a row takes that is in memory to what a client gives up on.
const SECONDS: [f64; 13] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// Upper bounds of how many messages are committed together.
const GROUP: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];

/// Collects the metrics of the process and says what they mean; what can be known in advance starts at zero. The handle renders them for `/metrics`; call its `run_upkeep` every
/// few seconds, or what histograms record piles up until somebody asks.
///
/// # Errors
/// When the process collects metrics already.
pub fn install() -> Result<PrometheusHandle, BuildError> {
    let handle = builder()?.install_recorder()?;
    describe();
    Ok(handle)
}

fn builder() -> Result<PrometheusBuilder, BuildError> {
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
        .set_buckets_for_metric(Matcher::Full("mango_commit_group_size".to_owned()), &GROUP)
}

/// What each metric means, and which of its series are there from the start. A test finds those that are recorded and not listed.
const MEANINGS: [(Kind, &str, Series, &str); 21] = [
    (Counter, "mango_http_requests_total", Later, "Requests answered, by method, route and status."),
    (Histogram, "mango_http_request_duration_seconds", Later, "Time to answer a request, by route."),
    (Gauge, "mango_sockets", Single, "Sockets that are connected."),
    (
        Counter,
        "mango_sockets_refused_total",
        Single,
        "Sockets that were refused, most of them for want of a valid token.",
    ),
    (
        Counter,
        "mango_connections_refused_total",
        Single,
        "Connections that were closed at once, because too many were open from their address.",
    ),
    (Counter, "mango_rate_limited_total", Rates, "What was refused because it was done too often, by rate."),
    (Counter, "mango_sockets_hung_up_total", Reasons, "Sockets that the server disconnected, by reason."),
    (Counter, "mango_socket_events_total", Outcomes, "Events that sockets sent, by event and outcome."),
    (Histogram, "mango_socket_event_duration_seconds", Sent, "Time to handle an event that a socket sent, by event."),
    (
        Counter,
        "mango_events_published_total",
        Published,
        "Events published, each counted once however many sockets get it, by event.",
    ),
    (Counter, "mango_publish_failures_total", Single, "Deliveries of a published event that failed."),
    (Counter, "mango_messages_total", Single, "Messages that were committed."),
    (Counter, "mango_duplicate_messages_total", Single, "Messages that were sent again and were there already."),
    (Histogram, "mango_commit_group_size", Single, "Changes of chats that were committed in one transaction."),
    (
        Gauge,
        "mango_database_connections",
        Later,
        "Connections to the database and callers that wait for one, by pool and state.",
    ),
    (Histogram, "mango_image_duration_seconds", Later, "Time to decode, resize and encode an image, by operation."),
    (Counter, "mango_audit_lost_total", Single, "Entries of the audit log that could not be written."),
    (Counter, "mango_photos_swept_total", Single, "Photos, whole or half written, removed because no user has them."),
    (Histogram, "mango_password_hash_duration_seconds", Single, "Time to hash one password."),
    (Counter, "mango_password_refused_total", Single, "Logins and sign-ups refused because too many were waiting."),
    (Gauge, "mango_build_info", Later, "Always 1; its label is the version of the server."),
];

/// What can come of an event that a socket sent.
const OUTCOMES: [&str; 5] = ["dropped", "failed", "ok", "panicked", "refused"];

/// The kinds of metrics.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}

impl Kind {
    fn describe(self, name: &'static str, meaning: &'static str) {
        match self {
            Counter => describe_counter!(name, meaning),
            Gauge => describe_gauge!(name, meaning),
            Histogram => describe_histogram!(name, meaning),
        }
    }

    /// Puts a series on the page, at zero.
    fn begin(self, name: &'static str, labels: Vec<Label>) {
        match self {
            Counter => counter!(name, labels).increment(0),
            Gauge => gauge!(name, labels).increment(0.0),
            Histogram => drop(histogram!(name, labels)),
        }
    }
}

/// The series of a metric that are known before anything happens: an alarm can only be set on what is there.
#[derive(Debug, Clone, Copy)]
enum Series {
    /// One, without labels.
    Single,
    /// One for each event that clients send.
    Sent,
    /// One for each event that clients send and each of [`OUTCOMES`].
    Outcomes,
    /// One for each event that the server sends.
    Published,
    /// One for each [`HangUpReason`].
    Reasons,
    /// One for each rate, and one for failed logins.
    Rates,
    /// None: they come with what they count.
    Later,
}

impl Series {
    /// The labels of each, in the order in which they are recorded.
    fn known(self) -> Vec<Vec<Label>> {
        let label = Label::from_static_parts;
        let events = |by_clients: bool| {
            let from = move |event: &&EventSpec| matches!(event.direction, Direction::FromClient { .. }) == by_clients;
            EVENTS.iter().filter(from).map(move |event| label("event", event.name))
        };
        match self {
            Single => vec![Vec::new()],
            Sent => events(true).map(|event| vec![event]).collect(),
            Outcomes => events(true)
                .flat_map(|event| OUTCOMES.map(|outcome| vec![event.clone(), label("outcome", outcome)]))
                .collect(),
            Published => events(false).map(|event| vec![event]).collect(),
            Reasons => HangUpReason::ALL.map(|reason| vec![label("reason", reason.word())]).to_vec(),
            Rates => {
                let names = Rate::ALL.into_iter().map(Rate::name).chain(["failed-login"]);
                names.map(|name| vec![label("rate", name)]).collect()
            }
            Later => Vec::new(),
        }
    }
}

fn describe() {
    for (kind, name, series, meaning) in MEANINGS {
        kind.describe(name, meaning);
        for labels in series.known() {
            kind.begin(name, labels);
        }
    }
    gauge!("mango_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::{Path, PathBuf};

    use metrics::with_local_recorder;

    use super::*;

    fn rendered(work: impl FnOnce()) -> String {
        let recorder = builder().unwrap().build_recorder();
        with_local_recorder(&recorder, || {
            describe();
            work();
        });
        recorder.handle().render()
    }

    #[test]
    fn durations_are_histograms_with_buckets() {
        let text = rendered(|| histogram!("mango_http_request_duration_seconds", "route" => "/chat").record(0.003));
        for line in [
            "# TYPE mango_http_request_duration_seconds histogram",
            "# HELP mango_http_request_duration_seconds Time to answer a request, by route.",
            r#"mango_http_request_duration_seconds_bucket{route="/chat",le="0.0025"} 0"#,
            r#"mango_http_request_duration_seconds_bucket{route="/chat",le="0.005"} 1"#,
            r#"mango_http_request_duration_seconds_bucket{route="/chat",le="10"} 1"#,
            r#"mango_http_request_duration_seconds_bucket{route="/chat",le="+Inf"} 1"#,
            r#"mango_http_request_duration_seconds_count{route="/chat"} 1"#,
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn groups_have_buckets_of_their_own() {
        let text = rendered(|| histogram!("mango_commit_group_size").record(50.0));
        assert!(text.contains(r#"mango_commit_group_size_bucket{le="32"} 0"#), "{text}");
        assert!(text.contains(r#"mango_commit_group_size_bucket{le="64"} 1"#), "{text}");
    }

    #[test]
    fn what_has_not_happened_yet_is_zero() {
        let text = rendered(|| counter!("mango_events_published_total", "event" => "new_message").increment(2));
        for line in [
            "mango_sockets 0",
            "mango_messages_total 0",
            "mango_publish_failures_total 0",
            "mango_commit_group_size_count 0",
            r#"mango_sockets_hung_up_total{reason="slow"} 0"#,
            r#"mango_socket_events_total{event="send_message",outcome="failed"} 0"#,
            r#"mango_socket_event_duration_seconds_count{event="create_chat"} 0"#,
            r#"mango_events_published_total{event="new_message"} 2"#,
            r#"mango_events_published_total{event="chat_pinned"} 0"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        assert!(!text.contains(r#"mango_events_published_total{event="send_message"}"#), "{text}");
    }

    #[test]
    fn counters_keep_their_names() {
        let text = rendered(|| counter!("mango_password_refused_total").increment(3));
        assert!(text.contains("# HELP mango_password_refused_total Logins"), "{text}");
        assert!(text.contains("\nmango_password_refused_total 3\n"), "{text}");
    }

    #[test]
    fn it_is_installed_once() {
        let handle = install().unwrap();
        counter!("mango_password_refused_total").increment(1);
        handle.run_upkeep();
        assert!(handle.render().contains("mango_password_refused_total 1"));
        assert!(install().is_err());
    }

    /// The sources below a folder.
    fn sources(folder: &Path) -> Vec<String> {
        let mut found = Vec::new();
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                found.extend(sources(&path));
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(fs::read_to_string(&path).unwrap());
            }
        }
        found
    }

    /// What the sources below a folder have as a string literal right after one of these openings.
    fn literals_after(folder: &Path, openings: &[&str]) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for source in sources(folder) {
            for opening in openings {
                let rests = source.split(opening).skip(1).map(str::trim_start);
                let literals = rests.filter_map(|rest| rest.strip_prefix('"')?.split_once('"'));
                found.extend(literals.map(|(literal, _)| literal.to_owned()));
            }
        }
        found
    }

    fn crate_sources(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name(name).join("src")
    }

    #[test]
    fn every_metric_has_a_meaning_and_every_meaning_a_metric() {
        let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let mut recorded = BTreeSet::new();
        for entry in fs::read_dir(crates).unwrap() {
            let sources = entry.unwrap().path().join("src");
            recorded.append(&mut literals_after(&sources, &["counter!(", "gauge!(", "histogram!("]));
        }
        recorded.retain(|name| name.starts_with("mango_"));
        let described: BTreeSet<_> = MEANINGS.iter().map(|(_, name, ..)| (*name).to_owned()).collect();
        assert_eq!(recorded, described);
        assert_eq!(described.len(), MEANINGS.len());
    }

    /// Where outcomes are recorded, a word in quotes is one, unless it is the name of a label, or for the log.
    #[test]
    fn every_outcome_is_known() {
        const OF_OTHERS: [&str; 2] = ["tracing::", "//"];
        let mut recorded = BTreeSet::new();
        let sources = sources(&crate_sources("socketio"));
        for source in sources.iter().filter(|source| source.contains("\"outcome\" =>")) {
            for line in source.lines().filter(|line| !OF_OTHERS.iter().any(|other| line.contains(other))) {
                let pieces: Vec<_> = line.split('"').collect();
                for (at, word) in pieces.iter().enumerate().skip(1).step_by(2) {
                    let is_word = !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase());
                    let is_label = pieces.get(at + 1).is_some_and(|rest| rest.starts_with(" =>"));
                    if is_word && !is_label {
                        recorded.insert((*word).to_owned());
                    }
                }
            }
        }
        assert_eq!(recorded, OUTCOMES.map(ToOwned::to_owned).into());
    }
}
