//! A page with all plots and figures, for people.

use std::fmt::Write;

use super::{
    Figure, Report,
    plots::{bars, escaped, line},
    readable,
};

const STYLE: &str = "\
:root{color-scheme:light dark;--kept:#2f7d5b;--above:#b3382c;--ink:CanvasText}\
@media(prefers-color-scheme:dark){:root{--kept:#5fbf92;--above:#ef7a6d}}\
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem}\
svg{width:100%;height:auto;font:12px system-ui,sans-serif}svg text{fill:var(--ink)}\
.kept{fill:var(--kept)}.above{fill:var(--above)}\
.bar{stroke:var(--ink);stroke-dasharray:4 3}.axis{fill:none;stroke:var(--ink);opacity:.5}\
.line{fill:none;stroke:var(--kept);stroke-width:2}\
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.15rem .6rem .15rem 0;vertical-align:top}\
td.number{text-align:right;font-variant-numeric:tabular-nums}td.above{color:var(--above);font-weight:600}";

/// The page, whole in itself.
pub(super) fn write(report: &Report) -> String {
    let about = &report.about;
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>Figures</title><style>{STYLE}</style>\
         <h1>Figures</h1><p>Version {}, commit {}, {}, <code>{}</code><br>{}, {} cores, {} MiB, kernel {}; \
         load {:.1} at the start{}</p>",
        escaped(&about.version),
        escaped(about.commit.as_deref().unwrap_or("unknown")),
        escaped(&about.date),
        escaped(&about.command),
        escaped(&about.machine.processor),
        about.machine.cores,
        about.machine.memory_mib,
        escaped(&about.machine.kernel),
        about.load_before,
        if about.optimised { "" } else { "; a build without optimisation" },
    );
    let mut parts: Vec<&str> = Vec::new();
    for figure in &report.figures {
        if !parts.contains(&figure.part.as_str()) {
            parts.push(&figure.part);
        }
    }
    for part in parts {
        write_part(report, part, &mut page);
    }
    page + "</html>\n"
}

fn write_part(report: &Report, part: &str, page: &mut String) {
    let figures: Vec<&Figure> = report.figures.iter().filter(|figure| figure.part == part).collect();
    let barred: Vec<&Figure> = figures.iter().copied().filter(|figure| figure.keeps().is_some()).collect();
    let _ = write!(page, "<h2>{}</h2>", escaped(part));
    if !barred.is_empty() {
        let _ = write!(page, "<p>How much of each bar is used; the line is the bar.</p>{}", bars(&barred));
    }
    for series in report.series.iter().filter(|series| series.part == part) {
        let _ = write!(page, "<h3>{}</h3>{}", escaped(&series.what), line(series));
    }
    page.push_str("<details><summary>All figures</summary><table><tr><th>What<th>Value<th>Unit<th>Floor<th>Bar</tr>");
    for figure in figures {
        write_row(figure, page);
    }
    page.push_str("</table></details>");
}

fn write_row(figure: &Figure, page: &mut String) {
    let class = if figure.keeps() == Some(false) { "number above" } else { "number" };
    let bar = match (figure.at_most, figure.at_least) {
        (Some(bar), _) => format!("≤ {}", readable(bar)),
        (None, Some(bar)) => format!("≥ {}", readable(bar)),
        _ => String::new(),
    };
    let _ = write!(
        page,
        "<tr><td>{}<td class=\"{class}\">{}<td>{}<td class=\"number\">{}<td>{bar}</tr>",
        escaped(&figure.what),
        readable(figure.value),
        escaped(&figure.unit),
        figure.floor.map(readable).unwrap_or_default(),
    );
}
