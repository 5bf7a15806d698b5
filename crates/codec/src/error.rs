//! Why bytes could not be read as what they claim to be.

use headwater_media::limits::Limit;

/// Why a header or configuration record was refused; the fault is always with whoever sent the bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// The bytes end in the middle of something.
    #[error("{what} ends too early")]
    Truncated {
        /// The structure that was being read.
        what: &'static str,
    },
    /// A value that the specification does not allow.
    #[error("{what} is malformed: {why}")]
    Malformed {
        /// The structure that was being read.
        what: &'static str,
        /// The rule that it breaks.
        why: &'static str,
    },
    /// A value beyond one of our limits.
    #[error("{what} of {value} is beyond the limit {limit}")]
    TooLarge {
        /// What was announced.
        what: &'static str,
        /// How much of it.
        value: u64,
        /// The name of the limit.
        limit: &'static str,
    },
    /// Allowed by the specification, but not known here.
    #[error("{what} is not supported")]
    Unsupported {
        /// What was asked for.
        what: &'static str,
    },
}

impl CodecError {
    pub(crate) fn malformed(what: &'static str, why: &'static str) -> CodecError {
        CodecError::Malformed { what, why }
    }
}

/// Refuses a value beyond a limit, and counts that in the limit.
pub(crate) fn check(what: &'static str, value: u64, limit: &'static Limit) -> Result<(), CodecError> {
    if value <= limit.get() {
        return Ok(());
    }
    limit.hit();
    Err(CodecError::TooLarge { what, value, limit: limit.name })
}
