//! The demo's plot: for each way and seed how much is left of the first task over how well the second is learnt, as SVG.

use std::fmt::Write;

use super::plan::Way;
use super::report::Outcome;

/// Width and height of the square that the points lie in.
const SIDE: f64 = 360.0;
/// Room around it for words.
const MARGIN: f64 = 60.0;
/// Radius of a point.
const RADIUS: f64 = 6.0;
/// Room for the names of the ways.
const LEGEND: f64 = 170.0;
/// Height of a line of them.
const LINE: f64 = 22.0;

/// Draws the outcomes.
pub(super) fn svg(outcomes: &[Outcome]) -> String {
    let (width, height) = (SIDE + 2.0 * MARGIN + LEGEND, SIDE + 2.0 * MARGIN);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" font-family=\"sans-serif\" \
         font-size=\"13\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <rect x=\"{MARGIN}\" y=\"{MARGIN}\" width=\"{SIDE}\" height=\"{SIDE}\" fill=\"none\" stroke=\"black\"/>\n"
    );
    for share in [0.0, 0.25, 0.5, 0.75, 1.0] {
        text(&mut svg, (x(share), y(0.0) + 18.0), "middle", &format!("{share}"));
        text(&mut svg, (x(0.0) - 8.0, y(share) + 4.0), "end", &format!("{share}"));
    }
    text(&mut svg, (x(0.5), y(0.0) + 42.0), "middle", "second task: questions answered");
    text(&mut svg, (x(0.0), y(1.0) - 14.0), "start", "first task: share of the answers left");
    for (way, line) in Way::ALL.into_iter().zip(0_u8..) {
        let at = (SIDE + MARGIN + 2.0 * RADIUS, MARGIN + LINE * f64::from(line));
        point(&mut svg, (at.0 + RADIUS, at.1 + RADIUS), way);
        text(&mut svg, (at.0 + 4.0 * RADIUS, at.1 + 2.0 * RADIUS), "start", way.name());
    }
    for outcome in outcomes {
        point(&mut svg, (x(outcome.new_task), y(outcome.retention())), outcome.way);
    }
    svg + "</svg>\n"
}

fn x(share: f64) -> f64 {
    MARGIN + SIDE * share.clamp(0.0, 1.0)
}

fn y(share: f64) -> f64 {
    MARGIN + SIDE * (1.0 - share.clamp(0.0, 1.0))
}

// Writing to a string can't fail.
fn point(svg: &mut String, (x, y): (f64, f64), way: Way) {
    let _ = writeln!(
        svg,
        "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{RADIUS}\" fill=\"{}\" fill-opacity=\"0.7\"/>",
        way.colour()
    );
}

fn text(svg: &mut String, (x, y): (f64, f64), anchor: &str, text: &str) {
    let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_outcome_is_a_point_inside_the_square() {
        let outcome = Outcome { way: Way::Ewc, learnt: 0.5, kept: 0.6, new_task: 0.5 };
        let svg = svg(&[outcome, outcome]);
        assert_eq!(svg.matches("<circle").count(), Way::ALL.len() + 2);
        // More than was there before can't be left.
        assert!(svg.contains("<circle cx=\"240.0\" cy=\"60.0\""), "{svg}");
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
    }
}
