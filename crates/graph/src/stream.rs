//! One live publication: tracks that belong together in time, and who watches them.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use arc_swap::ArcSwap;
use headwater_media::{StreamName, TrackKind, limits};
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::{error::PublishError, hub::Services, peer::Peer, rendition::Form, track::Track};

/// Why a server that watches has to go though the stream is not over: it does not come to this one any more, for now.
pub const INTERRUPTED: &str = "the stream does not reach this server any more";

/// What a stream is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamState {
    /// A publisher has come; its tracks are not all known yet.
    Starting,
    /// Viewers can join.
    Live,
    /// The publisher has gone and may come back; viewers stay.
    Paused,
    /// Over.
    Ended,
}

/// One live publication.
pub struct Stream {
    name: StreamName,
    epoch: Instant,
    created: SystemTime,
    source: ArcSwap<Peer>,
    tracks: ArcSwap<Vec<Arc<Track>>>,
    state: watch::Sender<StreamState>,
    /// Set when someone orders the publisher to stop; the publisher's session obeys.
    terminate: watch::Sender<Option<String>>,
    /// Counts publishers, so that the end of one's grace time does not end its successor.
    publisher: AtomicU64,
    viewers: Mutex<HashMap<u64, Arc<Viewer>>>,
    next_viewer: AtomicU64,
    next_track: AtomicU64,
    services: Arc<Services>,
}

/// One session that watches a stream.
#[derive(Debug)]
pub struct Viewer {
    peer: Arc<Peer>,
    since: SystemTime,
    bytes_sent: AtomicU64,
    joined: Instant,
    has_media: AtomicBool,
    services: Arc<Services>,
    end: watch::Sender<Option<String>>,
}

impl Viewer {
    /// Who it is.
    pub fn peer(&self) -> &Arc<Peer> {
        &self.peer
    }

    /// When it came.
    pub fn since(&self) -> SystemTime {
        self.since
    }

    /// Bytes that its session says it has sent.
    pub fn bytes_sent(&self) -> u64 {
        self.bytes_sent.load(Ordering::Relaxed)
    }

    /// For the session: counts what it has sent of media. One thread at a time is to count.
    pub fn count_sent(&self, bytes: u64) {
        self.count_other_sent(bytes);
        if bytes > 0 && !self.has_media.load(Ordering::Relaxed) && !self.has_media.swap(true, Ordering::Relaxed) {
            let waited = self.services.environment.now().saturating_duration_since(self.joined);
            self.services.first_media_of(self.peer.protocol).count(waited);
        }
    }

    /// For the session: counts what it has sent besides media. One thread at a time is to count.
    pub fn count_other_sent(&self, bytes: u64) {
        // A locked addition would wait for all that the processor has still to write, which after a batch of packets is
        // microseconds.
        let before = self.bytes_sent.load(Ordering::Relaxed);
        self.bytes_sent.store(before.wrapping_add(bytes), Ordering::Relaxed);
    }

    /// Asks the viewer's session to end.
    pub fn terminate(&self, reason: &str) {
        self.end.send_replace(Some(reason.to_owned()));
    }

    pub(crate) fn end(&self) -> watch::Receiver<Option<String>> {
        self.end.subscribe()
    }
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream").field("name", &self.name).field("state", &self.state()).finish()
    }
}

impl Stream {
    pub(crate) fn new(name: StreamName, peer: Peer, services: Arc<Services>) -> Arc<Stream> {
        Arc::new(Stream {
            name,
            epoch: services.environment.now(),
            created: services.environment.wall_clock(),
            source: ArcSwap::from_pointee(peer),
            tracks: ArcSwap::from_pointee(Vec::new()),
            state: watch::Sender::new(StreamState::Starting),
            terminate: watch::Sender::new(None),
            publisher: AtomicU64::new(0),
            viewers: Mutex::new(HashMap::new()),
            next_viewer: AtomicU64::new(0),
            next_track: AtomicU64::new(0),
            services,
        })
    }

    /// Its name.
    pub fn name(&self) -> &StreamName {
        &self.name
    }

    /// The instant that tick zero of every track stands for.
    pub fn epoch(&self) -> Instant {
        self.epoch
    }

    /// When the first publisher came.
    pub fn created(&self) -> SystemTime {
        self.created
    }

    /// Who publishes it, or did last.
    pub fn source(&self) -> Arc<Peer> {
        self.source.load_full()
    }

    /// What it is at.
    pub fn state(&self) -> StreamState {
        *self.state.borrow()
    }

    /// Its tracks, as far as they are known.
    pub fn tracks(&self) -> Arc<Vec<Arc<Track>>> {
        self.tracks.load_full()
    }

    /// The first track of a kind.
    pub fn track(&self, kind: TrackKind) -> Option<Arc<Track>> {
        self.tracks.load().iter().find(|track| track.kind() == kind).cloned()
    }

    /// Who watches it now.
    pub fn viewers(&self) -> Vec<Arc<Viewer>> {
        self.viewers.lock().values().cloned().collect()
    }

    /// How many watch it now.
    pub fn viewer_count(&self) -> usize {
        self.viewers.lock().len()
    }

    /// Orders the publisher to stop; the stream ends without a grace time.
    pub fn terminate(self: &Arc<Self>, reason: &str) {
        self.terminate.send_replace(Some(reason.to_owned()));
        if self.state() == StreamState::Paused {
            self.end(reason);
        }
    }

    pub(crate) fn terminated(&self) -> watch::Receiver<Option<String>> {
        self.terminate.subscribe()
    }

    pub(crate) fn watch_state(&self) -> watch::Receiver<StreamState> {
        self.state.subscribe()
    }

    pub(crate) fn services(&self) -> &Arc<Services> {
        &self.services
    }

    pub(crate) fn publisher(&self) -> u64 {
        self.publisher.load(Ordering::Acquire)
    }

    /// Another publisher takes the paused stream over.
    pub(crate) fn take_over(&self, peer: Peer) -> u64 {
        self.source.store(Arc::new(peer));
        self.terminate.send_replace(None);
        self.state.send_replace(StreamState::Starting);
        self.publisher.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// Moves from one state to another; says whether it was in the first.
    pub(crate) fn change_state(&self, from: &[StreamState], to: StreamState) -> bool {
        self.state.send_if_modified(|state| {
            let may = from.contains(state);
            if may {
                *state = to;
            }
            may
        })
    }

    pub(crate) fn add_track(&self, kind: TrackKind, form: Form) -> Result<Arc<Track>, PublishError> {
        let limit = limits::STREAM_TRACKS.get();
        if self.tracks.load().len() as u64 >= limit {
            limits::STREAM_TRACKS.hit();
            return Err(PublishError::TooManyTracks { limit });
        }
        let id = self.next_track.fetch_add(1, Ordering::Relaxed) as u32;
        let track = Track::new(id, kind, form, self.services.clone());
        self.tracks.rcu(|tracks| {
            let mut tracks = Vec::clone(tracks);
            tracks.push(track.clone());
            tracks
        });
        Ok(track)
    }

    pub(crate) fn remove_track(&self, track: &Arc<Track>) {
        self.tracks.rcu(|tracks| tracks.iter().filter(|t| !Arc::ptr_eq(t, track)).cloned().collect::<Vec<_>>());
        track.end();
    }

    /// Stream time now: where a publisher that takes over begins.
    pub(crate) fn now(&self) -> Duration {
        let newest = self.tracks.load().iter().filter_map(|track| track.native().newest()).max();
        let after_newest = newest.map_or(Duration::ZERO, |newest| newest + Duration::from_millis(40));
        self.services.environment.now().saturating_duration_since(self.epoch).max(after_newest)
    }

    pub(crate) fn add_viewer(&self, peer: Peer) -> (u64, Arc<Viewer>) {
        let id = self.next_viewer.fetch_add(1, Ordering::Relaxed);
        let viewer = Arc::new(Viewer {
            peer: Arc::new(peer),
            since: self.services.environment.wall_clock(),
            bytes_sent: AtomicU64::new(0),
            joined: self.services.environment.now(),
            has_media: AtomicBool::new(false),
            services: self.services.clone(),
            end: watch::Sender::new(None),
        });
        self.viewers.lock().insert(id, viewer.clone());
        (id, viewer)
    }

    /// What comes from a server beside this one has stopped coming: servers that it was passed on to are to look for
    /// another way, so that none of them is asked for what hangs on itself.
    pub(crate) fn let_go_of_servers(&self) {
        if self.source().server.is_none() {
            return;
        }
        for viewer in self.viewers().iter().filter(|viewer| viewer.peer.server.is_some()) {
            viewer.terminate(INTERRUPTED);
        }
    }

    pub(crate) fn remove_viewer(&self, id: u64) {
        self.viewers.lock().remove(&id);
    }

    /// Ends everything: lanes, viewers, the name.
    pub(crate) fn end(self: &Arc<Self>, reason: &str) {
        if self.state.send_replace(StreamState::Ended) == StreamState::Ended {
            return;
        }
        self.services.forget(self, reason);
        for track in self.tracks.load().iter() {
            track.end();
        }
        for viewer in self.viewers() {
            viewer.terminate(reason);
        }
    }
}
