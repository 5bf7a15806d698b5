//! HLS of a server: the streams that are packaged, and who watches them.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use headwater_access::{Action, Admitted, Asking, Client, Credentials, Gates, Refused, Why};
use headwater_graph::{ConvertError, Environment, Event, Hub, Peer, Stream, StreamState};
use headwater_media::{StreamName, limits};
use headwater_net::Quota;
use parking_lot::Mutex;

use crate::{
    broadcast::Broadcast,
    config::HlsConfig,
    container::Format,
    dash::Anchor,
    error::HlsError,
    names::RenditionName,
    viewers::{Viewer, ViewerId, Viewers},
    window::Numbers,
};

/// HLS of a server. Cloning it is cheap.
#[derive(Clone, Debug)]
pub struct Hls(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    hub: Hub,
    gates: Gates,
    config: HlsConfig,
    broadcasts: Mutex<HashMap<(StreamName, Format), Arc<Broadcast>>>,
    /// Where streams that were packaged left off.
    numbers: Mutex<HashMap<(StreamName, RenditionName), Numbers>>,
    /// What the times of DASH count from, in the streams that are packaged for it.
    anchors: Mutex<HashMap<StreamName, Duration>>,
    viewers: Arc<Viewers>,
    holds: Quota,
    deciding: Quota,
    counters: Counters,
}

/// What has been counted since the start.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) playlists: AtomicU64,
    pub(crate) media: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) refused: AtomicU64,
}

/// Somebody who asks for a stream.
#[derive(Clone, Debug)]
pub(crate) struct Visitor<'a> {
    pub(crate) remote: SocketAddr,
    pub(crate) agent: &'a str,
    pub(crate) credentials: Credentials,
}

/// Why somebody gets nothing.
#[derive(Debug)]
pub(crate) enum Denied {
    /// It may not have the stream.
    Access(Refused),
    /// It could have it, if there were something to have.
    Media(HlsError),
}

impl From<HlsError> for Denied {
    fn from(error: HlsError) -> Denied {
        Denied::Media(error)
    }
}

impl Hls {
    /// HLS of the streams of a hub, for whom these let in.
    pub fn new(hub: Hub, config: HlsConfig, gates: Gates) -> Hls {
        Hls(Arc::new(Inner {
            hub,
            gates,
            config,
            broadcasts: Mutex::default(),
            numbers: Mutex::default(),
            anchors: Mutex::default(),
            viewers: Arc::new(Viewers::new()),
            holds: Quota::new(&limits::HLS_HOLDS, &limits::HLS_HOLDS_PER_ADDRESS),
            deciding: Quota::new(&limits::GATE_WAITING, &limits::GATE_WAITING_PER_ADDRESS),
            counters: Counters::default(),
        }))
    }

    /// What addresses begin with that lead to what this server alone has.
    pub(crate) fn home(&self) -> &str {
        self.0.gates.home()
    }

    /// Stops making segments that nobody asks for; and, where that is configured, begins with each stream. Never ends.
    pub async fn run(self) {
        let environment = self.environment().clone();
        let mut events = self.0.hub.events();
        if self.0.config.always {
            self.0.hub.streams().into_iter().for_each(|stream| self.begin_with(stream));
        }
        loop {
            tokio::select! {
                event = events.next() => match event {
                    Some(Event::Published { stream, .. } | Event::Resumed { stream, .. }) if self.0.config.always => {
                        self.0.hub.find(&stream).into_iter().for_each(|stream| self.begin_with(stream));
                    }
                    Some(_) => {}
                    None => return,
                },
                () = environment.sleep(SWEEP) => self.sweep(),
            }
        }
    }

    /// Packages a stream as soon as it can be: a publisher is there before its tracks are.
    fn begin_with(&self, stream: Arc<Stream>) {
        let (hls, environment) = (self.clone(), self.environment().clone());
        let clock = environment.clone();
        environment.spawn(Box::pin(async move {
            while stream.state() != StreamState::Ended {
                match hls.broadcast_soon(&stream, hls.0.config.format).await {
                    Err(error) => tracing::debug!(stream = %stream.name(), %error, "a stream is not packaged yet"),
                    Ok(_) => return,
                }
                clock.sleep(SWEEP).await;
            }
        }));
    }

    /// What it has counted, each with its name and what it is.
    pub fn figures(&self) -> [(&'static str, &'static str, u64); 7] {
        let counters = &self.0.counters;
        let broadcasts = self.0.broadcasts.lock();
        let bytes =
            broadcasts.values().flat_map(|b| b.renditions()).map(|rendition| rendition.read(|w| w.bytes())).sum();
        [
            ("viewers", "Viewers of HLS now.", self.0.viewers.count() as u64),
            ("streams", "Streams that are packaged for HLS now.", broadcasts.len() as u64),
            ("held", "Requests of HLS players that are held now.", self.0.holds.open()),
            ("window_bytes", "Segments of HLS in memory now, in bytes.", bytes),
            ("playlists", "Playlists sent to HLS players.", counters.playlists.load(Relaxed)),
            ("media", "Segments, parts and initialization sections sent to HLS players.", counters.media.load(Relaxed)),
            (
                "bytes_sent",
                "Bytes of segments, parts and initialization sections sent to HLS players.",
                counters.bytes.load(Relaxed),
            ),
        ]
    }

    pub(crate) fn config(&self) -> &HlsConfig {
        &self.0.config
    }

    pub(crate) fn environment(&self) -> &Arc<dyn Environment> {
        self.0.hub.environment()
    }

    pub(crate) fn viewers(&self) -> &Arc<Viewers> {
        &self.0.viewers
    }

    pub(crate) fn holds(&self) -> &Quota {
        &self.0.holds
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.0.counters
    }

    /// A new viewer: the gates are asked, the stream is found or started.
    pub(crate) async fn admit(
        &self,
        id: ViewerId,
        name: &StreamName,
        visitor: Visitor<'_>,
    ) -> Result<Arc<Viewer>, Denied> {
        let permit = self.viewers().admit(visitor.remote.ip()).map_err(HlsError::from)?;
        // The id lets in; operators and hooks know the viewer by another name.
        let session = format!("hls-{}", uuid::Uuid::new_v4());
        let mut peer = Peer::new("HLS", session.as_str()).with_remote(visitor.remote);
        if !visitor.agent.is_empty() {
            peer = peer.with_user_agent(visitor.agent);
        }
        let credentials = visitor.credentials;
        let client =
            Client { app_key: credentials.app_key(), ..Client::new(peer.clone()).with_credentials(credentials) };
        let asking = Asking::new(Action::Play, name.clone(), session.as_str());
        let admitted = match self.decide(&client, asking).await {
            Ok(admitted) => admitted,
            Err(refused) => {
                self.0.counters.refused.fetch_add(1, Relaxed);
                tracing::info!(stream = %name, session, remote = %visitor.remote, %refused, "a viewer of HLS is refused");
                return Err(Denied::Access(refused));
            }
        };
        let stream = admitted.admission().stream.clone();
        let subscription = match self.0.hub.subscribe(&stream, peer).await {
            Ok(subscription) => subscription,
            Err(error) => {
                admitted.fail("Stream not found");
                return Err(HlsError::from(error.as_asked(name)).into());
            }
        };
        tracing::info!(stream = %stream, session, remote = %visitor.remote, "a viewer of HLS has come");
        Ok(self.viewers().add(id, subscription, admitted, permit, self.environment()))
    }

    async fn decide(&self, client: &Client, asking: Asking) -> Result<Admitted, Refused> {
        let address = client.peer.remote.map(|remote| remote.ip());
        let waiting = address.map(|address| self.0.deciding.admit(address)).transpose();
        let _waiting = waiting.map_err(|full| Refused::new(Why::TooMany, format!("{full}; try again later")))?;
        tokio::select! {
            decision = self.0.gates.admit(client, asking) => decision.map(Admitted::new),
            () = self.environment().sleep(limits::GATE_MS.get_duration()) => {
                limits::GATE_MS.hit();
                let sentence = "it was not decided in time whether this may be; try again later";
                Err(Refused::new(Why::Unavailable, sentence))
            }
        }
    }

    /// Whether a stream has not ended, or none of its name has come after it.
    pub(crate) fn is_current(&self, stream: &Arc<Stream>) -> bool {
        stream.state() != StreamState::Ended || self.0.hub.find(stream.name()).is_none()
    }

    /// The packaged stream of that name, if there is one.
    pub(crate) fn find(&self, name: &StreamName, rendition: &RenditionName) -> Option<Arc<Broadcast>> {
        let broadcasts = self.0.broadcasts.lock();
        let mut found = [Format::Fmp4, Format::Ts, Format::Cmaf]
            .into_iter()
            .filter_map(|format| broadcasts.get(&(name.clone(), format)));
        found.find(|broadcast| broadcast.rendition(rendition).is_some()).cloned()
    }

    /// A stream as it is packaged, and as it was packaged until it ended.
    pub(crate) fn packaged(&self, stream: &Arc<Stream>, format: Format) -> Option<Arc<Broadcast>> {
        let known = self.0.broadcasts.lock().get(&(stream.name().clone(), format)).cloned();
        known.filter(|known| Arc::ptr_eq(known.stream(), stream))
    }

    /// Packages a stream as soon as its tracks send something; one that is silent is not waited for long.
    pub(crate) async fn broadcast_soon(
        &self,
        stream: &Arc<Stream>,
        format: Format,
    ) -> Result<Arc<Broadcast>, HlsError> {
        let environment = self.environment();
        let begun = environment.now();
        loop {
            let waited = environment.now().saturating_duration_since(begun);
            let is_silent = stream.tracks().iter().any(|track| track.native().newest().is_none());
            if !is_silent || waited >= SILENT_TRACK {
                match self.broadcast(stream, format) {
                    Err(HlsError::Empty | HlsError::Convert(ConvertError::NotBegun { .. }))
                        if waited < limits::HLS_START_MS.get_duration() => {}
                    done => return done,
                }
            }
            environment.sleep(LOOK).await;
        }
    }

    /// Packages a stream, if that is not done already.
    pub(crate) fn broadcast(&self, stream: &Arc<Stream>, format: Format) -> Result<Arc<Broadcast>, HlsError> {
        let mut broadcasts = self.0.broadcasts.lock();
        let key = (stream.name().clone(), format);
        if let Some(known) = broadcasts.get(&key) {
            if Arc::ptr_eq(known.stream(), stream) && !known.is_over() && !known.lacks_a_track() {
                return Ok(known.clone());
            }
            self.retire(known);
            broadcasts.remove(&key);
        }
        let numbers = |rendition: &RenditionName| self.numbers(stream.name(), rendition);
        let anchor = |epoch| self.anchor(stream.name(), format, epoch);
        let begun = Broadcast::begin(stream.clone(), format, &self.0.config, self.environment(), numbers, anchor)?;
        begun.touch(self.environment().now());
        broadcasts.insert(key, begun.clone());
        Ok(begun)
    }

    /// Where the numbers of a rendition begin: after those that players have seen; at first at the time in seconds,
    /// which lies beyond those of an earlier run of the server, as no segment is shorter than a second.
    fn numbers(&self, stream: &StreamName, rendition: &RenditionName) -> Numbers {
        let wall_clock = self.environment().wall_clock();
        let seconds = wall_clock.duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs();
        let known = self.0.numbers.lock().get(&(stream.clone(), rendition.clone())).copied();
        known.unwrap_or(Numbers { sequence: seconds, discontinuity: 0 })
    }

    /// What the times of a presentation of DASH count from: the first epoch of its stream's name since somebody began to
    /// ask for it.
    fn anchor(&self, stream: &StreamName, format: Format, epoch: Duration) -> Anchor {
        if format != Format::Cmaf {
            return Anchor { time: epoch, is_new: true };
        }
        let mut anchors = self.0.anchors.lock();
        let known = anchors.get(stream).copied();
        let time = known.unwrap_or(epoch);
        if anchors.len() as u64 > limits::STREAMS.get() {
            // Left by streams that could not be packaged again; who plays the others loads their description anew.
            anchors.clear();
        }
        anchors.insert(stream.clone(), time);
        Anchor { time, is_new: known.is_none() }
    }

    fn retire(&self, broadcast: &Broadcast) {
        broadcast.stop();
        let mut numbers = self.0.numbers.lock();
        if numbers.len() as u64 > limits::STREAMS.get() {
            // Those begin anew at the time in seconds, which is as far on.
            numbers.clear();
        }
        for (rendition, next) in broadcast.numbers() {
            numbers.insert((broadcast.stream().name().clone(), rendition), next);
        }
    }

    /// Ends what nobody asks for.
    fn sweep(&self) {
        let now = self.environment().now();
        let idle = limits::HLS_IDLE_MS.get_duration();
        let always = self.0.config.always;
        self.0.broadcasts.lock().retain(|_, broadcast| {
            let is_kept = always && broadcast.format() == self.0.config.format && !broadcast.is_over();
            let stays = is_kept || broadcast.idle(now) < idle;
            if !stays {
                if broadcast.format() == Format::Cmaf {
                    self.0.anchors.lock().remove(broadcast.stream().name());
                }
                self.retire(broadcast);
            }
            stays
        });
    }
}

/// A track that has been announced and sends nothing is waited for so long.
const SILENT_TRACK: std::time::Duration = std::time::Duration::from_secs(1);
/// How often it is looked whether tracks send something.
const LOOK: std::time::Duration = std::time::Duration::from_millis(50);
/// How often it is looked whether somebody still asks for a stream.
const SWEEP: std::time::Duration = std::time::Duration::from_secs(1);
