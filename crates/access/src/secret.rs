//! A text that must not be read by those who read logs.

use std::fmt;

/// A password, a token or a key. It has neither `Display` nor a telling `Debug`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps a text to itself.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The text. To be compared in constant time only.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_told() {
        let secret = Secret::new("canary");
        assert_eq!((format!("{secret:?}"), secret.reveal()), ("(secret)".to_owned(), "canary"));
    }
}
