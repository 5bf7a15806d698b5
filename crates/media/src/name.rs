//! The name of a stream, checked once at the door.

use std::{fmt, str::FromStr, sync::Arc};

/// The checked name of a stream: one to four segments of letters, digits, `.`, `_` and `-`, joined by `/`.
///
/// Paths, URLs, playlists, log lines and metric labels are built only from this type, so none of them needs
/// to escape it. Cloning is cheap.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamName(Arc<str>);

/// Why a text is not a stream name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidName {
    /// Nothing between two slashes, or nothing at all.
    #[error("a stream name must not be empty or have an empty part between slashes")]
    Empty,
    /// A part is longer than [`StreamName::SEGMENT_BYTES_MAX`].
    #[error("a part of a stream name may have at most {} characters", StreamName::SEGMENT_BYTES_MAX)]
    TooLong,
    /// More parts than [`StreamName::SEGMENTS_MAX`].
    #[error("a stream name may have at most {} parts between slashes", StreamName::SEGMENTS_MAX)]
    TooDeep,
    /// A part does not begin with a letter or digit.
    #[error("each part of a stream name must begin with a letter or a digit")]
    BadStart,
    /// A character that is not allowed.
    #[error("a stream name may hold only letters, digits, '.', '_', '-' and '/'; found {0:?}")]
    BadCharacter(char),
}

impl StreamName {
    /// The longest part between slashes, in bytes.
    pub const SEGMENT_BYTES_MAX: usize = 128;
    /// The most parts between slashes.
    pub const SEGMENTS_MAX: usize = 4;

    /// Checks a text.
    ///
    /// # Errors
    /// Says which rule the text breaks.
    pub fn new(text: &str) -> Result<StreamName, InvalidName> {
        for (index, segment) in text.split('/').enumerate() {
            if index == Self::SEGMENTS_MAX {
                return Err(InvalidName::TooDeep);
            }
            check_segment(segment)?;
        }
        Ok(StreamName(text.into()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn check_segment(segment: &str) -> Result<(), InvalidName> {
    let first = segment.chars().next().ok_or(InvalidName::Empty)?;
    if segment.len() > StreamName::SEGMENT_BYTES_MAX {
        return Err(InvalidName::TooLong);
    }
    if let Some(bad) = segment.chars().find(|c| !c.is_ascii_alphanumeric() && !"._-".contains(*c)) {
        return Err(InvalidName::BadCharacter(bad));
    }
    if !first.is_ascii_alphanumeric() {
        return Err(InvalidName::BadStart);
    }
    Ok(())
}

impl FromStr for StreamName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<StreamName, InvalidName> {
        StreamName::new(text)
    }
}

impl AsRef<str> for StreamName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_pass() {
        for name in ["a", "camera-1", "live/room_2/cam.3", "0", "A1.b-c_d"] {
            assert_eq!(StreamName::new(name).unwrap().as_str(), name);
        }
    }

    #[test]
    fn hostile_names_are_refused_with_the_rule_they_break() {
        let long = "x".repeat(129);
        let cases = [
            ("", InvalidName::Empty),
            ("/a", InvalidName::Empty),
            ("a//b", InvalidName::Empty),
            ("a/", InvalidName::Empty),
            ("..", InvalidName::BadStart),
            ("a/../b", InvalidName::BadStart),
            (".hidden", InvalidName::BadStart),
            ("a%2fb", InvalidName::BadCharacter('%')),
            ("a\\b", InvalidName::BadCharacter('\\')),
            ("a\0", InvalidName::BadCharacter('\0')),
            ("a\r\nb", InvalidName::BadCharacter('\r')),
            ("naïve", InvalidName::BadCharacter('ï')),
            ("<b>", InvalidName::BadCharacter('<')),
            ("a/b/c/d/e", InvalidName::TooDeep),
            (long.as_str(), InvalidName::TooLong),
        ];
        for (name, expected) in cases {
            assert_eq!(StreamName::new(name), Err(expected), "{name:?}");
        }
    }
}
