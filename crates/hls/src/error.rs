//! Why a player gets no media.

use headwater_graph::{ConvertError, SubscribeError};
use headwater_net::Refused as Full;

/// Why a player gets no media.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HlsError {
    /// The stream cannot be had.
    #[error(transparent)]
    Stream(#[from] SubscribeError),
    /// Its tracks cannot be had in codecs that players of HLS know.
    #[error("this stream cannot be played by HLS: {0}")]
    Convert(#[from] ConvertError),
    /// The container does not carry what its source sends.
    #[error("this stream cannot be played by HLS: {0}")]
    Container(String),
    /// It has neither sound nor picture.
    #[error("the stream has no tracks yet; try again")]
    Empty,
    /// Nothing was packaged in time.
    #[error(
        "the stream has sent nothing that a decoder can start at within {0} ms; try again, or let its encoder send key frames more often"
    )]
    Late(u64),
    /// A limit of this server.
    #[error("{0}; try again later")]
    Full(#[from] Full),
}
