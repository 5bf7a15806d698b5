//! Sessions: a gate that lets everybody in and sees when they come, what becomes of it, and when they go.

use headwater_access::{Action, Asking, Change, Client, Gate, Pass, Refused, Ticket, Visitor};
use headwater_graph::BoxFuture;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use parking_lot::Mutex;

use super::{OpenSpan, Position, Traces};

/// The first of all gates, so that what the others ask is within the session's time.
impl Gate for Traces {
    fn connect<'a>(&'a self, client: &'a Client) -> BoxFuture<'a, Result<Box<dyn Visitor>, Refused>> {
        let peer = &client.peer;
        let session = self.session(&peer.session).and_then(|at| {
            let mut span = self.begin("session", SpanKind::Server, at, None)?;
            span.set("session.id", peer.session.as_str());
            span.set("network.protocol.name", peer.protocol);
            if let Some(remote) = peer.remote {
                span.set("client.address", remote.ip().to_string().as_str());
                span.set("client.port", i64::from(remote.port()));
            }
            if let Some(user_agent) = &peer.user_agent {
                span.set("user_agent.original", user_agent.as_str());
            }
            if let Some(app) = &client.app_key {
                span.set("headwater.application", app.as_str());
            }
            Some((at, span))
        });
        let (at, span) = session.unzip();
        let visitor = Session { traces: self.clone(), at, id: peer.session.clone(), _span: span };
        Box::pin(std::future::ready(Ok(Box::new(visitor) as Box<dyn Visitor>)))
    }
}

/// A session that goes on.
struct Session {
    traces: Traces,
    at: Option<Position>,
    id: String,
    _span: Option<OpenSpan>,
}

impl Visitor for Session {
    fn admit<'a>(&'a self, asking: &'a Asking) -> BoxFuture<'a, Result<Ticket, Refused>> {
        let name = match asking.action {
            Action::Publish => "publish",
            Action::Play => "play",
        };
        let begin = |at: Position| self.traces.begin(name, SpanKind::Internal, at.child(), Some(at));
        let Some(mut span) = self.at.and_then(begin) else {
            return Box::pin(std::future::ready(Ok(Ticket::plain())));
        };
        span.set("session.id", self.id.as_str());
        span.set("headwater.stream", asking.stream.as_str());
        span.set("headwater.media_session", asking.media_session.as_str());
        let pass = Box::new(Use(Mutex::new(Told { span, is_told: false })));
        Box::pin(std::future::ready(Ok(Ticket { pass, ..Ticket::plain() })))
    }
}

/// A use of a stream that goes on.
struct Use(Mutex<Told>);

struct Told {
    span: OpenSpan,
    is_told: bool,
}

impl Pass for Use {
    fn tell(&self, change: &Change) {
        let told = &mut *self.0.lock();
        told.is_told = true;
        let info = change.info.as_deref().unwrap_or_default();
        match change.status.as_str() {
            "PUBLISHING" | "PLAYING" => told.span.event("first media"),
            "FAILED" => told.span.fail(info),
            _ => {}
        }
        told.span.set("headwater.status", change.status.as_str());
        if !info.is_empty() {
            told.span.set("headwater.info", info);
        }
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        // Who is let in is told how it went, always.
        if !self.is_told {
            self.span.fail("it was not let in");
        }
    }
}
