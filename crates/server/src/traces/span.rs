//! Spans: where they stand, and what is written of them.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use headwater_media::limits;
use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, KeyValue, any_value},
    trace::v1::{
        Span, Status,
        span::{Event, SpanKind},
        status::StatusCode,
    },
};

use super::Inner;

/// That a trace is recorded (W3C Trace Context §3.2.2.5).
const SAMPLED: u32 = 1;

/// Where a span stands: in which trace, and which it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    trace: u128,
    span: u64,
}

impl Position {
    /// Ids are never zero (W3C Trace Context §3.2.2.3, §3.2.2.4).
    pub(super) fn new(trace: u128, span: u64) -> Position {
        Position { trace: trace.max(1), span: span.max(1) }
    }

    pub(super) fn random() -> Position {
        Position::new(rand::random(), rand::random())
    }

    /// Another span of the same trace.
    pub(super) fn child(self) -> Position {
        Position::new(self.trace, rand::random())
    }

    /// From 0 to 99, the same for all spans of a trace.
    pub(super) fn percentile(self) -> u64 {
        u64::try_from(self.trace % 100).unwrap_or(0)
    }

    /// The header `traceparent` of a request that this span makes (W3C Trace Context §3.2).
    pub(super) fn to_header(self) -> String {
        format!("00-{:032x}-{:016x}-01", self.trace, self.span)
    }

    /// What a caller says of its own span, and whether it is recorded. Nothing that is malformed counts.
    pub(super) fn parse(header: &str) -> Option<(Position, bool)> {
        let mut parts = header.split('-');
        let mut next = |digits: usize| {
            let part = parts.next().filter(|part| part.len() == digits)?;
            let is_hex = part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
            if is_hex { u128::from_str_radix(part, 16).ok() } else { None }
        };
        let (version, trace, span, flags) = (next(2)?, next(32)?, next(16)?, next(2)?);
        let has_more = parts.next().is_some();
        if version == 0xff || (version == 0 && has_more) || trace == 0 || span == 0 {
            return None;
        }
        Some((Position { trace, span: u64::try_from(span).ok()? }, flags & u128::from(SAMPLED) != 0))
    }
}

/// A span that has begun. It ends when it is dropped.
pub(super) struct OpenSpan {
    inner: Arc<Inner>,
    span: Span,
}

impl OpenSpan {
    pub(super) fn begin(
        inner: Arc<Inner>,
        name: &str,
        kind: SpanKind,
        at: Position,
        parent: Option<Position>,
    ) -> OpenSpan {
        inner.open.send_modify(|open| *open = open.saturating_add(1));
        let span = Span {
            trace_id: at.trace.to_be_bytes().to_vec(),
            span_id: at.span.to_be_bytes().to_vec(),
            parent_span_id: parent.map(|parent| parent.span.to_be_bytes().to_vec()).unwrap_or_default(),
            flags: SAMPLED,
            name: name.to_owned(),
            kind: kind.into(),
            start_time_unix_nano: now(),
            ..Span::default()
        };
        OpenSpan { inner, span }
    }

    /// A fact about it. Long ones are cut, as peers choose them.
    pub(super) fn set(&mut self, key: &'static str, value: impl Into<Fact>) {
        self.span.attributes.retain(|known| known.key != key);
        self.span.attributes.push(fact(key, value));
    }

    /// Something that happens now.
    pub(super) fn event(&mut self, name: &'static str) {
        self.span.events.push(Event { time_unix_nano: now(), name: name.to_owned(), ..Event::default() });
    }

    /// It has come to nothing good.
    pub(super) fn fail(&mut self, why: &str) {
        self.span.status = Some(Status { message: cut(why), code: StatusCode::Error.into() });
    }
}

impl Drop for OpenSpan {
    fn drop(&mut self) {
        self.span.end_time_unix_nano = now();
        self.inner.finish(std::mem::take(&mut self.span));
        self.inner.open.send_modify(|open| *open = open.saturating_sub(1));
    }
}

/// A value of a fact.
pub(super) struct Fact(any_value::Value);

impl From<&str> for Fact {
    fn from(text: &str) -> Fact {
        Fact(any_value::Value::StringValue(cut(text)))
    }
}

impl From<i64> for Fact {
    fn from(number: i64) -> Fact {
        Fact(any_value::Value::IntValue(number))
    }
}

pub(super) fn fact(key: &'static str, value: impl Into<Fact>) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value.into().0) }), ..KeyValue::default() }
}

fn cut(text: &str) -> String {
    let end = text.floor_char_boundary(limits::TRACE_TEXT_BYTES.get_usize());
    text.get(..end).unwrap_or_default().to_owned()
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_callers_span_is_read_as_it_is_written() {
        let (position, is_recorded) = Position::parse(PARENT).unwrap();
        assert_eq!((position.to_header().as_str(), is_recorded), (PARENT, true));
        let (same, is_recorded) = Position::parse(&PARENT.replace("-01", "-00")).unwrap();
        assert_eq!((same, is_recorded), (position, false));
        let (child, later) = (position.child(), PARENT.replace("00-4", "cc-4") + "-more");
        assert_eq!((child.trace, child.span == position.span), (position.trace, false));
        assert_eq!(Position::parse(&later), Some((position, true)), "later versions may say more");
    }

    #[test]
    fn a_header_that_is_cut_or_bent_is_none() {
        for end in 0..PARENT.len() {
            assert_eq!(Position::parse(&PARENT[..end]), None, "{}", &PARENT[..end]);
        }
        let zeros = ["00-00000000000000000000000000000000-00f067aa0ba902b7-01"];
        let bent =
            [PARENT.to_uppercase(), PARENT.replace("00-4", "ff-4"), PARENT.replace("-4", "-+"), PARENT.repeat(2)];
        for wrong in zeros.into_iter().map(str::to_owned).chain(bent).chain([format!("{PARENT}-more")]) {
            assert_eq!(Position::parse(&wrong), None, "{wrong}");
        }
    }
}
