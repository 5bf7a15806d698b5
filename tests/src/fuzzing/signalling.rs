//! Any bytes for what a WebRTC peer sends: its offer, its fragments, its addresses, its datagrams, its messages.

use headwater_signalling::wcs;
use headwater_webrtc::fuzzing;

/// An offer through to its answer, and the same text as a trickle fragment.
pub fn session_description(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        fuzzing::session_description(text);
    }
}

/// The path of a request.
pub fn whep_path(data: &[u8]) {
    if let Ok(path) = std::str::from_utf8(data) {
        headwater_signalling::is_whep(path);
    }
}

/// Datagrams framed on a TCP connection.
pub fn ice_tcp_framing(data: &[u8]) {
    fuzzing::framing(data);
}

/// STUN, DTLS, SRTP and SRTCP for a session that waits for its peer.
pub fn session_datagrams(data: &[u8]) {
    fuzzing::datagrams(data);
}

/// A message of the session protocol, and the same text as the origin of a page.
pub fn session_message(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        wcs::fuzzing::message(text);
        wcs::fuzzing::origin(text);
    }
}

/// Media and reports of a peer for a session that only receives, once their seal has been opened, and before.
pub fn receiver_datagrams(data: &[u8]) {
    fuzzing::receiver_datagrams(data);
}

/// Reports and feedback of a viewer, once their seal has been opened.
pub fn session_reports(data: &[u8]) {
    fuzzing::reports(data);
}

/// What a viewer says of the arrival of packets, for the estimate of what its network carries.
pub fn session_arrivals(data: &[u8]) {
    fuzzing::arrivals(data);
}

/// Reports and feedback of a viewer that is sent media, under a good seal: what is missed is sent again, and what the
/// network carries is reckoned.
pub fn session_feedback(data: &[u8]) {
    fuzzing::feedback(data);
}

/// STUN messages with good checksums, for a session that waits for checks and for one that makes them.
pub fn ice_checks(data: &[u8]) {
    fuzzing::ice_checks(data);
}

/// Handshakes with a true peer, some of whose datagrams are changed on their way.
pub fn dtls_handshakes(data: &[u8]) {
    fuzzing::handshakes(data);
}
