//! What all publishers of a run send: coded once, repeated without end, each picture with the time of its sending.

mod file;
mod pattern;

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use headwater_graph::{Hub, HubOptions, LaneWriter, Peer, Publication, PublishError, Subscription};
use headwater_media::{Codec, Frame, StreamName, Ticks, TrackParameters, limits};
use headwater_net::TokioEnvironment;
use tokio::{task::AbortHandle, time::Instant};

use crate::{Failure, plan::SourcePlan, stamp};

/// The name of the stream within this process.
const NAME: &str = "source";
/// Further behind than this, the stream goes on late rather than to catch up.
const BEHIND_MAX: Duration = Duration::from_millis(500);

/// Why there is nothing to send.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// The file cannot be read.
    #[error("the file cannot be read: {0}")]
    Unreadable(#[from] std::io::Error),
    /// The file is longer than the limit `LOAD_SOURCE_BYTES`.
    #[error("the file is longer than {0} bytes")]
    TooLong(u64),
    /// It is no FLV file.
    #[error("the file is no FLV file that can be published: {0}")]
    Format(String),
    /// A coder does not take what is asked of it.
    #[error("the test picture cannot be coded: {0}")]
    Coder(#[from] headwater_transcode::Error),
    /// The stream takes no tracks.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// Ourselves.
    #[error("this program has failed: {0}")]
    Bug(String),
}

/// A stretch of a stream that begins where a decoder can start and ends where it can begin anew.
pub(crate) struct Reel {
    pub(crate) video: TrackParameters,
    pub(crate) audio: Option<TrackParameters>,
    /// In the order of their decoding times.
    pub(crate) items: Vec<Item>,
    /// From the first item to the first of the next round.
    pub(crate) length: Duration,
}

/// A picture, or a frame of sound.
pub(crate) struct Item {
    /// When it is due, from the beginning of the reel.
    pub(crate) at: Duration,
    pub(crate) is_video: bool,
    /// Presentation after decoding, in ticks of its track.
    pub(crate) composition: Ticks,
    pub(crate) random_access: bool,
    pub(crate) data: bytes::Bytes,
}

/// The stream of a run, in a hub of its own.
pub(crate) struct Source {
    hub: Hub,
    name: StreamName,
    playing: AbortHandle,
}

impl Source {
    /// Makes or reads what is to be sent, and plays it until this is dropped. Takes some seconds.
    ///
    /// # Errors
    /// Says what is wrong with the plan's source.
    pub(crate) async fn start(plan: &SourcePlan) -> Result<Source, SourceError> {
        let plan = plan.clone();
        let made = tokio::task::spawn_blocking(move || match &plan.file {
            Some(path) => file::read(path),
            None => pattern::make(&plan),
        });
        let reel = made.await.map_err(|error| SourceError::Bug(error.to_string()))??;
        let hub = Hub::new(Arc::new(TokioEnvironment::current()), HubOptions::default());
        let registry = headwater_convert::Registry::new().with_transcoder(headwater_transcode::transcoder);
        hub.set_converters(Box::new(registry));
        let name = StreamName::new(NAME).map_err(|error| SourceError::Bug(error.to_string()))?;
        let mut publication = hub.publish(name.clone(), Peer::new("load", NAME))?;
        let pictures = publication.add_frames(reel.video.clone())?;
        let sounds = reel.audio.clone().map(|audio| publication.add_frames(audio)).transpose()?;
        publication.ready();
        let player = Player { reel, pictures, sounds, _publication: publication };
        let playing = tokio::spawn(player.play()).abort_handle();
        Ok(Source { hub, name, playing })
    }

    /// Where the stream is.
    pub(crate) fn hub(&self) -> &Hub {
        &self.hub
    }

    /// The stream, for one publisher.
    ///
    /// # Errors
    /// It has ended.
    pub(crate) async fn subscribe(&self, agent: u32) -> Result<Subscription, Failure> {
        let peer = Peer::new("load", agent.to_string());
        self.hub.subscribe(&self.name, peer).await.map_err(Failure::generator)
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.playing.abort();
    }
}

struct Player {
    reel: Reel,
    pictures: LaneWriter<Frame>,
    sounds: Option<LaneWriter<Frame>>,
    _publication: Publication,
}

impl Player {
    async fn play(mut self) {
        let mut zero = Instant::now();
        let mut round = Duration::ZERO;
        loop {
            for index in 0..self.reel.items.len() {
                let Some(item) = self.reel.items.get(index) else { break };
                let time = round + item.at;
                let behind = zero.elapsed().saturating_sub(time);
                if behind > BEHIND_MAX {
                    zero += behind;
                }
                tokio::time::sleep_until(zero + time).await;
                self.push(index, round);
            }
            round += self.reel.length;
        }
    }

    fn push(&mut self, index: usize, round: Duration) {
        let Player { reel, pictures, sounds, .. } = self;
        let Some(item) = reel.items.get(index) else { return };
        let (track, writer) = match (item.is_video, &reel.audio, sounds) {
            (true, ..) => (&reel.video, pictures),
            (false, Some(track), Some(writer)) => (track, writer),
            _ => return,
        };
        let data = match (item.is_video, track.codec) {
            (true, Codec::H264) => stamp::with_stamp(&item.data, now_micros()),
            _ => item.data.clone(),
        };
        let dts = track.clock_rate.ticks(round + item.at);
        let pts = dts.saturating_add(item.composition);
        writer.push(Frame { dts, pts, random_access: item.random_access, data });
        writer.ring();
    }
}

/// Checks the size of a file before it is read.
pub(crate) fn check_size(bytes: u64) -> Result<(), SourceError> {
    let limit = limits::LOAD_SOURCE_BYTES.get();
    if bytes > limit {
        limits::LOAD_SOURCE_BYTES.hit();
        return Err(SourceError::TooLong(limit));
    }
    Ok(())
}

fn now_micros() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
