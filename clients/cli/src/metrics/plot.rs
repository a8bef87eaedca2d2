//! Metrics as a picture: losses above, the learning rate below, over the steps; SVG written by hand.
use std::fmt::Write;

use super::{Metrics, Point};

const WIDTH: f64 = 720.0;
/// Of one of the two diagrams.
const HEIGHT: f64 = 260.0;
/// Room for figures on the left, and for titles and figures above and below.
const LEFT: f64 = 80.0;
const AROUND: f64 = 36.0;
/// Lines across a diagram, each with its figure.
const TICKS: usize = 4;

/// A line in a diagram: its name, its colour, and its points.
type Line = (&'static str, &'static str, Vec<(f64, f64)>);

/// The picture.
pub(crate) fn plot(title: &str, metrics: &Metrics) -> String {
    let line = |name, colour, of: fn(&Point) -> Option<f64>| {
        let points = metrics.iter().filter_map(|(step, point)| Some((*step as f64, of(point)?)));
        (name, colour, points.filter(|(_, value)| value.is_finite()).collect())
    };
    let losses = [
        line("loss", "#1f77b4", |point| point.progress.map(|progress| progress.loss)),
        line("validation loss", "#d62728", |point| point.eval_loss),
    ];
    let rate =
        [line("learning rate", "#2ca02c", |point| point.progress.map(|progress| progress.learning_rate))];
    let height = 2.0 * HEIGHT;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<title>{}</title>\n<rect width=\"{WIDTH}\" height=\"{height}\" fill=\"white\"/>\n",
        escaped(title)
    );
    svg += &diagram(&losses, 0.0);
    svg += &diagram(&rate, HEIGHT);
    svg + "</svg>\n"
}

fn diagram(lines: &[Line], top: f64) -> String {
    let all = || lines.iter().flat_map(|(_, _, points)| points);
    let ((first, last), (low, high)) = (range(all().map(|(x, _)| *x)), range(all().map(|(_, y)| *y)));
    let across = |x: f64| LEFT + (x - first) / (last - first) * (WIDTH - LEFT - AROUND);
    let up = |y: f64| top + HEIGHT - AROUND - (y - low) / (high - low) * (HEIGHT - 2.0 * AROUND);
    let mut svg = String::new();
    for tick in 0..=TICKS {
        let share = tick as f64 / TICKS as f64;
        let (value, step) = (low + share * (high - low), first + share * (last - first));
        let (y, x, right, below) = (up(value), across(step), WIDTH - AROUND, top + HEIGHT - AROUND + 16.0);
        // Writing into a String cannot fail.
        let _ = writeln!(
            svg,
            "<path d=\"M{LEFT} {y:.1}H{right}\" stroke=\"#ddd\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}\
             </text><text x=\"{x:.1}\" y=\"{below:.1}\" text-anchor=\"middle\">{step:.0}</text>",
            LEFT - 6.0,
            y + 4.0,
            figure(value)
        );
    }
    for (place, (name, colour, points)) in lines.iter().enumerate() {
        let at: Vec<String> =
            points.iter().map(|(x, y)| format!("{:.1},{:.1}", across(*x), up(*y))).collect();
        let (x, y) = (LEFT + 130.0 * place as f64, top + AROUND - 12.0);
        let _ = writeln!(
            svg,
            "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\" points=\"{}\"/>\
             <text x=\"{x:.1}\" y=\"{y:.1}\" fill=\"{colour}\">{name}</text>",
            at.join(" ")
        );
    }
    svg
}

/// The lowest and the highest, never the same: a line of one height lies in the middle.
fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    match (low.is_finite(), low < high) {
        (false, _) => (0.0, 1.0),
        (true, true) => (low, high),
        (true, false) => (low - 0.5, low + 0.5),
    }
}

fn figure(value: f64) -> String {
    if value != 0.0 && value.abs() < 1e-2 { format!("{value:.1e}") } else { format!("{value:.2}") }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::tests::metrics;

    #[test]
    fn each_line_goes_through_its_points() {
        let svg = plot("trainingJobs/<a>", &metrics());
        assert!(svg.contains("<title>trainingJobs/&lt;a&gt;</title>"));
        for drawn in ["loss", "validation loss", "learning rate"] {
            assert!(svg.contains(&format!(">{drawn}</text>")), "{drawn}");
        }
        // The first loss is the highest and leftmost, the last the lowest among the losses and rightmost but for the validation's.
        assert!(svg.contains("points=\"80.0,36.0 684.0,"), "{svg}");
        assert_eq!(svg.matches("<polyline").count(), 3);
    }

    #[test]
    fn nothing_and_one_point_are_drawn_too() {
        let empty = plot("none", &Metrics::new());
        assert!(!empty.contains("NaN") && !empty.contains("inf"), "{empty}");
        let one: Metrics = metrics().into_iter().take(1).collect();
        assert!(!plot("one", &one).contains("NaN"));
    }
}
