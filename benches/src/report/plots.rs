//! Plots as SVG: figures against their bars, and what changed while something else did.
//!
//! Colours and fonts are those of the page, which has classes for them.

use std::fmt::Write;

use super::{Figure, Series, readable};

const WIDTH: f64 = 900.0;
/// Where the rows of bars begin and where a bar that is exactly reached ends.
const LEFT: f64 = 430.0;
const AT_BAR: f64 = 700.0;
const ROW: f64 = 26.0;
/// A figure that is farther above its bar is cut here, in bars.
const LONGEST: f64 = 1.6;

/// A row for each figure with a bar: how much of it is used, and a line where it ends.
pub(super) fn bars(figures: &[&Figure]) -> String {
    let height = ROW * (figures.len() as f64 + 1.0);
    let mut svg = begin(height, "figures against their bars");
    for (index, figure) in figures.iter().enumerate() {
        let y = ROW * (index as f64 + 0.5);
        let class = if figure.keeps() == Some(false) { "above" } else { "kept" };
        let length = (used(figure).min(LONGEST) * (AT_BAR - LEFT)).max(1.0);
        let (text, bar) = (escaped(&figure.what), y + ROW / 2.0 - 8.0);
        let _ = write!(
            svg,
            "<text x=\"{x:.0}\" y=\"{middle:.0}\" text-anchor=\"end\">{text}</text>\
             <rect class=\"{class}\" x=\"{LEFT}\" y=\"{bar:.1}\" width=\"{length:.1}\" height=\"16\"/>\
             <text x=\"{value_x:.0}\" y=\"{middle:.0}\">{value}</text>",
            x = LEFT - 8.0,
            middle = y + ROW / 2.0 + 4.0,
            value_x = (LEFT + length).max(AT_BAR) + 8.0,
            value = escaped(&value(figure)),
        );
    }
    let _ = write!(svg, "<line class=\"bar\" x1=\"{AT_BAR}\" x2=\"{AT_BAR}\" y1=\"4\" y2=\"{height}\"/></svg>");
    svg
}

/// The share of its bar that a figure uses: beyond one it is not kept.
fn used(figure: &Figure) -> f64 {
    match (figure.at_most, figure.at_least) {
        (Some(bar), _) if bar > 0.0 => figure.value / bar,
        (Some(_), _) => {
            if figure.value > 0.0 {
                LONGEST
            } else {
                0.0
            }
        }
        (None, Some(bar)) if figure.value > 0.0 => bar / figure.value,
        _ => LONGEST,
    }
}

fn value(figure: &Figure) -> String {
    let bar = match (figure.at_most, figure.at_least) {
        (Some(bar), _) => format!("≤ {}", readable(bar)),
        (None, Some(bar)) => format!("≥ {}", readable(bar)),
        _ => String::new(),
    };
    format!("{} ({bar}) {}", readable(figure.value), figure.unit)
}

/// A line through the points, with the least and the largest value on both axes.
pub(super) fn line(series: &Series) -> String {
    const HEIGHT: f64 = 260.0;
    const MARGIN: f64 = 60.0;
    let mut svg = begin(HEIGHT, &series.what);
    let range = |value: fn(&(f64, f64)) -> f64| {
        let values = series.points.iter().map(value).filter(|value| value.is_finite());
        values.fold((f64::MAX, f64::MIN), |(least, most), value| (least.min(value), most.max(value)))
    };
    let (x, y) = (range(|point| point.0), range(|point| point.1));
    if series.points.is_empty() || x.0 > x.1 || y.0 > y.1 {
        return svg + "</svg>";
    }
    let at = |value: f64, (least, most): (f64, f64)| if most > least { (value - least) / (most - least) } else { 0.5 };
    let (right, bottom) = (WIDTH - MARGIN, HEIGHT - MARGIN / 1.5);
    let mut points = String::new();
    for point in &series.points {
        let across = MARGIN + at(point.0, x) * (right - MARGIN);
        let _ = write!(points, "{across:.1},{:.1} ", bottom - at(point.1, y) * (bottom - 24.0));
    }
    let _ = write!(
        svg,
        "<polyline class=\"line\" points=\"{points}\"/>\
         <path class=\"axis\" d=\"M{MARGIN} 20V{bottom:.0}H{right}\"/>\
         <text x=\"{label}\" y=\"28\" text-anchor=\"end\">{most}</text>\
         <text x=\"{label}\" y=\"{bottom:.0}\" text-anchor=\"end\">{least}</text>\
         <text x=\"{MARGIN}\" y=\"14\">{unit}</text>\
         <text x=\"{MARGIN}\" y=\"{below:.0}\">{first}</text>\
         <text x=\"{right}\" y=\"{below:.0}\" text-anchor=\"end\">{last} {along}</text></svg>",
        label = MARGIN - 6.0,
        most = readable(y.1),
        least = readable(y.0),
        unit = escaped(&series.unit),
        below = bottom + 18.0,
        first = readable(x.0),
        last = readable(x.1),
        along = escaped(&series.along),
    );
    svg
}

fn begin(height: f64, what: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{}\">",
        escaped(what)
    )
}

/// Text as it may stand in XML.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Report;

    #[test]
    fn bars_are_as_long_as_the_share_of_the_bar_that_is_used() {
        let mut report = Report::new();
        report.barred("a", "half & half", 1.0, "times", 2.0);
        report.barred("a", "above", 3.0, "times", 2.0);
        report.barred_below("a", "joins", 1_000.0, "/s", 500.0);
        report.barred("a", "nothing", 0.0, "", 0.0);
        let figures: Vec<&Figure> = report.figures.iter().collect();
        let svg = bars(&figures);
        for expected in ["width=\"135.0\"", "class=\"above\"", "width=\"405.0\"", "half &amp; half", "≥ 500"] {
            assert!(svg.contains(expected), "{expected} in {svg}");
        }
        assert_eq!(svg.matches("class=\"kept\"").count(), 3);
        assert_eq!(svg.matches("width=\"135.0\"").count(), 2);
    }

    #[test]
    fn a_line_goes_from_corner_to_corner_and_nothing_gives_no_line() {
        let mut report = Report::new();
        report.series("a", "memory", "minutes", "MiB", vec![(0.0, 10.0), (5.0, 20.0)]);
        report.series("a", "none", "minutes", "MiB", Vec::new());
        report.series("a", "one", "minutes", "MiB", vec![(1.0, 1.0)]);
        assert!(line(&report.series[0]).contains("points=\"60.0,220.0 840.0,24.0 \""));
        assert!(!line(&report.series[1]).contains("polyline"));
        assert!(line(&report.series[2]).contains("polyline"));
    }
}
