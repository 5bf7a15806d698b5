//! The right to write a stream.

use std::{sync::Arc, time::Duration};

use headwater_media::{Frame, Packet, TrackKind, TrackParameters};

use crate::{
    error::PublishError,
    events::Event,
    lane::LaneWriter,
    rendition::Form,
    stream::{Stream, StreamState},
    track::Track,
};

/// The right to write a stream, held by one publisher.
///
/// Dropping it pauses the stream for the hub's grace time: a publisher of the same name then resumes it, its
/// viewers stay, and its time line goes on. Nobody coming, the stream ends.
#[derive(Debug)]
pub struct Publication {
    stream: Arc<Stream>,
    publisher: u64,
    start: Duration,
    resumed: bool,
    /// Tracks of an earlier publisher that this one has not taken up yet.
    left_over: Vec<Arc<Track>>,
    /// In place of the hub's.
    grace: Option<Duration>,
}

impl Publication {
    pub(crate) fn new(stream: Arc<Stream>, publisher: u64, start: Duration) -> Publication {
        let left_over = stream.tracks().to_vec();
        Publication { publisher, start, resumed: publisher > 0, left_over, stream, grace: None }
    }

    /// The stream.
    pub fn stream(&self) -> &Arc<Stream> {
        &self.stream
    }

    /// Stream time at which this publisher begins: zero for a new stream, later for one that it resumes.
    ///
    /// A source maps its own timestamp `t` to `rate.ticks(start) + (t - first)`, with one `first` for all its
    /// tracks.
    pub fn start(&self) -> Duration {
        self.start
    }

    /// Adds a track that is written as frames.
    ///
    /// A resumed stream's track of the same kind is taken up again, with a discontinuity.
    ///
    /// # Errors
    /// The limit `STREAM_TRACKS`.
    pub fn add_frames(&mut self, parameters: TrackParameters) -> Result<LaneWriter<Frame>, PublishError> {
        let (track, again) = self.track(parameters.kind(), Form::Frames)?;
        let writer = track.native().frame_writer();
        Ok(begin(writer.expect("a track of frames has a lane of frames"), parameters, again))
    }

    /// Adds a track that is written as packets; otherwise like [`Publication::add_frames`].
    ///
    /// # Errors
    /// The limit `STREAM_TRACKS`.
    pub fn add_packets(&mut self, parameters: TrackParameters) -> Result<LaneWriter<Packet>, PublishError> {
        let (track, again) = self.track(parameters.kind(), Form::Packets)?;
        let writer = track.native().packet_writer();
        Ok(begin(writer.expect("a track of packets has a lane of packets"), parameters, again))
    }

    /// Adds one of several renditions that are sent of a track at once, written as packets, beside the track's own
    /// lane, to which the publisher writes the best of them.
    ///
    /// A resumed stream's rendition of the same label is taken up again, with a discontinuity.
    ///
    /// # Errors
    /// The limit `WEBRTC_RENDITIONS`.
    pub fn add_rendition(
        &mut self,
        track: &Track,
        label: &str,
        parameters: TrackParameters,
    ) -> Result<LaneWriter<Packet>, PublishError> {
        let (rendition, again) = track.add_named(label)?;
        let writer = rendition.packet_writer();
        Ok(begin(writer.expect("a named rendition has a lane of packets"), parameters, again))
    }

    /// Says which renditions will be sent of a track at once, none where it is one: those of an earlier publisher that
    /// are not among them end.
    pub fn retain_renditions(&self, track: &Track, labels: &[String]) {
        track.retain_named(labels);
    }

    /// Has the stream wait so long for a publisher after this one, in place of the hub's grace time.
    pub fn set_grace(&mut self, grace: Duration) {
        self.grace = Some(grace);
    }

    /// Says that all tracks are known: viewers may join.
    pub fn ready(&mut self) {
        for track in self.left_over.drain(..) {
            self.stream.remove_track(&track);
        }
        if self.stream.change_state(&[StreamState::Starting], StreamState::Live) {
            let (stream, peer) = (self.stream.name().clone(), self.stream.source());
            let resumed = self.resumed;
            self.stream.services().tell(match resumed {
                true => Event::Resumed { stream, peer },
                false => Event::Published { stream, peer },
            });
        }
    }

    /// Waits until someone orders the publisher to stop, and yields the reason.
    pub fn terminated(&self) -> impl Future<Output = String> + Send + use<> {
        let mut order = self.stream.terminated();
        async move {
            match order.wait_for(Option::is_some).await {
                Ok(reason) => reason.clone().unwrap_or_default(),
                Err(_) => "the stream is gone".to_owned(),
            }
        }
    }

    /// Ends the stream at once, without a grace time.
    pub fn end(self, reason: &str) {
        if self.stream.publisher() == self.publisher {
            self.stream.end(reason);
        }
    }

    fn track(&mut self, kind: TrackKind, form: Form) -> Result<(Arc<Track>, bool), PublishError> {
        let taken_up = self.left_over.iter().position(|track| track.kind() == kind && track.native().native() == form);
        match taken_up {
            Some(index) => Ok((self.left_over.remove(index), true)),
            None => Ok((self.stream.add_track(kind, form)?, false)),
        }
    }
}

fn begin<T: crate::LaneItem>(mut writer: LaneWriter<T>, parameters: TrackParameters, again: bool) -> LaneWriter<T> {
    if again {
        writer.discontinuity();
    }
    writer.set_parameters(parameters);
    writer
}

impl Drop for Publication {
    fn drop(&mut self) {
        let (stream, publisher) = (self.stream.clone(), self.publisher);
        if stream.publisher() != publisher || stream.state() == StreamState::Ended {
            return;
        }
        let services = stream.services().clone();
        let ordered = stream.terminated().borrow().clone();
        if let Some(reason) = ordered {
            return stream.end(&reason);
        }
        let was_live = stream.state() == StreamState::Live || self.resumed;
        let grace = self.grace.unwrap_or(services.grace());
        if grace.is_zero() || !was_live {
            return stream.end("the publisher has left");
        }
        stream.change_state(&[StreamState::Starting, StreamState::Live], StreamState::Paused);
        stream.let_go_of_servers();
        services.tell(Event::Paused { stream: stream.name().clone() });
        let sleep = services.environment.sleep(grace);
        services.environment.spawn(Box::pin(async move {
            sleep.await;
            if stream.publisher() == publisher && stream.state() == StreamState::Paused {
                stream.end("the publisher has left and not come back");
            }
        }));
    }
}
