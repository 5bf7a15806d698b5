//! Why a relay does not begin.

use headwater_agent::InvalidRemote;
use headwater_media::{InvalidName, StreamName};
use headwater_net::DialError;
use headwater_rtmp::InvalidUrl;

use crate::sounds::SoundError;

/// Why a relay does not begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RelayError {
    /// Request: the URL is none of RTMP.
    #[error("the URL cannot be used: {0}")]
    Url(#[from] InvalidUrl),
    /// Request: the URL leads to no stream of a server of WebRTC.
    #[error("the URL cannot be used: {0}")]
    Remote(#[from] InvalidRemote),
    /// Request: the stream gets no name here.
    #[error("the name that the stream is to have here is missing")]
    NoName,
    /// Operator: WebRTC is switched off.
    #[error("this server has WebRTC switched off")]
    NoWebRtc,
    /// Request: user and password stand before the host, which servers of RTMP do not read.
    #[error("the URL has a user before its host; put user and password into its query, as ?user=NAME&pass=WORD")]
    Userinfo,
    /// Request or network: the host cannot be found, or must not be connected to.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// Request: no stream can have that name.
    #[error("not a stream name: {0}")]
    Name(#[from] InvalidName),
    /// Request: nobody publishes the stream.
    #[error("there is no live stream {0}")]
    NoStream(StreamName),
    /// Request: the same relay is at work.
    #[error("there is such a relay already; terminate it first")]
    Exists,
    /// Request: somebody publishes under the name.
    #[error("the stream {0} is being published already; choose another name or stop that publisher")]
    NameTaken(StreamName),
    /// The sound file that is to be played cannot be.
    #[error(transparent)]
    Sound(#[from] SoundError),
    /// Request: there is no such push.
    #[error("there is no push {0:?}")]
    NoPush(String),
    /// Request: what goes out by WebRTC is the stream as it is.
    #[error("the sound of a stream that is sent by WebRTC can neither be muted nor replaced")]
    SoundStays,
    /// The limit `RELAYS`.
    #[error("this server has {limit} relays already, which is its limit")]
    TooMany {
        /// The limit.
        limit: u64,
    },
}
