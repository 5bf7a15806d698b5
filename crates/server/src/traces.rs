//! Traces by OpenTelemetry: what sessions, REST calls and hooks did when, sent to a collector.
//!
//! ```text
//!  session ──┬── publish or play ── first media, end        one trace for each session; its id comes
//!            └── hook connect, hook publishStream, …        from the session's id, so nothing is kept of it
//!  push or pull ── connected, interrupted                 a trace of its own
//!  REST call                                                a trace of its own, or part of the caller's
//! ```
//!
//! Spans wait in a bounded queue. Where there is no room, or nobody takes them, they are dropped and counted; nothing
//! else waits for them.

mod collector;
mod exporter;
mod gate;
mod hooks;
mod relays;
mod rest;
mod span;

use std::{
    hash::{BuildHasher, RandomState},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use headwater_control::{Metric, Record, Source};
use headwater_media::limits;
use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    config::{Complaint, Config, section::section},
    error::StartError,
    figures::node,
    protocols::Context,
};

use collector::Collector;
pub(crate) use exporter::Exporter;
pub(crate) use rest::trace as trace_calls;
use span::{OpenSpan, Position};

section! {
    /// Traces by OpenTelemetry: one for each session, with the hooks that it led to, and one for each REST call. docs/guide/watch-a-server.md tells more.
    pub(crate) struct TracesSection, "traces" {
        /// The address of a collector that takes traces by OTLP over HTTP, such as "http://127.0.0.1:4318"; without a path it is asked at /v1/traces. Without an address nothing is traced.
        endpoint: String = String::new();
        /// Headers to send along, each "NAME=VALUE", where the collector wants credentials. Better set in the environment than in a file that many read.
        @secret headers: Vec<String> = Vec::new();
        /// Of a hundred sessions and calls, how many are traced. A call that is part of a trace of its caller's is traced if that is.
        percent: u64 = 100, in 0..=100;
    }
}

impl TracesSection {
    /// What is wrong with it.
    pub(crate) fn complaints(&self) -> Vec<Complaint> {
        let wrong = |key, message: String, remedy: &str| Complaint {
            section: "traces",
            key,
            message,
            remedy: remedy.to_owned(),
        };
        let mut complaints = Vec::new();
        if !self.endpoint.is_empty()
            && let Err(error) = collector::address(&self.endpoint)
        {
            complaints.push(wrong("endpoint", error, "Write an address such as \"http://127.0.0.1:4318\"."));
        }
        if self.headers.iter().any(|entry| collector::header(entry).is_none()) {
            let message = "holds an entry that is no header".to_owned();
            complaints.push(wrong("headers", message, "Write entries such as \"authorization=Bearer TOKEN\"."));
        }
        complaints
    }
}

/// What writes spans, or writes none where no collector is configured. Cloning is cheap.
#[derive(Clone, Default)]
pub(crate) struct Traces(Option<Arc<Inner>>);

struct Inner {
    /// Makes ids of traces from ids of sessions, differently in each process.
    keys: RandomState,
    percent: u64,
    finished: mpsc::Sender<Span>,
    figures: Arc<Figures>,
    /// Spans that have begun and not ended.
    open: watch::Sender<usize>,
}

/// What is counted.
#[derive(Debug, Default)]
struct Figures {
    sent: AtomicU64,
    dropped: AtomicU64,
    refused: AtomicU64,
    waiting: AtomicU64,
}

impl Traces {
    /// Where a session stands in its trace; none if it is not traced.
    fn session(&self, id: &str) -> Option<Position> {
        let inner = self.0.as_ref()?;
        let part = |number: u8| inner.keys.hash_one((id, number));
        let position = Position::new(u128::from(part(0)) << 64 | u128::from(part(1)), part(2));
        inner.chooses(position).then_some(position)
    }

    /// A trace of its own; none if it is not to be traced.
    fn root(&self) -> Option<Position> {
        let position = Position::random();
        self.0.as_ref()?.chooses(position).then_some(position)
    }

    fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Begins a span that ends when it is dropped.
    fn begin(&self, name: &str, kind: SpanKind, at: Position, parent: Option<Position>) -> Option<OpenSpan> {
        self.0.as_ref().map(|inner| OpenSpan::begin(inner.clone(), name, kind, at, parent))
    }
}

impl Inner {
    fn chooses(&self, position: Position) -> bool {
        position.percentile() < self.percent
    }

    fn finish(&self, span: Span) {
        if self.finished.try_send(span).is_err() {
            limits::TRACE_SPANS.hit();
            self.figures.dropped.fetch_add(1, Relaxed);
        }
    }
}

/// What the configuration asks for. Spans wait until [`start`].
pub(crate) fn open(config: &Config) -> Result<(Traces, Option<Exporter>), StartError> {
    let section = &config.traces;
    if section.endpoint.is_empty() {
        return Ok((Traces::default(), None));
    }
    let failed = |reason| StartError::Protocol {
        what: "traces",
        reason,
        section: "traces",
        place: config.place("traces", "endpoint"),
    };
    let collector = Collector::new(&section.endpoint, &section.headers).map_err(failed)?;
    let (finished, queue) = mpsc::channel(limits::TRACE_SPANS.get_usize().max(1));
    let (figures, open) = (Arc::new(Figures::default()), watch::Sender::new(0));
    let node = node(&config.process.name);
    let exporter = Exporter::new(collector, queue, open.subscribe(), figures.clone(), &node);
    let inner = Inner { keys: RandomState::new(), percent: section.percent, finished, figures, open };
    Ok((Traces(Some(Arc::new(inner))), Some(exporter)))
}

/// Has spans sent until the server stops, and what is counted shown.
pub(crate) fn start(context: &mut Context) {
    context.add_source(Arc::new(TracesSource(context.traces.clone())));
    let Some(exporter) = context.exporter.take() else {
        return;
    };
    let stopping = CancellationToken::new();
    let ended = context.tasks.spawn(exporter.run(stopping.clone()));
    context.at_stop.push(Box::pin(async move {
        stopping.cancel();
        let _ = ended.await;
    }));
}

/// The figures of traces.
struct TracesSource(Traces);

impl Source for TracesSource {
    fn metrics(&self) -> Vec<Metric> {
        let what = "Spans of traces, by what became of them: taken by the collector, refused by it, or dropped as there was no room.";
        vec![
            Metric::counter("trace_spans", what).by("outcome"),
            Metric::gauge("trace_spans_waiting", "Spans of traces that wait for the collector to take them."),
        ]
    }

    fn read(&self, record: &mut Record<'_>) {
        let Some(inner) = &self.0.0 else {
            return;
        };
        let figures = &inner.figures;
        for (outcome, count) in [("sent", &figures.sent), ("refused", &figures.refused), ("dropped", &figures.dropped)]
        {
            record("trace_spans", outcome, count.load(Relaxed) as f64);
        }
        let queued = inner.finished.max_capacity() - inner.finished.capacity();
        record("trace_spans_waiting", "", queued as f64 + figures.waiting.load(Relaxed) as f64);
    }
}
