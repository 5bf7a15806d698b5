//! How much a message may hold, checked before it is read.

use headwater_media::limits;

/// Why a text is no message. The peer's fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    /// The limit `WCS_JSON_DEPTH`.
    #[error("the message is nested deeper than {0} levels")]
    TooDeep(u64),
    /// The limit `WCS_JSON_MEMBERS`.
    #[error("the message has more than {0} members")]
    TooMany(u64),
    /// Not JSON.
    #[error("the message is not JSON: {0}")]
    NotJson(String),
    /// JSON, but no `message` in it.
    #[error("the message has no name: it has to be {{\"message\": NAME, \"data\": [VALUE]}}")]
    NoName,
    /// The limit `WCS_CUSTOM_BYTES`.
    #[error("the custom fields have more than {0} bytes")]
    CustomTooLarge(u64),
}

/// Counts levels and members of a JSON text without building anything of it.
///
/// # Errors
/// The limit that it goes beyond.
pub(super) fn check(text: &str) -> Result<(), Malformed> {
    let (mut depth, mut members) = (0u64, 0u64);
    let (mut in_string, mut escaped) = (false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b',' | b':' => members += 1,
            _ => {}
        }
        if depth > limits::WCS_JSON_DEPTH.get() {
            limits::WCS_JSON_DEPTH.hit();
            return Err(Malformed::TooDeep(limits::WCS_JSON_DEPTH.get()));
        }
        // A member of an object has a comma and a colon.
        if members > limits::WCS_JSON_MEMBERS.get().saturating_mul(2) {
            limits::WCS_JSON_MEMBERS.hit();
            return Err(Malformed::TooMany(limits::WCS_JSON_MEMBERS.get()));
        }
    }
    Ok(())
}
