//! Streams pushed to other servers and pulled from them, kept alive until they are told to stop.
//!
//! ```text
//!           ┌── wait, twice as long each time ◄──┐
//! NEW ─► PENDING ─► CONNECTED ─► PROCESSED_* ────┤ the connection breaks, the server refuses
//!           │                                    │
//!           └─ too many failures: FAILED         └─ told to stop, or the local stream ends: STOPPED
//! ```
//!
//! Targets are checked by [`headwater_net::Dialer`]: a name is looked up once and a checked address connected to.
//! URLs are shown without what may be a secret in them: the query, and the key of a push.

mod course;
mod error;
mod goal;
mod list;
mod observer;
mod on_demand;
mod pull;
mod push;
mod routes;
mod sound;
mod sounds;
mod source;
mod target;

use std::{hash::RandomState, path::PathBuf, sync::Arc};

use headwater_agent::{Agent, Remote};
use headwater_graph::Hub;
use headwater_media::{Codec, StreamName, TrackKind};
use headwater_net::Dialer;
use headwater_rtmp::Context;
use parking_lot::Mutex;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use course::Course;
use goal::Goal;
use list::List;
use on_demand::{OnDemand, Wanted};
use pull::{Means, Pull};
use push::Push;
use sound::Sound;
use sounds::Sounds;
use source::Source;

pub use course::Status;
pub use error::RelayError;
pub use goal::PushKind;
pub use headwater_agent::Transport;
pub use observer::{Begun, Observed, Observer};
pub use pull::PullFacts;
pub use push::{PushFacts, PushRequest};
pub use routes::{Route, Routes};
pub use sound::SoundRequest;
pub use sounds::SoundError;
pub use source::PullKind;

/// How relays go about it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What stands before the name of a stream where a push names only the application of its target.
    pub push_prefix: String,
    /// Whether a viewer may have a stream pulled by asking for its URL.
    pub pull_by_url: bool,
    /// The folder of the sound files that may be played into pushes.
    pub sounds: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { push_prefix: "rtmp_".into(), pull_by_url: false, sounds: None }
    }
}

/// All relays of a server. Cloning is cheap.
#[derive(Clone)]
pub struct Relays(Arc<Inner>);

struct Inner {
    means: Means,
    sounds: Sounds,
    settings: Settings,
    list: Mutex<List>,
    wanted: Mutex<Wanted>,
    hashes: RandomState,
    observer: Option<Arc<dyn Observer>>,
    stopping: CancellationToken,
    tasks: TaskTracker,
}

impl std::fmt::Debug for Relays {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let list = self.0.list.lock();
        f.debug_struct("Relays").field("pushes", &list.pushes.len()).field("pulls", &list.pulls.len()).finish()
    }
}

/// How a stream goes from server to server by WebRTC.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hop {
    /// What media goes over.
    pub transport: Transport,
    /// The labels of the renditions of its picture that go; all where there are none.
    pub renditions: Vec<String>,
}

impl From<Transport> for Hop {
    fn from(transport: Transport) -> Hop {
        Hop { transport, renditions: Vec::new() }
    }
}

impl Relays {
    /// Relays of the streams of a hub: by RTMP, and by WebRTC where there is an agent. The observer sees them.
    pub fn new(
        rtmp: Context,
        dialer: Dialer,
        agent: Option<Agent>,
        settings: Settings,
        observer: Option<Arc<dyn Observer>>,
    ) -> Relays {
        let relays = Relays(Arc::new(Inner {
            means: Means { rtmp, dialer, agent },
            sounds: Sounds::new(settings.sounds.clone()),
            settings,
            list: Mutex::default(),
            wanted: Mutex::default(),
            hashes: RandomState::new(),
            observer,
            stopping: CancellationToken::new(),
            tasks: TaskTracker::new(),
        }));
        if relays.0.settings.pull_by_url {
            relays.hub().add_resolver(Arc::new(OnDemand(Arc::downgrade(&relays.0))));
        }
        relays
    }

    /// Sends a live stream to another server, from now until it ends or is told to stop.
    ///
    /// # Errors
    /// The URL cannot be used, there is no such stream, or it is sent there already.
    pub async fn push(&self, request: PushRequest) -> Result<PushFacts, RelayError> {
        let goal = Goal::of(&request, &self.0.settings.push_prefix)?;
        self.begin_push(request, goal).await
    }

    /// The same by WebRTC: at the other server the stream gets `remote_name`, or the name that it has here, or by
    /// WHIP (`http`, `https`) the one that belongs to the URL.
    ///
    /// # Errors
    /// The URL or the name cannot be used, there is no such stream, or it is sent there already.
    pub async fn push_webrtc(
        &self,
        url: &str,
        stream: StreamName,
        remote_name: Option<&str>,
        hop: impl Into<Hop>,
    ) -> Result<PushFacts, RelayError> {
        let Hop { transport, renditions } = hop.into();
        let request =
            PushRequest { stream, url: url.to_owned(), is_whole: true, is_muted: false, sound: None, transport };
        let by_session = url.starts_with("ws").then(|| request.stream.to_string());
        let name = remote_name.or(by_session.as_deref());
        let goal = Goal::Server(Remote::parse(url, name)?.over(transport).with_renditions(renditions)?);
        self.begin_push(request, goal).await
    }

    async fn begin_push(&self, request: PushRequest, goal: Goal) -> Result<PushFacts, RelayError> {
        if goal.kind() == PushKind::WebRtc && self.0.means.agent.is_none() {
            return Err(RelayError::NoWebRtc);
        }
        if goal.kind() == PushKind::WebRtc && (request.is_muted || request.sound.is_some()) {
            return Err(RelayError::SoundStays);
        }
        let (host, port) = goal.host_and_port();
        self.0.means.dialer.resolve(host, port).await?;
        if self.hub().find(&request.stream).is_none() {
            return Err(RelayError::NoStream(request.stream));
        }
        let sound = match request.sound.clone() {
            Some(sound) => Some(self.sound(&request.stream, sound).await?),
            None => None,
        };
        let push = {
            let mut list = self.0.list.lock();
            if list.pushes.iter().any(|push| push.is_same(&request.stream, &goal)) {
                return Err(RelayError::Exists);
            }
            list.check_room()?;
            let push = Arc::new(Push::new(request, goal, self.course(), self.0.means.clone()));
            push.set_sound(sound);
            list.add_push(&push);
            push
        };
        let facts = push.facts();
        let relays = self.clone();
        self.spawn(async move {
            push.run().await;
            relays.0.list.lock().pushes.remove(push.id());
        });
        Ok(facts)
    }

    /// Fetches a stream from another server by RTMP and publishes it here, from now until it is told to stop. Without
    /// a name it gets one that is made from the URL.
    ///
    /// # Errors
    /// The URL cannot be used, it is fetched already, or somebody publishes under the name.
    pub async fn pull(&self, url: &str, name: Option<StreamName>) -> Result<PullFacts, RelayError> {
        let target = target::Target::whole(url, false)?;
        let name = name.unwrap_or_else(|| self.name_of(&target));
        self.begin_pull(Source::Rtmp(target), name).await
    }

    /// The same by WebRTC: the other server is asked by the session protocol (`ws`, `wss`) for the stream of
    /// `remote_name`, or by WHEP (`http`, `https`) for that at the URL. Here it is called `name`, or as it is there.
    ///
    /// # Errors
    /// The URL or a name cannot be used, it is fetched already, or somebody publishes under the name.
    pub async fn pull_webrtc(
        &self,
        url: &str,
        remote_name: Option<&str>,
        name: Option<StreamName>,
        hop: impl Into<Hop>,
    ) -> Result<PullFacts, RelayError> {
        let Hop { transport, renditions } = hop.into();
        if self.0.means.agent.is_none() {
            return Err(RelayError::NoWebRtc);
        }
        let remote = Remote::parse(url, remote_name)?.over(transport).with_renditions(renditions)?;
        let name = name.or_else(|| remote.name().cloned()).ok_or(RelayError::NoName)?;
        self.begin_pull(Source::Server(remote), name).await
    }

    async fn begin_pull(&self, source: Source, name: StreamName) -> Result<PullFacts, RelayError> {
        if let Some((host, port)) = source.host_and_port() {
            self.0.means.dialer.resolve(host, port).await?;
        }
        Ok(self.start_pull(source, name, false)?.facts())
    }

    fn start_pull(&self, source: Source, name: StreamName, on_demand: bool) -> Result<Arc<Pull>, RelayError> {
        let pull = {
            let mut list = self.0.list.lock();
            if list.pulls.get(&name).is_some() || list.pull_from(&source).is_some() {
                return Err(RelayError::Exists);
            }
            if self.hub().find(&name).is_some() {
                return Err(RelayError::NameTaken(name));
            }
            list.check_pulls(&source)?;
            let pull = Arc::new(Pull::new(source, name, on_demand, self.course(), self.0.means.clone()));
            list.add_pull(&pull);
            pull
        };
        let (relays, pulling) = (self.clone(), pull.clone());
        self.spawn(async move {
            pulling.run().await;
            relays.0.list.lock().remove_pull(&pulling);
            pulling.set_over();
        });
        Ok(pull)
    }

    /// All streams that are sent to other servers.
    pub fn pushes(&self) -> Vec<PushFacts> {
        self.0.list.lock().pushes.iter().map(|push| push.facts()).collect()
    }

    /// All streams that are fetched from other servers.
    pub fn pulls(&self) -> Vec<PullFacts> {
        self.0.list.lock().pulls.iter().map(|pull| pull.facts()).collect()
    }

    /// Ends a push. Says whether there was one.
    pub fn stop_push(&self, id: &str) -> bool {
        self.find_push(id).inspect(|push| push.stop()).is_some()
    }

    /// Ends the pushes of which this is true. Says how many there were.
    pub fn stop_pushes(&self, is_meant: impl Fn(&PushFacts) -> bool) -> usize {
        let meant = |push: &&Arc<Push>| is_meant(&push.facts());
        self.0.list.lock().pushes.iter().filter(meant).map(|push| push.stop()).count()
    }

    /// Has silence sent in place of a push's sound, or sound again.
    ///
    /// # Errors
    /// There is no such push, or it goes by WebRTC.
    pub fn mute_push(&self, id: &str, is_muted: bool) -> Result<(), RelayError> {
        let push = self.find_push(id).ok_or_else(|| no_push(id))?;
        push.check_sound()?;
        push.set_muted(is_muted);
        Ok(())
    }

    /// Has a sound file played in place of a push's sound, from its beginning; or, without one, its own sound sent.
    ///
    /// # Errors
    /// There is no such push, or the file cannot be played into it.
    pub async fn play_into_push(&self, id: &str, request: Option<SoundRequest>) -> Result<(), RelayError> {
        let push = self.find_push(id).ok_or_else(|| no_push(id))?;
        push.check_sound()?;
        let sound = match request {
            Some(request) => Some(self.sound(push.stream(), request).await?),
            None => None,
        };
        push.set_sound(sound);
        Ok(())
    }

    /// A sound file, after a look at whether it can take the place of a stream's sound as that is now.
    async fn sound(&self, stream: &StreamName, request: SoundRequest) -> Result<(SoundRequest, Sound), SoundError> {
        let clip = self.0.sounds.load(&request.file).await?;
        let sound = Sound::new(clip, request.is_looped);
        let audio = self.hub().find(stream).and_then(|stream| stream.track(TrackKind::Audio));
        if let Some(parameters) = audio.and_then(|track| track.native().parameters())
            // Other codecs are converted for RTMP, and what they become can be coded.
            && matches!(parameters.codec, Codec::Aac | Codec::Mp3)
        {
            sound.encoder(&parameters).map_err(SoundError::Track)?;
        }
        Ok((request, sound))
    }

    /// Ends the pulls of which this is true. Says how many there were.
    pub fn stop_pulls(&self, is_meant: impl Fn(&PullFacts) -> bool) -> usize {
        let meant = |pull: &&Arc<Pull>| is_meant(&pull.facts());
        self.0.list.lock().pulls.iter().filter(meant).map(|pull| pull.stop()).count()
    }

    /// Ends all relays and waits for them.
    pub async fn stop(&self) {
        self.0.stopping.cancel();
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    fn find_push(&self, id: &str) -> Option<Arc<Push>> {
        self.0.list.lock().pushes.get(id).cloned()
    }

    fn hub(&self) -> &Hub {
        self.0.means.rtmp.hub()
    }

    fn course(&self) -> Course {
        Course::new(self.0.stopping.child_token(), self.hub().environment().clone(), self.0.observer.clone())
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.hub().environment().spawn(Box::pin(self.0.tasks.track_future(task)));
    }
}

fn no_push(id: &str) -> RelayError {
    RelayError::NoPush(id.chars().take(100).collect())
}
