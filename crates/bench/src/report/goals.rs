//! What Mango sets out to reach, as ratios to the others in the same run.

use std::fmt::Write as _;

use crate::report::tables::{number, title_of};
use crate::results::Results;
use crate::targets::Kind;
use crate::workloads::{Shape, Workload};

/// What a ratio has to be.
#[derive(Debug, Clone, Copy)]
enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

use Bound::{AtLeast, AtMost};

/// One of Mango's figures, on PostgreSQL, against those of others.
struct Goal {
    workload: Workload,
    what: &'static str,
    figure: &'static str,
    node: Option<Bound>,
    bare: Option<Bound>,
    /// What the figure itself has to stay under.
    under: Option<f64>,
}

impl Goal {
    const fn new(workload: Workload, what: &'static str, figure: &'static str) -> Self {
        Self { workload, what, figure, node: None, bare: None, under: None }
    }

    const fn node(self, bound: Bound) -> Self {
        Self { node: Some(bound), ..self }
    }

    const fn bare(self, bound: Bound) -> Self {
        Self { bare: Some(bound), ..self }
    }

    const fn under(self, limit: f64) -> Self {
        Self { under: Some(limit), ..self }
    }
}

fn goals() -> Vec<Goal> {
    let accepted = |shape| Goal::new(Workload::Closed(shape), "accepted a second", "accepted_per_second");
    let cpu = |shape| Goal::new(Workload::Paced(shape), "server CPU a delivery", "server_cpu_us_per_delivery");
    let p99 = |shape| Goal::new(Workload::Paced(shape), "p99 of delivery", "delivered_p99_ms");
    let requests = |workload| Goal::new(workload, "requests a second", "requests_per_second");
    let mut goals = vec![
        accepted(Shape::A).node(AtLeast(4.0)),
        accepted(Shape::B).node(AtLeast(10.0)).bare(AtLeast(0.75)),
        accepted(Shape::C).node(AtLeast(17.0)).bare(AtLeast(0.85)),
        accepted(Shape::D).node(AtLeast(4.0)),
    ];
    for shape in Shape::ALL {
        let (cpu_bound, p99_bound) = if shape == Shape::C { (0.85, 0.7) } else { (0.7, 0.5) };
        goals.push(cpu(shape).node(AtMost(cpu_bound)).bare(AtMost(1.3)));
        let latency = p99(shape).node(AtMost(p99_bound)).bare(AtMost(2.0));
        goals.push(if shape == Shape::C { latency } else { latency.under(5.0) });
    }
    goals.push(Goal::new(Workload::Storm, "memory a socket", "kib_per_socket").node(AtMost(0.9)).bare(AtMost(1.2)));
    goals.push(Goal::new(Workload::Storm, "time", "connected_ms").node(AtMost(0.3)));
    goals.push(requests(Workload::History).node(AtLeast(5.0)));
    goals.push(requests(Workload::SignUp).node(AtLeast(1.2)));
    goals
}

/// The ratios, with what they should be.
pub fn table(results: &Results) -> String {
    let mut text = "\n### Mango on PostgreSQL against the others\n\n\
                    | | against Node | against bare socketioxide | SQLite against PostgreSQL |\n|---|---:|---:|---:|\n"
        .to_owned();
    for goal in goals() {
        let Some(own) = results.median(Kind::MangoPostgres, goal.workload, goal.figure) else { continue };
        let cell = |kind, bound: Option<Bound>| {
            let ratio = results.ratio((Kind::MangoPostgres, kind), goal.workload, goal.figure)?;
            Some(judge(ratio, bound?))
        };
        let dash = || "–".to_owned();
        let node = cell(Kind::Node, goal.node).unwrap_or_else(dash);
        let bare = cell(Kind::Bare, goal.bare).unwrap_or_else(dash);
        let sqlite = results.ratio((Kind::MangoSqlite, Kind::MangoPostgres), goal.workload, goal.figure);
        let sqlite = sqlite.map_or_else(dash, |ratio| format!("{}×", number(ratio)));
        let limit = goal.under.map_or_else(String::new, |limit| {
            let met = if own < limit { "" } else { ", **missed**" };
            format!(" ({} ms, goal under {limit}{met})", number(own))
        });
        // Writing to a string cannot fail.
        let _ = writeln!(text, "| {}: {}{limit} | {node} | {bare} | {sqlite} |", title_of(goal.workload), goal.what);
    }
    text
}

fn judge(ratio: f64, bound: Bound) -> String {
    let (sign, limit, met) = match bound {
        AtLeast(limit) => ('≥', limit, ratio >= limit),
        AtMost(limit) => ('≤', limit, ratio <= limit),
    };
    let verdict = if met { "" } else { ", **missed**" };
    format!("{}× (goal {sign} {limit}{verdict})", number(ratio))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_that_is_missed_says_so() {
        assert_eq!(judge(4.2, AtLeast(4.0)), "4.20× (goal ≥ 4)");
        assert_eq!(judge(3.9, AtLeast(4.0)), "3.90× (goal ≥ 4, **missed**)");
        assert_eq!(judge(0.6, AtMost(0.5)), "0.60× (goal ≤ 0.5, **missed**)");
    }
}
