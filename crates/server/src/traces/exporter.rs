//! Takes finished spans from their queue to the collector, some at a time.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use headwater_control::Node;
use headwater_media::limits;
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::InstrumentationScope,
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span},
};
use tokio::{
    sync::{mpsc, watch},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    Figures,
    collector::{Collector, Failure},
    span::fact,
};

/// How long spans wait for others to travel with.
const GATHER: Duration = Duration::from_secs(1);
/// The first and the longest wait before spans are sent again.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// Sends spans to a collector.
pub(crate) struct Exporter {
    collector: Collector,
    queue: mpsc::Receiver<Span>,
    /// Spans that have begun and not ended.
    open: watch::Receiver<usize>,
    figures: Arc<Figures>,
    resource: Resource,
    /// What was taken from the queue and has not been settled.
    batch: Vec<Span>,
    /// Whether the last attempt failed, so that it is told once.
    fails: bool,
}

impl Exporter {
    pub(super) fn new(
        collector: Collector,
        queue: mpsc::Receiver<Span>,
        open: watch::Receiver<usize>,
        figures: Arc<Figures>,
        node: &Node,
    ) -> Exporter {
        let attributes = vec![
            fact("service.name", "headwater"),
            fact("service.version", env!("CARGO_PKG_VERSION")),
            fact("service.instance.id", node.name.as_str()),
        ];
        let resource = Resource { attributes, ..Resource::default() };
        Exporter { collector, queue, open, figures, resource, batch: Vec::new(), fails: false }
    }

    /// Sends until the server stops, and then what is left, for as long as `TRACE_FLUSH_MS` says.
    pub(super) async fn run(mut self, stopping: CancellationToken) {
        let sending = async {
            loop {
                self.gather().await;
                self.deliver().await;
            }
        };
        stopping.run_until_cancelled(sending).await;
        let left = async {
            // Those that end now are the ends of sessions.
            let _ = self.open.clone().wait_for(|open| *open == 0).await;
            self.flush().await;
        };
        if timeout(limits::TRACE_FLUSH_MS.get_duration(), left).await.is_err() {
            limits::TRACE_FLUSH_MS.hit();
        }
        let lost = (self.queue.len() + self.batch.len()) as u64;
        if lost > 0 {
            self.figures.dropped.fetch_add(lost, Relaxed);
            tracing::warn!(spans = lost, "the server stops before the collector of traces has taken all spans");
        }
    }

    /// Waits for spans, and a little longer for more.
    async fn gather(&mut self) {
        let more = async {
            while self.batch.len() < limits::TRACE_SPANS_AT_ONCE.get_usize()
                && let Some(span) = self.queue.recv().await
            {
                self.batch.push(span);
                self.figures.waiting.store(self.batch.len() as u64, Relaxed);
            }
        };
        let _ = timeout(GATHER, more).await;
    }

    /// Sends what was gathered until it is taken or refused for good.
    async fn deliver(&mut self) {
        let mut wait = RETRY.0;
        while !self.attempt().await {
            sleep(wait.mul_f64(rand::random_range(0.8..1.0))).await;
            wait = (wait * 2).min(RETRY.1);
        }
    }

    /// Sends all that is left, once.
    async fn flush(&mut self) {
        while self.attempt().await && !self.queue.is_empty() {
            while self.batch.len() < limits::TRACE_SPANS_AT_ONCE.get_usize().max(1)
                && let Ok(span) = self.queue.try_recv()
            {
                self.batch.push(span);
            }
        }
    }

    /// Sends what was gathered once; says whether nothing of it is left.
    async fn attempt(&mut self) -> bool {
        if self.batch.is_empty() {
            return true;
        }
        let count = self.batch.len() as u64;
        let result = self.collector.send(&self.request()).await;
        match &result {
            Ok(refused) => {
                self.figures.sent.fetch_add(count.saturating_sub(*refused), Relaxed);
                self.figures.refused.fetch_add(count.min(*refused), Relaxed);
                if std::mem::take(&mut self.fails) {
                    tracing::info!("the collector of traces takes spans again");
                }
            }
            Err(Failure::Never(error)) => {
                self.figures.refused.fetch_add(count, Relaxed);
                if !std::mem::replace(&mut self.fails, true) {
                    tracing::warn!(error, spans = count, "the collector of traces refuses spans; they are dropped");
                }
            }
            Err(Failure::Later(error)) => {
                if !std::mem::replace(&mut self.fails, true) {
                    let message = "spans do not get to the collector of traces; as many wait as there is room for";
                    tracing::warn!(error, "{message}");
                }
                return false;
            }
        }
        self.batch.clear();
        self.figures.waiting.store(0, Relaxed);
        true
    }

    fn request(&self) -> ExportTraceServiceRequest {
        let scope = InstrumentationScope { name: "headwater".to_owned(), ..InstrumentationScope::default() };
        let spans = self.batch.clone();
        let scoped = ScopeSpans { scope: Some(scope), spans, ..ScopeSpans::default() };
        let resource = Some(self.resource.clone());
        let all = ResourceSpans { resource, scope_spans: vec![scoped], ..ResourceSpans::default() };
        ExportTraceServiceRequest { resource_spans: vec![all] }
    }
}
