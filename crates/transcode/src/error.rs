//! What can go wrong in a conversion, and whose fault it is.

use headwater_media::Codec;

/// Why something cannot be converted or generated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// This build has no coder for the format. Fault: configuration.
    #[error("this build cannot {what} {codec}")]
    Unavailable {
        /// `decode` or `encode`.
        what: &'static str,
        /// The format.
        codec: Codec,
    },
    /// The source describes a format that the decoder does not know. Fault: peer.
    #[error("the {codec} configuration is not usable: {reason}")]
    Configuration {
        /// The format.
        codec: Codec,
        /// What is wrong with it.
        reason: String,
    },
    /// A frame that does not decode. Fault: peer.
    #[error("a broken {codec} frame: {reason}")]
    BrokenFrame {
        /// The format.
        codec: Codec,
        /// What the decoder says.
        reason: String,
    },
    /// Two sample rates with no useful common block. Fault: peer.
    #[error("cannot convert {from} Hz into {to} Hz")]
    SampleRate {
        /// Rate of the source.
        from: u32,
        /// Rate that was asked for.
        to: u32,
    },
    /// A sound file that is none, is too long, or has a form that is not read. Fault: operator.
    #[error("the sound file cannot be used: {reason}")]
    File {
        /// What is wrong with it.
        reason: String,
    },
    /// A coder failed on what we gave it. Fault: ourselves.
    #[error("the {codec} coder failed: {reason}")]
    Coder {
        /// The format.
        codec: Codec,
        /// What the coder says.
        reason: String,
    },
}

impl Error {
    pub(crate) fn coder(codec: Codec, reason: impl ToString) -> Error {
        Error::Coder { codec, reason: reason.to_string() }
    }

    pub(crate) fn file(reason: impl ToString) -> Error {
        Error::File { reason: reason.to_string() }
    }

    pub(crate) fn broken(codec: Codec, reason: impl ToString) -> Error {
        Error::BrokenFrame { codec, reason: reason.to_string() }
    }
}
