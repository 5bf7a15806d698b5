//! What the server measures, in the text format of Prometheus.
//!
//! Each part of the server gives its figures through a [`Source`]; they are read when somebody asks and not
//! before. Labels take few values, known beforehand: protocols, kinds, names of limits. Streams are none of them,
//! so that whoever names streams cannot blow up a monitoring system.

mod graph;
mod limits;
mod process;

use std::{borrow::Cow, collections::BTreeMap, fmt, sync::Arc};

use axum::{Router, extract::State, http::header, response::IntoResponse, routing::get};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder, text},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::Registry,
};

pub(crate) use {graph::GraphSource, limits::LimitsSource, process::ProcessSource};

/// How a figure behaves over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// Only grows while the process lives.
    Counter,
    /// Goes up and down.
    Gauge,
}

/// A figure that a source gives.
#[derive(Clone, Debug)]
pub struct Metric {
    /// Its name without the leading `headwater_` and, for counters, without the trailing `_total`.
    pub name: Cow<'static, str>,
    /// How it behaves over time.
    pub kind: MetricKind,
    /// The name of its label, if it has one.
    pub label: Option<&'static str>,
    /// What it counts, in one sentence.
    pub what: Cow<'static, str>,
}

impl Metric {
    /// A figure that only grows.
    pub fn counter(name: impl Into<Cow<'static, str>>, what: impl Into<Cow<'static, str>>) -> Metric {
        Metric { name: name.into(), kind: MetricKind::Counter, label: None, what: what.into() }
    }

    /// A figure that goes up and down.
    pub fn gauge(name: impl Into<Cow<'static, str>>, what: impl Into<Cow<'static, str>>) -> Metric {
        Metric { name: name.into(), kind: MetricKind::Gauge, label: None, what: what.into() }
    }

    /// The same figure, one for each value of a label.
    pub fn by(self, label: &'static str) -> Metric {
        Metric { label: Some(label), ..self }
    }

    /// The name as Prometheus sees it.
    pub fn full_name(&self) -> String {
        let suffix = if self.kind == MetricKind::Counter { "_total" } else { "" };
        format!("headwater_{}{suffix}", self.name)
    }
}

/// Takes the name of a metric, the value of its label (empty for none) and its figure.
pub type Record<'a> = dyn FnMut(&str, &str, f64) + 'a;

/// A part of the server that has figures.
pub trait Source: Send + Sync + 'static {
    /// All figures that it may give.
    fn metrics(&self) -> Vec<Metric>;

    /// Gives those that it has now.
    fn read(&self, record: &mut Record<'_>);
}

/// All sources together.
#[derive(Clone, Default)]
pub struct Metrics(Arc<Vec<Arc<dyn Source>>>);

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Metrics({} sources)", self.0.len())
    }
}

impl Metrics {
    /// The figures of these sources.
    pub fn new(sources: Vec<Arc<dyn Source>>) -> Metrics {
        Metrics(Arc::new(sources))
    }

    /// All figures now, in the text format.
    pub fn render(&self) -> String {
        let mut registry = Registry::with_prefix("headwater");
        registry.register_collector(Box::new(self.clone()));
        let mut page = String::new();
        match text::encode(&mut page, &registry) {
            Ok(()) => page,
            Err(_) => String::from("# EOF\n"),
        }
    }

    /// The reference page, in Markdown.
    pub fn reference(&self) -> String {
        let mut page = String::from(INTRODUCTION);
        for metric in self.0.iter().flat_map(|source| source.metrics()) {
            let kind = if metric.kind == MetricKind::Counter { "counter" } else { "gauge" };
            let label = metric.label.map_or("–".to_owned(), |label| format!("`{label}`"));
            page.push_str(&format!("| `{}` | {kind} | {label} | {} |\n", metric.full_name(), metric.what));
        }
        page
    }
}

const INTRODUCTION: &str = "\
# Metrics

<!-- Generated from the code; do not edit. -->

`GET /metrics` answers in the text format that Prometheus reads.
No label takes the name of a stream or anything else that a peer chooses; figures of single streams are in the REST API.

| name | kind | label | what it counts |
|---|---|---|---|
";

impl Collector for Metrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for source in self.0.iter() {
            let mut samples: BTreeMap<String, Vec<(String, f64)>> = BTreeMap::new();
            source.read(&mut |name, label, value| {
                samples.entry(name.to_owned()).or_default().push((label.to_owned(), value))
            });
            for metric in source.metrics() {
                encode(&mut encoder, &metric, samples.get(metric.name.as_ref()).map_or(&[], Vec::as_slice))?;
            }
        }
        Ok(())
    }
}

fn encode(encoder: &mut DescriptorEncoder<'_>, metric: &Metric, samples: &[(String, f64)]) -> fmt::Result {
    let Some((_, first)) = samples.first() else {
        return Ok(());
    };
    let kind = match metric.kind {
        MetricKind::Counter => MetricType::Counter,
        MetricKind::Gauge => MetricType::Gauge,
    };
    // The encoder adds a full stop of its own.
    let mut family = encoder.encode_descriptor(&metric.name, metric.what.trim_end_matches('.'), None, kind)?;
    let Some(label) = metric.label else {
        return encode_figure(metric.kind, *first, family);
    };
    for (value, figure) in samples {
        encode_figure(metric.kind, *figure, family.encode_family(&[(label, value.as_str())])?)?;
    }
    Ok(())
}

fn encode_figure(kind: MetricKind, figure: f64, encoder: MetricEncoder<'_>) -> fmt::Result {
    match kind {
        MetricKind::Counter => ConstCounter::new(figure).encode(encoder),
        MetricKind::Gauge => ConstGauge::new(figure).encode(encoder),
    }
}

/// `/metrics`.
pub(crate) fn router(metrics: Metrics) -> Router {
    Router::new().route("/metrics", get(serve)).with_state(metrics)
}

async fn serve(State(metrics): State<Metrics>) -> impl IntoResponse {
    const FORMAT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, FORMAT)], metrics.render())
}
