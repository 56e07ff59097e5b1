//! A chart of the messages that each server accepts, as SVG.

use std::fmt::Write as _;

use crate::report::tables::number;
use crate::results::Results;
use crate::targets::Kind;
use crate::workloads::{Shape, Workload};

const WIDTH: f64 = 760.0;
const LEFT: f64 = 150.0;
const BAR: f64 = 16.0;
const GAP: f64 = 44.0;
const TOP: f64 = 40.0;
const COLOURS: [&str; 4] = ["#e8871e", "#f2b872", "#5a8f5a", "#9aa5b1"];

/// Draws the bars on a logarithmic scale from one message a second on.
pub fn draw(results: &Results) -> String {
    let accepted = |kind, shape| results.median(kind, Workload::Closed(shape), "accepted_per_second");
    let all = Shape::ALL.iter().flat_map(|shape| Kind::ALL.map(|kind| accepted(kind, *shape)));
    let most = all.flatten().fold(10.0_f64, f64::max).log10();
    let mut body = String::new();
    let mut y = TOP;
    for shape in Shape::ALL {
        y += GAP / 2.0;
        // Writing to a string cannot fail.
        let _ = writeln!(body, r#"<text x="0" y="{y}" font-weight="bold">{}</text>"#, shape.describe());
        for (kind, colour) in Kind::ALL.into_iter().zip(COLOURS) {
            y += BAR + 2.0;
            let Some(value) = accepted(kind, shape) else { continue };
            let length = value.max(1.0).log10() / most * (WIDTH - LEFT - 80.0);
            let (baseline, label, end) = (y - 4.0, kind.name(), LEFT + length + 6.0);
            let top = y - BAR;
            let _ = writeln!(body, r#"<text x="0" y="{baseline}">{label}</text>"#);
            let _ =
                writeln!(body, r#"<rect x="{LEFT}" y="{top:.0}" width="{length:.1}" height="{BAR}" fill="{colour}"/>"#);
            let _ = writeln!(body, r#"<text x="{end:.1}" y="{baseline}">{}</text>"#, number(value));
        }
        y += GAP / 2.0;
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {y}\" font-family=\"sans-serif\" font-size=\"12\" \
         fill=\"#222\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text x=\"0\" y=\"18\" font-size=\"15\" font-weight=\"bold\">Accepted messages a second (logarithmic scale)</text>\n{body}</svg>\n"
    )
}
