//! How a publisher gets its name.

use headwater_graph::{Hub, Peer, Publication, PublishError};
use headwater_media::StreamName;
use headwater_webrtc::WebRtc;

/// Takes a name: a new one, that of a stream that waits for its publisher, or that of a publisher that has vanished
/// without a word. Whether it has is seen within `WEBRTC_PUBLISHER_YIELD_MS`.
///
/// # Errors
/// Someone else publishes under that name, or there are too many streams.
pub(crate) async fn take(
    hub: &Hub,
    webrtc: &WebRtc,
    name: &StreamName,
    peer: Peer,
) -> Result<Publication, PublishError> {
    match hub.publish(name.clone(), peer.clone()) {
        Err(PublishError::NameTaken { .. }) if webrtc.make_way(name).await => hub.publish(name.clone(), peer),
        result => result,
    }
}
