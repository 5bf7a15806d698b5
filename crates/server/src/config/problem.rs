//! What is wrong with a configuration, where, and what to do about it.

use std::fmt;

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// Nobody set it.
    Default,
    /// A line of a file.
    File {
        /// The file as it was named.
        path: String,
        /// Counted from one.
        line: usize,
    },
    /// An environment variable.
    Environment(String),
    /// An option of the command line.
    Option(&'static str),
    /// Whoever called `/rest-api/config/set`.
    Call,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Default => f.write_str("default configuration"),
            Place::File { path, line } => write!(f, "{path}:{line}"),
            Place::Environment(name) => write!(f, "environment variable {}", name.escape_debug()),
            Place::Option(option) => write!(f, "option {option}"),
            Place::Call => f.write_str("REST call"),
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where it stands.
    pub place: Place,
    /// What is wrong, in a sentence without its full stop.
    pub message: String,
    /// What to do about it, in a sentence.
    pub remedy: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}. {}", self.place, self.message, self.remedy)
    }
}

/// The configuration cannot be used. The fault is the configuration's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// All that is wrong, in the order of the file; never empty.
    pub problems: Vec<Problem>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

/// The candidate that somebody who wrote `wrong` most likely meant.
pub(crate) fn nearest<'a>(wrong: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const LONGEST: usize = 64;
    let wrong = wrong.get(..LONGEST.min(wrong.len())).unwrap_or_default().to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&wrong, &candidate.to_lowercase()), candidate))
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}
