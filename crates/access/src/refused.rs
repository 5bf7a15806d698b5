//! Why somebody was not let in.

use std::sync::Arc;

use thiserror::Error;

use crate::asking::Action;

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
    /// Other servers that take whoever is refused here, if some are known.
    pub elsewhere: Option<Arc<Elsewhere>>,
}

/// Servers to go to instead, each as `ws://HOST:PORT` or `wss://HOST:PORT`, where its pages and sessions are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Elsewhere {
    /// One to play from.
    pub play: Option<String>,
    /// One to publish to.
    pub publish: Option<String>,
}

impl Elsewhere {
    /// The one for what is asked for.
    pub fn to(&self, action: Action) -> Option<&str> {
        match action {
            Action::Play => self.play.as_deref(),
            Action::Publish => self.publish.as_deref(),
        }
    }
}

impl Refused {
    /// A refusal.
    pub fn new(why: Why, sentence: impl Into<String>) -> Refused {
        Refused { why, sentence: sentence.into(), elsewhere: None }
    }

    /// The same with servers to go to instead.
    #[must_use]
    pub fn but_there(self, elsewhere: Elsewhere) -> Refused {
        Refused { elsewhere: Some(Arc::new(elsewhere)), ..self }
    }

    /// Where to do instead what is asked for.
    pub fn instead(&self, action: Action) -> Option<&str> {
        self.elsewhere.as_deref().and_then(|elsewhere| elsewhere.to(action))
    }
}
