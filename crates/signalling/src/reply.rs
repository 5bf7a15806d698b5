//! Answers over HTTP, and refusals in words.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderName, HeaderValue, StatusCode, header};

/// A refusal: a status, a sentence for people, and when to come back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) sentence: String,
    pub(crate) retry_after_s: Option<u32>,
    pub(crate) allow: Option<&'static str>,
    pub(crate) location: Option<String>,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, sentence: impl Into<String>) -> Refusal {
        Refusal { status, sentence: sentence.into(), retry_after_s: None, allow: None, location: None }
    }

    /// The same as those know it who decide about viewers: in the words of WCS where it has any.
    pub(crate) fn info(&self) -> String {
        match self.status {
            StatusCode::NOT_FOUND => "Stream not found".to_owned(),
            StatusCode::CONFLICT => "Publish stream is not ready".to_owned(),
            StatusCode::NOT_ACCEPTABLE => "No common codecs".to_owned(),
            _ => self.sentence.clone(),
        }
    }

    pub(crate) fn retry_after(self, seconds: u32) -> Refusal {
        Refusal { retry_after_s: Some(seconds), ..self }
    }

    /// Leads to where the same is to be had.
    pub(crate) fn at(self, location: String) -> Refusal {
        Refusal { location: Some(location), ..self }
    }

    pub(crate) fn allow(self, methods: &'static str) -> Refusal {
        Refusal { allow: Some(methods), ..self }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = reply(self.status, Some("text/plain; charset=utf-8"), format!("{}\n", self.sentence));
        if let Some(seconds) = self.retry_after_s {
            set(&mut response, header::RETRY_AFTER, &seconds.to_string());
        }
        // RFC 9110 §11.6.1: who refuses for want of authority says how it is shown.
        if self.status == StatusCode::UNAUTHORIZED {
            set(&mut response, header::WWW_AUTHENTICATE, "Bearer");
        }
        if let Some(location) = &self.location {
            set(&mut response, header::LOCATION, location);
        }
        if let Some(methods) = self.allow {
            set(&mut response, header::ALLOW, methods);
        }
        response
    }
}

/// An answer with its length said: some clients do not read one that comes in chunks.
pub(crate) fn reply(status: StatusCode, content_type: Option<&str>, body: impl Into<String>) -> Response {
    let body: String = body.into();
    let length = body.len();
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    if let Some(content_type) = content_type {
        set(&mut response, header::CONTENT_TYPE, content_type);
    }
    // A 204 has no length (RFC 9110 §8.6).
    if status != StatusCode::NO_CONTENT {
        set(&mut response, header::CONTENT_LENGTH, &length.to_string());
    }
    response
}

/// Sets a header, if the value is one.
pub(crate) fn set(response: &mut Response, name: HeaderName, value: &str) {
    match HeaderValue::from_str(value) {
        Ok(value) => {
            response.headers_mut().insert(name, value);
        }
        Err(_) => tracing::warn!(%name, "a header could not be set: its value has characters that are not allowed"),
    }
}

/// Lets pages of other origins use the answer, and read the headers that a session needs.
///
/// Source: Fetch standard §3.2.
pub(crate) fn share(response: &mut Response) {
    set(response, header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
    set(
        response,
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        "Location, ETag, Link, Retry-After, Accept-Post, Accept-Patch, WWW-Authenticate",
    );
}

/// Answers OPTIONS: what may be asked, here and by pages of other origins.
pub(crate) fn options(methods: &'static str, accepts: (HeaderName, &'static str)) -> Response {
    let mut response = reply(StatusCode::NO_CONTENT, None, "");
    set(&mut response, header::ALLOW, methods);
    set(&mut response, header::ACCESS_CONTROL_ALLOW_METHODS, methods);
    set(&mut response, header::ACCESS_CONTROL_ALLOW_HEADERS, "Authorization, Content-Type, If-Match");
    set(&mut response, header::ACCESS_CONTROL_MAX_AGE, "86400");
    set(&mut response, accepts.0, accepts.1);
    response
}
