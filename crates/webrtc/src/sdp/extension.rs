//! The header extensions that are of use to this server (RFC 8285).

/// Names the media section that a packet belongs to (RFC 9143 §15).
pub(crate) const MID: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";
/// Names the rendition that a packet belongs to (RFC 8852 §4.3).
pub(crate) const RID: &str = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id";
/// Names the rendition that a retransmission belongs to (RFC 8852 §4.3).
pub(crate) const REPAIRED_RID: &str = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id";
/// Numbers all packets of a transport, so that the sender can estimate what the network carries.
pub(crate) const TRANSPORT_SEQUENCE: &str = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";

/// How loud the sound of a packet is (RFC 6464).
pub(crate) const AUDIO_LEVEL: &str = "urn:ietf:params:rtp-hdrext:ssrc-audio-level";
/// When the picture or sound of a packet was captured, by the clock of who captured it.
pub(crate) const CAPTURE_TIME: &str = "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time";

/// How a picture is to be turned before it is shown (3GPP TS 26.114 §7.4.5).
pub(crate) const ORIENTATION: &str = "urn:3gpp:video-orientation";

/// Those that a publisher may use.
pub(crate) const RECEIVED: [&str; 7] =
    [MID, RID, REPAIRED_RID, TRANSPORT_SEQUENCE, AUDIO_LEVEL, CAPTURE_TIME, ORIENTATION];
