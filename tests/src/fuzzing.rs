//! What the fuzzers call: for each parser and each session one function of any bytes, which must do no harm.
//!
//! The fuzz targets in `tests/fuzz` are one line each and call these; the ordinary test run replays every file of
//! their corpora, as it is, cut at every length, and bent.

pub mod access;
pub mod codec;
pub mod config;
pub mod convert;
pub mod flv;
pub mod hls;
pub mod hls_request;
pub mod rtmp;
pub mod rtp;
pub mod segments;
pub mod signalling;
pub mod websocket;

mod frames;
mod replay;

/// A function that takes any bytes.
pub type Harness = fn(&[u8]);

/// All targets by name. Each has a file in `tests/fuzz/fuzz_targets` and a folder in `tests/fuzz/corpus`.
pub const TARGETS: &[(&str, Harness)] = &[
    ("access_token", access::access_token),
    ("decoder_configuration", codec::decoder_configuration),
    ("sequence_headers", codec::sequence_headers),
    ("nal_units", codec::nal_units),
    ("frame_headers", codec::frame_headers),
    ("config_file", config::config_file),
    ("lane_conversions", convert::lane_conversions),
    ("amf0", flv::amf0),
    ("amf3", flv::amf3),
    ("flv_tags", flv::flv_tags),
    ("ertmp_ex_headers", flv::ertmp_ex_headers),
    ("hls_address", hls::hls_address),
    ("hls_request", hls_request::hls_request),
    ("hls_init", hls::hls_init),
    ("hls_frames", hls::hls_frames),
    ("handshake", rtmp::handshake),
    ("chunk_stream", rtmp::chunk_stream),
    ("rtmp_conversation", rtmp::rtmp_conversation),
    ("rtmp_session_script", rtmp::rtmp_session_script),
    ("rtp_header", rtp::rtp_header),
    ("rtp_depacketize", rtp::rtp_depacketize),
    ("rtp_packetize", rtp::rtp_packetize),
    ("transport_stream", segments::transport_stream),
    ("movie", segments::movie),
    ("session_description", signalling::session_description),
    ("whep_path", signalling::whep_path),
    ("session_message", signalling::session_message),
    ("ice_tcp_framing", signalling::ice_tcp_framing),
    ("session_datagrams", signalling::session_datagrams),
    ("receiver_datagrams", signalling::receiver_datagrams),
    ("session_reports", signalling::session_reports),
    ("session_arrivals", signalling::session_arrivals),
    ("session_feedback", signalling::session_feedback),
    ("ice_checks", signalling::ice_checks),
    ("dtls_handshakes", signalling::dtls_handshakes),
    ("websocket_request", websocket::websocket_request),
    ("websocket_words", websocket::websocket_words),
    ("websocket_frames", websocket::websocket_frames),
];
