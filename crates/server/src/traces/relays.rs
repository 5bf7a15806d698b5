//! Streams that are sent to other servers and fetched from them: each a trace of its own.

use headwater_relay::{Begun, Observed, Observer, Status};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use parking_lot::Mutex;

use super::{OpenSpan, Traces};

impl Observer for Traces {
    fn begins(&self, relay: &Begun<'_>) -> Box<dyn Observed> {
        let span = self.session(relay.id).and_then(|at| {
            let mut span = self.begin(relay.kind, SpanKind::Client, at, None)?;
            span.set("session.id", relay.id);
            span.set("network.protocol.name", "RTMP");
            span.set("headwater.stream", relay.stream.as_str());
            span.set("url.full", relay.url);
            Some(span)
        });
        Box::new(Relay(Mutex::new(Told { span, events: 0 })))
    }
}

/// As many events are kept of a relay, which may be interrupted for days.
const EVENTS_MAX: usize = 128;

/// A relay that goes on.
struct Relay(Mutex<Told>);

struct Told {
    span: Option<OpenSpan>,
    events: usize,
}

impl Told {
    fn event(&mut self, name: &'static str) {
        if self.events < EVENTS_MAX
            && let Some(span) = &mut self.span
        {
            span.event(name);
            self.events += 1;
        }
    }
}

impl Observed for Relay {
    fn changed(&self, status: Status, reason: Option<&str>) {
        let told = &mut *self.0.lock();
        match status {
            Status::Connected => told.event("connected"),
            Status::Pending if reason.is_some() => told.event("interrupted"),
            _ => {}
        }
        let Some(span) = &mut told.span else { return };
        if status == Status::Failed {
            span.fail(reason.unwrap_or_default());
        }
        span.set("headwater.status", status.as_str());
        if let Some(reason) = reason {
            span.set("headwater.info", reason);
        }
    }
}
