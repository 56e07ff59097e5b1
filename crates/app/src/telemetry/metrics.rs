//! The metrics: where they are collected, in which buckets, and what their names mean.

use metrics::{Unit, describe_counter, describe_histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

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

fn describe() {
    describe_histogram!(
        "mango_http_request_duration_seconds",
        Unit::Seconds,
        "Time from the head of a request to the end of its reply, by method, route and status."
    );
    describe_histogram!("mango_commit_group_size", Unit::Count, "Messages that were committed in one transaction.");
    describe_histogram!("mango_image_seconds", Unit::Seconds, "Time to decode, resize and encode an image.");
    describe_histogram!("mango_password_hash_duration_seconds", Unit::Seconds, "Time to hash one password.");
    describe_counter!(
        "mango_password_refused_total",
        Unit::Count,
        "Logins and sign-ups refused because too many waited."
    );
}

#[cfg(test)]
mod tests {
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
            "# HELP mango_http_request_duration_seconds Time from the head of a request",
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
}
