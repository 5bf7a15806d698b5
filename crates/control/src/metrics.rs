//! What the server measures, in the text format of Prometheus.
//!
//! Each part of the server gives its figures through a [`Source`]; they are read when somebody asks and not
//! before. Labels take few values, known beforehand: protocols, kinds, names of limits. Streams are none of them,
//! so that whoever names streams cannot blow up a monitoring system.

mod graph;
mod info;
mod limits;
pub(crate) mod process;

use std::{borrow::Cow, collections::BTreeMap, fmt, sync::Arc};

use axum::{
    Router,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
    routing::get,
};
use headwater_media::TimesRead;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder, NoLabelSet, text},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::Registry,
};

pub use info::Node;
pub use process::cpu_seconds;
pub(crate) use {graph::GraphSource, info::InfoSource, limits::LimitsSource, process::ProcessSource};

/// How a figure behaves over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// Only grows while the process lives.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Times in seconds, counted by how long they were.
    Histogram,
}

/// A figure that a source gives.
#[derive(Clone, Debug)]
pub struct Metric {
    /// Its name without the leading `headwater_` and, for counters, without the trailing `_total`.
    pub name: Cow<'static, str>,
    /// How it behaves over time.
    pub kind: MetricKind,
    /// The names of its labels.
    pub labels: Vec<&'static str>,
    /// What it counts, in one sentence.
    pub what: Cow<'static, str>,
}

impl Metric {
    /// A figure that only grows.
    pub fn counter(name: impl Into<Cow<'static, str>>, what: impl Into<Cow<'static, str>>) -> Metric {
        Metric { name: name.into(), kind: MetricKind::Counter, labels: Vec::new(), what: what.into() }
    }

    /// A figure that goes up and down.
    pub fn gauge(name: impl Into<Cow<'static, str>>, what: impl Into<Cow<'static, str>>) -> Metric {
        Metric { name: name.into(), kind: MetricKind::Gauge, labels: Vec::new(), what: what.into() }
    }

    /// Times in seconds.
    pub fn histogram(name: impl Into<Cow<'static, str>>, what: impl Into<Cow<'static, str>>) -> Metric {
        Metric { name: name.into(), kind: MetricKind::Histogram, labels: Vec::new(), what: what.into() }
    }

    /// The same figure, one for each value of a label; said again, one for each combination.
    pub fn by(mut self, label: &'static str) -> Metric {
        self.labels.push(label);
        self
    }

    /// The name as Prometheus sees it.
    pub fn full_name(&self) -> String {
        let suffix = if self.kind == MetricKind::Counter { "_total" } else { "" };
        format!("headwater_{}{suffix}", self.name)
    }
}

/// Takes the name of a metric, the values of its labels (empty for none, with commas between several) and its figure.
pub type Record<'a> = dyn FnMut(&str, &str, f64) + 'a;

/// The same for times.
pub type RecordTimes<'a> = dyn FnMut(&str, &str, &TimesRead) + 'a;

/// A part of the server that has figures.
pub trait Source: Send + Sync + 'static {
    /// All figures that it may give.
    fn metrics(&self) -> Vec<Metric>;

    /// Gives those that it has now.
    fn read(&self, record: &mut Record<'_>);

    /// Gives the times that it has now.
    fn read_times(&self, record: &mut RecordTimes<'_>) {
        let _ = record;
    }
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

    /// The answer to whoever asks for all figures.
    pub(crate) fn page(&self) -> Response {
        const FORMAT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        ([(header::CONTENT_TYPE, FORMAT)], self.render()).into_response()
    }

    /// All figures that there may be.
    pub fn list(&self) -> Vec<Metric> {
        self.0.iter().flat_map(|source| source.metrics()).collect()
    }

    /// A figure without labels, or the sum over them.
    pub(crate) fn figure(&self, wanted: &str) -> f64 {
        let mut sum = 0.0;
        for source in self.0.iter().filter(|source| source.metrics().iter().any(|metric| metric.name == wanted)) {
            source.read(&mut |name, _, value| sum += if name == wanted { value } else { 0.0 });
        }
        sum
    }

    /// The reference page, in Markdown.
    pub fn reference(&self) -> String {
        let mut page = String::from(INTRODUCTION);
        for metric in self.list() {
            let kind = match metric.kind {
                MetricKind::Counter => "counter",
                MetricKind::Gauge => "gauge",
                MetricKind::Histogram => "histogram",
            };
            let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
            let labels = if labels.is_empty() { "–".to_owned() } else { labels.join(", ") };
            page.push_str(&format!("| `{}` | {kind} | {labels} | {} |\n", metric.full_name(), metric.what));
        }
        page
    }
}

const INTRODUCTION: &str = "\
# Metrics

<!-- Generated from the code; do not edit. -->

`GET /metrics` answers in the text format that Prometheus reads.
No label takes the name of a stream or anything else that a peer chooses; figures of single streams are in the REST API.

| name | kind | labels | what it counts |
|---|---|---|---|
";

impl Collector for Metrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for source in self.0.iter() {
            let mut figures = Samples::new();
            source.read(&mut |name, labels, value| figures.add(name, labels, Figure::Number(value)));
            source.read_times(&mut |name, labels, times| figures.add(name, labels, Figure::Times(times.clone())));
            for metric in source.metrics() {
                encode(&mut encoder, &metric, figures.of(&metric.name))?;
            }
        }
        Ok(())
    }
}

/// What a source gives, by name; each with the values of its labels.
struct Samples(BTreeMap<String, Vec<(String, Figure)>>);

enum Figure {
    Number(f64),
    Times(TimesRead),
}

impl Samples {
    fn new() -> Samples {
        Samples(BTreeMap::new())
    }

    fn add(&mut self, name: &str, labels: &str, figure: Figure) {
        self.0.entry(name.to_owned()).or_default().push((labels.to_owned(), figure));
    }

    fn of(&self, name: &str) -> &[(String, Figure)] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }
}

fn encode(encoder: &mut DescriptorEncoder<'_>, metric: &Metric, samples: &[(String, Figure)]) -> fmt::Result {
    let Some((_, first)) = samples.first() else {
        return Ok(());
    };
    let kind = match metric.kind {
        MetricKind::Counter => MetricType::Counter,
        MetricKind::Gauge => MetricType::Gauge,
        MetricKind::Histogram => MetricType::Histogram,
    };
    // The encoder adds a full stop of its own.
    let mut family = encoder.encode_descriptor(&metric.name, metric.what.trim_end_matches('.'), None, kind)?;
    if metric.labels.is_empty() {
        return encode_figure(metric.kind, first, family);
    }
    for (values, figure) in samples {
        let labels: Vec<(&str, &str)> = metric.labels.iter().copied().zip(values.split(',')).collect();
        encode_figure(metric.kind, figure, family.encode_family(&labels)?)?;
    }
    Ok(())
}

fn encode_figure(kind: MetricKind, figure: &Figure, mut encoder: MetricEncoder<'_>) -> fmt::Result {
    match (kind, figure) {
        (MetricKind::Counter, Figure::Number(number)) => ConstCounter::new(*number).encode(encoder),
        (MetricKind::Gauge, Figure::Number(number)) => ConstGauge::new(*number).encode(encoder),
        (MetricKind::Histogram, Figure::Times(times)) => {
            encoder.encode_histogram::<NoLabelSet>(times.sum, times.count(), &times.buckets(), None)
        }
        // A source that gives another kind than it says is passed over.
        _ => Ok(()),
    }
}

/// `/metrics`.
pub(crate) fn router(metrics: Metrics) -> Router {
    Router::new().route("/metrics", get(serve)).with_state(metrics)
}

async fn serve(State(metrics): State<Metrics>) -> Response {
    metrics.page()
}
