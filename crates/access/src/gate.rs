//! What decides: a gate, and what it keeps of those that it let in.

use headwater_graph::BoxFuture;
use headwater_media::StreamName;

use crate::{
    asking::{Asking, Client, Facts},
    refused::Refused,
};

/// Decides about peers that come. It may take its time, and must be bounded in it.
pub trait Gate: Send + Sync {
    /// A peer has come.
    fn connect<'a>(&'a self, client: &'a Client) -> BoxFuture<'a, Result<Box<dyn Visitor>, Refused>>;
}

/// A peer that a gate has let in. Dropped when it has gone.
pub trait Visitor: Send + Sync {
    /// It asks for a stream.
    fn admit<'a>(&'a self, asking: &'a Asking) -> BoxFuture<'a, Result<Ticket, Refused>>;

    /// It asks for something else, named as WCS's hooks are, such as `OnDataEvent`.
    fn ask<'a>(&'a self, _what: &'a str, _facts: &'a Facts) -> BoxFuture<'a, Result<(), Refused>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// One gate's leave to use a stream.
pub struct Ticket {
    /// Another name to use in place of the one asked for.
    pub stream: Option<StreamName>,
    /// Facts that are to be others than those asked with.
    pub facts: Facts,
    /// What the gate wants to know of it, and to say later.
    pub pass: Box<dyn Pass>,
}

impl Ticket {
    /// Leave to do just what was asked for.
    pub fn plain() -> Ticket {
        Ticket { stream: None, facts: Facts::new(), pass: Box::new(()) }
    }
}

/// What a stream that is used has come to.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// As in WCS: `PUBLISHING`, `PLAYING`, `STOPPED`.
    pub status: String,
    /// Why, in the words of WCS.
    pub info: Option<String>,
    /// What else is known now.
    pub facts: Facts,
}

impl Change {
    /// A status of which no more is known.
    pub fn to(status: impl Into<String>) -> Change {
        Change { status: status.into(), ..Change::default() }
    }

    /// The same with its reason.
    pub fn because(self, info: impl Into<String>) -> Change {
        Change { info: Some(info.into()), ..self }
    }

    /// The same with what is known now.
    pub fn with_facts(self, facts: Facts) -> Change {
        Change { facts, ..self }
    }
}

/// A use of a stream that a gate has let in. Dropped when it is over.
pub trait Pass: Send + Sync {
    /// It has come to something.
    fn tell(&self, _change: &Change) {}

    /// Waits until the gate takes its leave back; says why, in a sentence as of [`Refused`].
    fn revoked(&self) -> BoxFuture<'_, Refused> {
        Box::pin(std::future::pending())
    }
}

/// Nothing more to know, nothing more to say.
impl Pass for () {}
