//! The table at the end.

use std::io::{self, Write};

use super::{Figure, Report, readable};

/// Writes all figures, part by part.
pub(super) fn print(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let width = report.figures.iter().map(|figure| figure.what.chars().count()).max().unwrap_or(0);
    let mut part = "";
    for figure in &report.figures {
        if figure.part != part {
            part = &figure.part;
            writeln!(out, "\n{part}")?;
        }
        let value = readable(figure.value);
        writeln!(out, "  {:<width$}  {value:>10} {:<8}{}", figure.what, figure.unit, remarks(figure))?;
    }
    let about = &report.about;
    writeln!(
        out,
        "\n{} cores, load {:.1} at the start; quote ratios, not nanoseconds.",
        about.machine.cores, about.load_before
    )?;
    if !about.optimised {
        writeln!(out, "This is a build without optimisation: only `--release` counts.")?;
    }
    let above = report.figures.iter().filter(|figure| figure.keeps() == Some(false)).count();
    if above > 0 {
        writeln!(out, "{above} figures do not keep their bars.")?;
    }
    Ok(())
}

fn remarks(figure: &Figure) -> String {
    let mut remarks = Vec::new();
    if let Some(floor) = figure.floor {
        remarks.push(format!("floor {}", readable(floor)));
    }
    if figure.runs.len() > 1 {
        remarks.push(format!("± {:.0} % of {} runs", figure.spread() * 100.0, figure.runs.len()));
    }
    let verdict = |kept: &str, not: &str| if figure.keeps() == Some(true) { kept.to_owned() } else { not.to_owned() };
    if let Some(bar) = figure.at_most {
        remarks.push(format!("at most {}: {}", readable(bar), verdict("kept", "ABOVE")));
    }
    if let Some(bar) = figure.at_least {
        remarks.push(format!("at least {}: {}", readable(bar), verdict("kept", "BELOW")));
    }
    if remarks.is_empty() { String::new() } else { format!("  {}", remarks.join("; ")) }
}
