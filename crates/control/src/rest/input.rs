//! The body of a call: JSON within its bounds, and which field is at fault when it is not.

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::StatusCode,
};
use headwater_media::limits;
use headwater_relay::Transport;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::ApiError;

/// The body of a call. An empty one is an object without fields.
pub(crate) struct Input<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Input<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Input<T>, ApiError> {
        let body = Bytes::from_request(request, state).await.map_err(|rejection| {
            if rejection.status() != StatusCode::PAYLOAD_TOO_LARGE {
                return ApiError::bad_request("bad_body", "The body could not be read.");
            }
            limits::HTTP_BODY_BYTES.hit();
            let message = format!("The body may have at most {} bytes.", limits::HTTP_BODY_BYTES.get());
            ApiError::with_status(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", message)
        })?;
        read(&body).map(Input)
    }
}

/// The field `transport`: UDP where it is not there or empty.
pub(crate) fn transport(text: Option<&str>) -> Result<Transport, ApiError> {
    let read = text.filter(|text| !text.is_empty()).map_or(Ok(Transport::Udp), str::parse);
    read.map_err(|_| ApiError::bad_request("bad_value", "transport is UDP or TCP.").in_field("transport"))
}

/// Reads the body of a call.
///
/// # Errors
/// It is no JSON object, is nested too deep, or a field is unknown, missing or of the wrong kind.
pub(crate) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    let bad_json = |message: String| ApiError::bad_request("bad_json", message);
    if depth(body) > limits::REST_JSON_DEPTH.get() {
        limits::REST_JSON_DEPTH.hit();
        return Err(bad_json(format!("The body may be nested at most {} deep.", limits::REST_JSON_DEPTH.get())));
    }
    let empty = body.iter().all(u8::is_ascii_whitespace);
    let body: &[u8] = if empty { b"{}" } else { body };
    let value: Value =
        serde_json::from_slice(body).map_err(|error| bad_json(format!("The body is not JSON: {error}.")))?;
    if !value.is_object() {
        return Err(bad_json("The body must be a JSON object, such as {\"name\": \"demo\"}.".to_owned()));
    }
    serde_path_to_error::deserialize(value).map_err(|error| {
        let field = error.path().iter().next().map(ToString::to_string).filter(|field| field != "?");
        blame(field, &error.into_inner().to_string())
    })
}

/// Says which field is at fault, from what serde says of it.
fn blame(field: Option<String>, words: &str) -> ApiError {
    let named = || words.split('`').nth(1).map(shorten);
    let message = format!("{}.", shorten(words));
    if words.starts_with("unknown field") {
        return ApiError::bad_request("unknown_field", message).in_field(named().unwrap_or_default());
    }
    if words.starts_with("missing field") {
        return ApiError::bad_request("missing_field", message).in_field(named().unwrap_or_default());
    }
    match field {
        Some(field) => {
            ApiError::bad_request("bad_value", format!("{}: {message}", shorten(&field))).in_field(shorten(&field))
        }
        None => ApiError::bad_request("bad_value", message),
    }
}

/// How deep arrays and objects are nested, before anything is made of them.
fn depth(body: &[u8]) -> u64 {
    let (mut depth, mut deepest, mut in_text, mut is_escaped) = (0_u64, 0, false, false);
    for byte in body {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_text => is_escaped = true,
            b'"' => in_text = !in_text,
            b'[' | b'{' if !in_text => {
                depth = depth.saturating_add(1);
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// What a peer sent comes back in errors, but not all of it.
pub(crate) fn shorten(text: &str) -> String {
    text.chars().take(400).collect()
}

/// A list of a call that is not longer than it may be.
pub(crate) fn check_list<T>(field: &'static str, list: &[T]) -> Result<(), ApiError> {
    if list.len() as u64 <= limits::REST_LIST.get() {
        return Ok(());
    }
    limits::REST_LIST.hit();
    let message = format!("{field} may have at most {} entries.", limits::REST_LIST.get());
    Err(ApiError::bad_request("bad_value", message).in_field(field))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_counts_what_is_open_and_not_what_is_written_in_texts() {
        for (text, expected) in [("{}", 1), ("[[1],{}]", 2), (r#"{"a":"[[[\"[["}"#, 1), ("]]][", 1), ("", 0)] {
            assert_eq!(depth(text.as_bytes()), expected, "{text}");
        }
        let (whole, too_deep) = (("[".repeat(14), "]".repeat(14)), "[".repeat(1_000_000));
        let body = format!(r#"{{"name":{}{}}}"#, whole.0, whole.1);
        assert!(read::<Value>(body.as_bytes()).is_ok());
        let refused = read::<Value>(too_deep.as_bytes()).unwrap_err();
        assert!(refused.to_string().contains("nested"), "{refused}");
    }
}
