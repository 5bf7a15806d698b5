//! Hooks: each request to an application, in the trace of the session that it is about.

use headwater_hooks::{HookError, Method, Observation, Observer};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

use super::{OpenSpan, Position, Traces};

impl Observer for Traces {
    fn begin(&self, session: &str, method: Method) -> Option<Box<dyn Observation>> {
        let parent = self.session(session)?;
        let at = parent.child();
        let mut span = self.begin(&format!("hook {}", method.name()), SpanKind::Client, at, Some(parent))?;
        span.set("session.id", session);
        span.set("headwater.hook", method.name());
        Some(Box::new(Request { at, span, is_settled: false }))
    }
}

/// A request that is under way.
struct Request {
    at: Position,
    span: OpenSpan,
    is_settled: bool,
}

impl Observation for Request {
    fn parent(&self) -> String {
        self.at.to_header()
    }

    fn end(&mut self, error: Option<&HookError>) {
        self.is_settled = true;
        match error {
            Some(error) => {
                if let HookError::Status(status) = error {
                    self.span.set("http.response.status_code", i64::from(*status));
                }
                self.span.fail(&error.to_string());
            }
            None => self.span.set("http.response.status_code", 200),
        }
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        if !self.is_settled {
            self.span.fail("nobody waits for the answer any more");
        }
    }
}
