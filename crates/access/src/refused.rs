//! Why somebody was not let in.

use thiserror::Error;

/// What stands against it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Why {
    /// No credentials, or none that this server knows: others may help.
    Unknown,
    /// It is known who asks, and that they may not.
    Forbidden,
    /// Too many have failed from the same address; later again.
    TooMany,
    /// Whoever decides could not be asked.
    Unavailable,
}

impl Why {
    /// All of them.
    pub const ALL: &[Why] = &[Why::Unknown, Why::Forbidden, Why::TooMany, Why::Unavailable];

    /// Its name in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Why::Unknown => "unknown",
            Why::Forbidden => "forbidden",
            Why::TooMany => "too_many",
            Why::Unavailable => "unavailable",
        }
    }
}

/// Somebody was not let in.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{sentence}")]
pub struct Refused {
    /// What stands against it.
    pub why: Why,
    /// The same in a sentence for who asked, without capital and full stop.
    pub sentence: String,
}

impl Refused {
    /// A refusal.
    pub fn new(why: Why, sentence: impl Into<String>) -> Refused {
        Refused { why, sentence: sentence.into() }
    }
}
