//! What was measured: figures by server, workload and round, and their medians.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::targets::Kind;
use crate::workloads::Workload;

/// What one measurement gave, by name; the names tell the units.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Figures(BTreeMap<String, f64>);

impl Figures {
    /// Takes a figure.
    pub fn set(&mut self, name: &str, value: f64) {
        self.0.insert(name.to_owned(), value);
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        self.0.iter().map(|(name, value)| (name.as_str(), *value))
    }
}

/// One measurement.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Measurement {
    /// The server's name.
    pub target: String,
    /// The workload's.
    pub workload: String,
    /// From 1 on.
    pub round: u32,
    /// What came of it.
    pub figures: Figures,
}

/// Everything that a run gave.
#[derive(Debug, Serialize, Deserialize)]
pub struct Results {
    /// When, in UTC.
    pub date: String,
    /// On what.
    pub machine: String,
    /// How long was counted, in seconds.
    pub seconds: u64,
    /// How often.
    pub rounds: u32,
    /// All measurements, in their order.
    pub measurements: Vec<Measurement>,
}

impl Results {
    /// The median over the rounds.
    pub fn median(&self, kind: Kind, workload: Workload, figure: &str) -> Option<f64> {
        let name = workload.name();
        let of = self.measurements.iter().filter(|one| one.target == kind.name() && one.workload == name);
        let mut values: Vec<f64> = of.filter_map(|one| one.figures.0.get(figure).copied()).collect();
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        let upper = values.get(middle)?;
        if values.len() % 2 == 1 {
            return Some(*upper);
        }
        values.get(middle - 1).map(|lower| f64::midpoint(*lower, *upper))
    }

    /// How much of it one server has for each that another has.
    pub fn ratio(&self, (one, other): (Kind, Kind), workload: Workload, figure: &str) -> Option<f64> {
        let below = self.median(other, workload, figure)?;
        self.median(one, workload, figure).map(|above| above / below)
    }

    /// The sum over everything.
    pub fn total(&self, figure: &str) -> f64 {
        self.measurements.iter().filter_map(|one| one.figures.0.get(figure)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results(values: &[f64]) -> Results {
        let measurement = |(value, round): (&f64, u32)| {
            let mut figures = Figures::default();
            figures.set("x", *value);
            Measurement { target: Kind::Node.name().to_owned(), workload: "storm".to_owned(), round, figures }
        };
        let measurements = values.iter().zip(1..).map(measurement).collect();
        Results { date: String::new(), machine: String::new(), seconds: 1, rounds: 3, measurements }
    }

    #[test]
    fn the_median_is_in_the_middle() {
        let check = |values: &[f64], median| {
            assert_eq!(results(values).median(Kind::Node, Workload::Storm, "x"), median, "{values:?}");
        };
        check(&[], None);
        check(&[3.0], Some(3.0));
        check(&[9.0, 1.0, 5.0], Some(5.0));
        check(&[4.0, 1.0, 2.0, 9.0], Some(3.0));
        assert_eq!(results(&[1.0]).median(Kind::Bare, Workload::Storm, "x"), None);
    }
}
