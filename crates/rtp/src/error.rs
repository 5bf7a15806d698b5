//! Why a packet could not be read.

use headwater_codec::CodecError;

/// Why an RTP header or payload was refused; the fault is always with whoever sent it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RtpError {
    /// The header is too short, of another version, or reaches beyond the packet.
    #[error("RTP header: {0}")]
    Header(&'static str),
    /// The payload does not follow its format.
    #[error("{format} payload: {why}")]
    Payload {
        /// The payload format.
        format: &'static str,
        /// The rule that it breaks, or what it uses that is not known here.
        why: &'static str,
    },
    /// What the packets carry does not follow the codec.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The frame or its headers grow beyond a limit.
    #[error("a frame grows beyond the limit {limit}")]
    TooLarge {
        /// The name of the limit.
        limit: &'static str,
    },
}

impl RtpError {
    pub(crate) const fn payload(format: &'static str, why: &'static str) -> RtpError {
        RtpError::Payload { format, why }
    }
}
