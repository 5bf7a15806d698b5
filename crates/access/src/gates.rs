//! All gates of a server, one after the other.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use headwater_media::StreamName;
use http::HeaderMap;

use crate::{
    asking::{Action, Asking, Client, Facts},
    gate::{Change, Gate, Pass, Visitor},
    refusals::{Refusals, Wanted},
    refused::Refused,
    servers::{self, Servers},
};

/// All gates of a server. Cloning is cheap; without any gate everything is allowed.
#[derive(Clone, Default)]
pub struct Gates {
    all: Arc<[Arc<dyn Gate>]>,
    refusals: Refusals,
    /// Once they are known.
    servers: Arc<OnceLock<Arc<dyn Servers>>>,
}

impl fmt::Debug for Gates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gates").field("count", &self.all.len()).finish()
    }
}

impl Gates {
    /// Asks these, in this order; the first that refuses has decided.
    pub fn new(gates: impl IntoIterator<Item = Arc<dyn Gate>>) -> Gates {
        Gates { all: gates.into_iter().collect(), refusals: Refusals::default(), servers: Arc::default() }
    }

    /// How many they have not let in, and why.
    pub fn refusals(&self) -> &Refusals {
        &self.refusals
    }

    /// Lets the servers in that these know, as [`recognise`](Gates::recognise) finds them. The first call counts, for
    /// all clones.
    pub fn set_servers(&self, servers: Arc<dyn Servers>) {
        let _ = self.servers.set(servers);
    }

    /// The id of the server that a request comes from, if it shows that it is one of those that work together with
    /// this one. It is the only source of [`Peer::server`](headwater_graph::Peer::server) for peers from the network.
    pub fn recognise(&self, headers: &HeaderMap) -> Option<String> {
        self.servers.get()?.recognise(servers::shown(headers)?)
    }

    /// What addresses begin with that lead to what this server alone has, such as sessions; see [`Servers::home`].
    pub fn home(&self) -> &str {
        self.servers.get().map_or("", |servers| servers.home())
    }

    /// A peer has come. Servers are let in without any gate being asked: they ask about their own viewers.
    ///
    /// # Errors
    /// A gate does not let it in.
    pub async fn connect(&self, client: &Client) -> Result<Visit, Refused> {
        let mut visitors = Vec::with_capacity(self.all.len());
        let gates = if client.peer.server.is_some() { &[] } else { &*self.all };
        for gate in gates {
            let visitor = gate.connect(client).await;
            visitors.push(visitor.inspect_err(|refused| self.refusals.count(Wanted::Connect, refused.why))?);
        }
        Ok(Visit { visitors, refusals: self.refusals.clone() })
    }

    /// A peer that has come for one stream and has no connection besides.
    ///
    /// # Errors
    /// A gate does not let it in.
    pub async fn admit(&self, client: &Client, asking: Asking) -> Result<Admission, Refused> {
        let visit = self.connect(client).await?;
        let mut admission = visit.admit(asking).await?;
        admission.visit = Some(visit);
        Ok(admission)
    }
}

/// A peer that has been let in. Drop it when the peer has gone.
pub struct Visit {
    visitors: Vec<Box<dyn Visitor>>,
    refusals: Refusals,
}

impl fmt::Debug for Visit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Visit")
    }
}

impl Visit {
    /// The peer asks for a stream.
    ///
    /// # Errors
    /// A gate does not let it in.
    pub async fn admit(&self, mut asking: Asking) -> Result<Admission, Refused> {
        let mut passes = Vec::with_capacity(self.visitors.len());
        for visitor in &self.visitors {
            let ticket = visitor.admit(&asking).await;
            let ticket = ticket.inspect_err(|refused| self.refusals.count(asking.action.into(), refused.why))?;
            asking.stream = ticket.stream.unwrap_or(asking.stream);
            asking.facts.extend(ticket.facts);
            passes.push(ticket.pass);
        }
        Ok(Admission { action: asking.action, stream: asking.stream, facts: asking.facts, passes, visit: None })
    }

    /// The peer asks for something else, named as WCS's hooks are.
    ///
    /// # Errors
    /// A gate does not allow it.
    pub async fn ask(&self, what: &str, facts: &Facts) -> Result<(), Refused> {
        for visitor in &self.visitors {
            let answer = visitor.ask(what, facts).await;
            answer.inspect_err(|refused| self.refusals.count(Wanted::Data, refused.why))?;
        }
        Ok(())
    }
}

/// Leave to use a stream. Drop it when that is over.
pub struct Admission {
    /// Publish or play.
    pub action: Action,
    /// The name to use: the one asked for, unless a gate has put another in its place.
    pub stream: StreamName,
    /// The facts asked with, and those that gates have put in their place.
    pub facts: Facts,
    passes: Vec<Box<dyn Pass>>,
    /// Of a peer without a connection: it has gone when this is over.
    visit: Option<Visit>,
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admission").field("action", &self.action).field("stream", &self.stream).finish_non_exhaustive()
    }
}

impl Admission {
    /// Tells the gates what has become of it.
    pub fn tell(&self, change: &Change) {
        for pass in &self.passes {
            pass.tell(change);
        }
    }

    /// Waits until a gate takes its leave back; says why.
    pub async fn revoked(&self) -> Refused {
        let mut waits: Vec<_> = self.passes.iter().map(|pass| pass.revoked()).collect();
        std::future::poll_fn(|context| {
            for wait in &mut waits {
                if let std::task::Poll::Ready(refused) = wait.as_mut().poll(context) {
                    return std::task::Poll::Ready(refused);
                }
            }
            std::task::Poll::Pending
        })
        .await
    }
}

#[cfg(test)]
mod tests;
