//! Any bytes for what reads tokens, keys and patterns.

/// A token, the claims of one, a set of keys, an entry of the configuration.
pub fn access_token(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        headwater_access::fuzzing::token(text);
    }
}
