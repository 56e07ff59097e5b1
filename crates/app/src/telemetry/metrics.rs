//! The metrics: where they are collected, in which buckets, and what their names mean.

use metrics::{describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

use self::Kind::{Counter, Gauge, Histogram};

/// Upper bounds in seconds: from what a row takes that is in memory to what a client gives up on.
const SECONDS: [f64; 13] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// Upper bounds of how many messages are committed together.
const GROUP: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];

/// Collects the metrics of the process and says what they mean. The handle renders them for `/metrics`; call its `run_upkeep` every
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

/// What each metric means. A test finds those that are recorded and not listed.
const MEANINGS: [(Kind, &str, &str); 15] = [
    (Counter, "mango_http_requests_total", "Requests answered, by method, route and status."),
    (Histogram, "mango_http_request_duration_seconds", "Time to answer a request, by route."),
    (Gauge, "mango_sockets", "Sockets that are connected."),
    (Counter, "mango_sockets_refused_total", "Sockets that were refused, most of them for want of a valid token."),
    (Counter, "mango_sockets_hung_up_total", "Sockets that the server disconnected, by reason."),
    (Counter, "mango_socket_events_total", "Events that sockets sent, by event and outcome."),
    (Histogram, "mango_socket_event_seconds", "Time to handle an event that a socket sent, by event."),
    (Counter, "mango_events_published_total", "Events published to rooms, by event."),
    (Counter, "mango_publish_failures_total", "Deliveries of a published event that failed."),
    (Histogram, "mango_commit_group_size", "Messages that were committed in one transaction."),
    (
        Gauge,
        "mango_database_connections",
        "Connections to the database and callers that wait for one, by pool and state.",
    ),
    (Histogram, "mango_image_seconds", "Time to decode, resize and encode an image, by operation."),
    (Histogram, "mango_password_hash_duration_seconds", "Time to hash one password."),
    (Counter, "mango_password_refused_total", "Logins and sign-ups refused because too many were waiting."),
    (Gauge, "mango_build_info", "Always 1; its label is the version of the server."),
];

/// The kinds of metrics.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}

fn describe() {
    for (kind, name, meaning) in MEANINGS {
        match kind {
            Counter => describe_counter!(name, meaning),
            Gauge => describe_gauge!(name, meaning),
            Histogram => describe_histogram!(name, meaning),
        }
    }
    metrics::gauge!("mango_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use metrics::{counter, histogram, with_local_recorder};

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

    /// Adds the names of the metrics that the sources in a folder record.
    fn find_recorded(folder: &Path, names: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                find_recorded(&path, names);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                for macro_call in ["counter!(", "gauge!(", "histogram!("] {
                    let arguments = text.split(macro_call).skip(1).map(str::trim_start);
                    let literals = arguments.filter_map(|rest| rest.strip_prefix('"')?.split_once('"'));
                    let ours = literals.map(|(name, _)| name).filter(|name| name.starts_with("mango_"));
                    names.extend(ours.map(ToOwned::to_owned));
                }
            }
        }
    }

    #[test]
    fn every_metric_has_a_meaning_and_every_meaning_a_metric() {
        let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let mut recorded = BTreeSet::new();
        for entry in fs::read_dir(crates).unwrap() {
            find_recorded(&entry.unwrap().path().join("src"), &mut recorded);
        }
        let described: BTreeSet<_> = MEANINGS.iter().map(|(_, name, _)| (*name).to_owned()).collect();
        assert_eq!(recorded, described);
        assert_eq!(described.len(), MEANINGS.len());
    }
}
