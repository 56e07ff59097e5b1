//! The medians, a table for each kind of work.

use std::fmt::Write as _;

use crate::results::Results;
use crate::targets::Kind;
use crate::workloads::{Shape, Workload};

/// All tables.
pub fn all(results: &Results) -> String {
    let Results { date, machine, seconds, rounds, .. } = results;
    let mut text = format!(
        "Measured on {date}, {machine}. Medians of {rounds} rounds of {seconds} s, in which the servers took turns. In all rounds together \
         {} deliveries were lost, {} came twice and {} messages were refused.\n",
        results.total("lost"),
        results.total("duplicates"),
        results.total("refused"),
    );
    text += &section(
        results,
        "As fast as it goes",
        &Shape::ALL.map(Workload::Closed),
        &[
            ("accepted messages a second", "accepted_per_second"),
            ("deliveries a second", "deliveries_per_second"),
            ("acknowledged, p99 ms", "acknowledged_p99_ms"),
            ("server CPU, µs a delivery", "server_cpu_us_per_delivery"),
            ("database CPU, µs a delivery", "database_cpu_us_per_delivery"),
        ],
    );
    text += &section(
        results,
        "At a fixed rate",
        &Shape::ALL.map(Workload::Paced),
        &[
            ("delivered, p50 ms", "delivered_p50_ms"),
            ("delivered, p99 ms", "delivered_p99_ms"),
            ("acknowledged, p99 ms", "acknowledged_p99_ms"),
            ("server CPU, µs a delivery", "server_cpu_us_per_delivery"),
            ("database CPU, µs a delivery", "database_cpu_us_per_delivery"),
        ],
    );
    text += &section(
        results,
        "Sockets",
        &[Workload::Storm, Workload::Idle],
        &[
            ("until all are connected, ms", "connected_ms"),
            ("KiB of the server a socket", "kib_per_socket"),
            ("server in all, MiB", "resident_mib"),
            ("CPU while idle, % of a core", "idle_cpu_percent"),
        ],
    );
    text += &section(
        results,
        "HTTP",
        &[Workload::History, Workload::LogIn, Workload::SignUp],
        &[("requests a second", "requests_per_second"), ("p50 ms", "answered_p50_ms"), ("p99 ms", "answered_p99_ms")],
    );
    text
}

fn section(results: &Results, title: &str, workloads: &[Workload], figures: &[(&str, &str)]) -> String {
    let mut text = format!("\n### {title}\n\n| |");
    let columns = Kind::ALL.map(Kind::name);
    for column in columns {
        // Writing to a string cannot fail.
        let _ = write!(text, " {column} |");
    }
    text += "\n|---|---:|---:|---:|---:|\n";
    for workload in workloads {
        let rows = figures.iter().filter_map(|(label, figure)| {
            let values = Kind::ALL.map(|kind| results.median(kind, *workload, figure));
            values.iter().any(Option::is_some).then_some((label, values))
        });
        for (place, (label, values)) in rows.enumerate() {
            let label =
                if place == 0 { format!("**{}**: {label}", title_of(*workload)) } else { format!("… {label}") };
            let _ = write!(text, "| {label} |");
            for value in values {
                let _ = write!(text, " {} |", value.map_or_else(|| "–".to_owned(), number));
            }
            text.push('\n');
        }
    }
    text
}

/// What a workload is called in tables.
pub(super) fn title_of(workload: Workload) -> String {
    match workload {
        Workload::Closed(shape) => shape.describe().to_owned(),
        Workload::Paced(shape) => format!("{}, {} a second", shape.describe(), shape.rate()),
        Workload::Storm => "1000 sockets connect".to_owned(),
        Workload::Idle => "10,000 sockets do nothing".to_owned(),
        Workload::History => "history, 50 messages".to_owned(),
        Workload::LogIn => "login".to_owned(),
        Workload::SignUp => "sign-up with a photo of 541 KB".to_owned(),
    }
}

/// With as many digits as mean something.
pub(super) fn number(value: f64) -> String {
    let digits = match value.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        _ => 2,
    };
    let text = format!("{value:.digits$}");
    let (whole, rest) = text.split_once('.').map_or((text.as_str(), None), |(whole, rest)| (whole, Some(rest)));
    let grouped: Vec<String> =
        whole.as_bytes().rchunks(3).rev().map(|group| String::from_utf8_lossy(group).into_owned()).collect();
    let grouped = grouped.join(",");
    rest.map_or(grouped.clone(), |rest| format!("{grouped}.{rest}"))
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_have_as_many_digits_as_mean_something() {
        for (value, text) in
            [(0.0, "0.00"), (1.234, "1.23"), (12.34, "12.3"), (123.4, "123"), (1_234_567.0, "1,234,567")]
        {
            assert_eq!(number(value), text);
        }
    }
}
