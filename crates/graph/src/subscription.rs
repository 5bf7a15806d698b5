//! One viewer's stay at a stream.

use std::sync::Arc;

use headwater_media::{Codec, Frame, Packet};

use crate::{
    error::ConvertError,
    events::Event,
    lane::{Bell, Cursor, Join},
    peer::Peer,
    rendition::Rendition,
    stream::{Stream, StreamState, Viewer},
    track::Track,
};

/// One viewer's stay at a stream; dropping it is leaving.
#[derive(Debug)]
pub struct Subscription {
    stream: Arc<Stream>,
    id: u64,
    viewer: Arc<Viewer>,
}

impl Subscription {
    pub(crate) fn new(stream: Arc<Stream>, peer: Peer) -> Subscription {
        let (id, viewer) = stream.add_viewer(peer);
        if stream.state() == StreamState::Ended {
            viewer.terminate("the stream has ended");
        }
        stream.services().tell(Event::ViewerJoined { stream: stream.name().clone(), peer: viewer.peer().clone() });
        Subscription { stream, id, viewer }
    }

    /// The stream.
    pub fn stream(&self) -> &Arc<Stream> {
        &self.stream
    }

    /// The viewer as others see it.
    pub fn viewer(&self) -> &Arc<Viewer> {
        &self.viewer
    }

    /// Reads a track as RTP packets: in the source's codec if that is accepted, else in the first accepted one
    /// that it can be converted to. What is converted is made once, for all who ask.
    ///
    /// # Errors
    /// No conversion leads to an accepted codec, or the track has not begun.
    pub fn packets(
        &self,
        track: &Arc<Track>,
        accept: &[Codec],
        bell: &Bell,
        join: Join,
    ) -> Result<Cursor<Packet>, ConvertError> {
        track.packets(accept, bell, join)
    }

    /// Reads one of the renditions that the source sends at once, as RTP packets.
    ///
    /// # Errors
    /// The rendition has not begun.
    pub fn rendition_packets(
        &self,
        rendition: &Arc<Rendition>,
        bell: &Bell,
        join: Join,
    ) -> Result<Cursor<Packet>, ConvertError> {
        rendition.packets(bell, join)
    }

    /// Reads a track as frames; otherwise like [`Subscription::packets`].
    ///
    /// # Errors
    /// No conversion leads to an accepted codec, or the track has not begun.
    pub fn frames(
        &self,
        track: &Arc<Track>,
        accept: &[Codec],
        bell: &Bell,
        join: Join,
    ) -> Result<Cursor<Frame>, ConvertError> {
        track.frames(accept, bell, join)
    }

    /// Waits until the stream has ended or someone ends this viewer's session, and yields the reason.
    pub fn ended(&self) -> impl Future<Output = String> + Send + use<> {
        let mut end = self.viewer.end();
        async move {
            match end.wait_for(Option::is_some).await {
                Ok(reason) => reason.clone().unwrap_or_default(),
                Err(_) => "the stream is gone".to_owned(),
            }
        }
    }

    /// The reason why the session must end, if it must.
    pub fn has_ended(&self) -> Option<String> {
        self.viewer.end().borrow().clone()
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.stream.remove_viewer(self.id);
        let event = Event::ViewerLeft { stream: self.stream.name().clone(), peer: self.viewer.peer().clone() };
        self.stream.services().tell(event);
    }
}
