//! A collector: takes OTLP over HTTP and keeps what it is told, to be looked at.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use anyhow::{Context, Result, ensure};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::any_value::Value,
    trace::v1::{Span, status::StatusCode},
};
use prost::Message;

/// A span as it was told.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) name: String,
    pub(super) trace: String,
    pub(super) span: String,
    pub(super) parent: String,
    pub(super) time: (u64, u64),
    pub(super) events: Vec<String>,
    /// Why, if it has failed.
    pub(super) failed: Option<String>,
    facts: BTreeMap<String, String>,
}

impl Seen {
    pub(super) fn get(&self, key: &str) -> &str {
        self.facts.get(key).map_or("", String::as_str)
    }

    pub(super) fn is_of(&self, session: &str) -> bool {
        self.get("session.id") == session
    }

    pub(super) fn is_child_of(&self, other: &Seen) -> bool {
        self.trace == other.trace && self.parent == other.span && self.span != other.span
    }

    pub(super) fn is_within(&self, other: &Seen) -> bool {
        other.time.0 <= self.time.0 && self.time.0 <= self.time.1 && self.time.1 <= other.time.1
    }
}

impl From<Span> for Seen {
    fn from(span: Span) -> Seen {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let text = |value| match value {
            Some(Value::StringValue(text)) => text,
            Some(Value::IntValue(number)) => number.to_string(),
            other => format!("{other:?}"),
        };
        let failed = span.status.filter(|status| status.code == i32::from(StatusCode::Error));
        let facts = span.attributes.into_iter().map(|fact| (fact.key, text(fact.value.and_then(|value| value.value))));
        Seen {
            name: span.name,
            trace: hex(&span.trace_id),
            span: hex(&span.span_id),
            parent: hex(&span.parent_span_id),
            time: (span.start_time_unix_nano, span.end_time_unix_nano),
            events: span.events.into_iter().map(|event| event.name).collect(),
            failed: failed.map(|status| status.message),
            facts: facts.collect(),
        }
    }
}

/// What was told so far.
#[derive(Default)]
struct Told {
    heads: Vec<String>,
    spans: Vec<Seen>,
    problems: Vec<String>,
}

/// A collector at work until the tests end.
pub(super) struct Collector {
    address: SocketAddr,
    told: Arc<Mutex<Told>>,
}

impl Collector {
    /// One that gives this status for an answer.
    pub(super) fn start(status: u16) -> Result<Collector> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let collector = Collector { address: listener.local_addr()?, told: Arc::default() };
        let told = collector.told.clone();
        thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let told = told.clone();
                thread::spawn(move || {
                    if let Err(error) = converse(socket, status, &told) {
                        told.lock().unwrap().problems.push(format!("{error:#}"));
                    }
                });
            }
        });
        Ok(collector)
    }

    pub(super) fn address(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All spans so far. Nothing may have come that is not as the protocol wants it.
    pub(super) fn spans(&self) -> Vec<Seen> {
        let told = self.told.lock().unwrap();
        assert!(told.problems.is_empty(), "{:?}", told.problems);
        told.spans.clone()
    }

    /// The heads of all requests so far.
    pub(super) fn heads(&self) -> Vec<String> {
        self.told.lock().unwrap().heads.clone()
    }
}

/// Takes one request after the other.
fn converse(socket: TcpStream, status: u16, told: &Mutex<Told>) -> Result<()> {
    let mut reader = BufReader::new(socket.try_clone()?);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head)? == 0 {
                ensure!(head.is_empty(), "a request is cut: {head:?}");
                return Ok(());
            }
        }
        let lower = head.to_ascii_lowercase();
        ensure!(lower.starts_with("post /v1/traces http/1.1\r\n"), "{head}");
        ensure!(lower.contains("content-type: application/x-protobuf\r\n"), "{head}");
        let length = lower.lines().find_map(|line| line.strip_prefix("content-length: ")).context("no length")?;
        let mut body = vec![0; length.parse()?];
        reader.read_exact(&mut body)?;
        let request = ExportTraceServiceRequest::decode(&body[..])?;
        let resources = request.resource_spans.iter().filter_map(|spans| spans.resource.as_ref());
        let names = resources.flat_map(|resource| &resource.attributes).filter(|fact| fact.key == "service.name");
        ensure!(names.count() == 1, "a resource has a name: {request:?}");
        let scopes = request.resource_spans.into_iter().flat_map(|spans| spans.scope_spans);
        let spans: Vec<Seen> = scopes.flat_map(|scope| scope.spans).map(Seen::from).collect();
        let mut told = told.lock().unwrap();
        told.heads.push(head);
        told.spans.extend(spans);
        drop(told);
        (&socket).write_all(format!("HTTP/1.1 {status} Said\r\nContent-Length: 0\r\n\r\n").as_bytes())?;
    }
}
