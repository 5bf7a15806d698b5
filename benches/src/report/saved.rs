//! Runs that are kept, and what is written besides the table.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use clap::Args;

use super::{Report, compare::Comparison, page};

/// What is written besides the table.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Outputs {
    /// Also writes the figures to this file, as JSON.
    #[arg(long, global = true, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Also writes a page of plots to this file, as HTML with SVG.
    #[arg(long, global = true, value_name = "FILE")]
    page: Option<PathBuf>,
    /// Keeps the run under this name, figures and page, in the folder `bench` of the target folder.
    #[arg(long, global = true, value_name = "NAME")]
    save: Option<String>,
    /// Says what got better or worse since a run that was kept, by its name or file. Fails if a ratio or a count got worse.
    #[arg(long, global = true, value_name = "NAME|FILE")]
    compare: Option<String>,
}

/// Whether all is well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Well,
    /// So many ratios or counts are worse than in the run that was compared.
    Worse(usize),
}

impl Outputs {
    /// The run to compare with, read before anything is measured, so that a wrong name does not cost minutes.
    pub(crate) fn other(&self) -> Result<Option<Report>> {
        if let Some(name) = &self.save {
            check_name(name)?;
        }
        self.compare.as_deref().map(read).transpose()
    }

    /// Writes what is to be written, and compares.
    pub(crate) fn write(&self, report: &Report, other: Option<&Report>) -> Result<Verdict> {
        let write = |file: &Path, text: String| {
            fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
        };
        if let Some(file) = &self.json {
            write(file, json(report)?)?;
        }
        if let Some(file) = &self.page {
            write(file, page::write(report))?;
        }
        if let Some(name) = &self.save {
            let folder = folder()?;
            fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
            write(&folder.join(format!("{name}.json")), json(report)?)?;
            write(&folder.join(format!("{name}.html")), page::write(report))?;
        }
        let Some(other) = other else { return Ok(Verdict::Well) };
        let comparison = Comparison::new(other, report)?;
        comparison.print(&mut io::stdout().lock())?;
        Ok(match comparison.worse() {
            0 => Verdict::Well,
            worse => Verdict::Worse(worse),
        })
    }
}

fn json(report: &Report) -> Result<String> {
    Ok(serde_json::to_string_pretty(report)? + "\n")
}

fn check_name(name: &str) -> Result<()> {
    let is_plain = name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) && !name.starts_with('.');
    ensure!(!name.is_empty() && is_plain, "`{name}` is no name for a run: letters, digits, `-`, `_` and `.`");
    Ok(())
}

/// A run by its file, or by the name under which it was kept.
fn read(name: &str) -> Result<Report> {
    let file = match Path::new(name) {
        file if file.is_file() => file.to_owned(),
        _ => folder()?.join(format!("{name}.json")),
    };
    let text = fs::read_to_string(&file).with_context(|| format!("no run `{name}`: there is no {}", file.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is no run of these benches", file.display()))
}

/// Beside the folder of the profile that this program was built with.
fn folder() -> Result<PathBuf> {
    let program = env::current_exe()?;
    let target = program.parent().and_then(Path::parent).context("the target folder is not to be found")?;
    Ok(target.join("bench"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_was_written_is_read_again() {
        let folder = tempfile::TempDir::new().unwrap();
        let (file, page) = (folder.path().join("run.json"), folder.path().join("run.html"));
        let mut report = Report::new();
        report.barred("graph", "a", 1.5, "times", 2.0).floor(1.0);
        report.series("memory", "b", "minutes", "MiB", vec![(0.0, 1.0), (1.0, 2.0)]);
        let outputs = Outputs { json: Some(file.clone()), page: Some(page.clone()), ..Outputs::default() };
        assert_eq!(outputs.write(&report, None).unwrap(), Verdict::Well);
        let again = read(file.to_str().unwrap()).unwrap();
        assert_eq!(json(&again).unwrap(), json(&report).unwrap());
        assert_eq!(again.figures[0].floor, Some(1.0));
        assert!(fs::read_to_string(page).unwrap().contains("</svg>"));
        report.figures[0].value = 3.0;
        assert_eq!(outputs.write(&report, Some(&again)).unwrap(), Verdict::Worse(1));
    }

    #[test]
    fn names_stay_within_their_folder() {
        for name in ["", "../x", "a/b", ".hidden"] {
            assert!(check_name(name).is_err(), "{name}");
        }
        assert!(check_name("before-2.1_a").is_ok());
    }

    #[test]
    fn a_run_that_was_not_kept_is_told_before_anything_is_measured() {
        let outputs = Outputs { compare: Some("no-such-run".into()), ..Outputs::default() };
        assert!(outputs.other().unwrap_err().to_string().contains("no-such-run"));
    }
}
