//! The one shared map of a node: names to streams.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use futures_util::{FutureExt, future::Shared};
use headwater_media::{StreamName, Times, TimesRead, limits};
use parking_lot::Mutex;
use tokio::sync::broadcast;

use crate::{
    conversion::{Converters, NoConverters},
    environment::{BoxFuture, Environment},
    error::{PublishError, SubscribeError},
    events::{Event, Events},
    lane::LaneOptions,
    peer::Peer,
    publication::Publication,
    stream::{Stream, StreamState},
    subscription::Subscription,
};

/// How a hub treats its streams.
#[derive(Clone, Debug)]
pub struct HubOptions {
    /// How long a stream waits for its publisher to come back; zero ends it at once.
    pub grace: Duration,
    /// The window of every lane.
    pub lane: LaneOptions,
}

impl Default for HubOptions {
    fn default() -> HubOptions {
        HubOptions { grace: Duration::from_secs(5), lane: LaneOptions::default() }
    }
}

/// Starts a source under a name that nobody publishes: a CDN route, a camera, a file.
pub trait Resolver: Send + Sync + 'static {
    /// Takes a name up for the viewer who asks for it, or not. The future ends when the stream has been published, or
    /// with what went wrong; `Ok` without a stream says that there is none.
    fn resolve(&self, hub: &Hub, name: &StreamName, viewer: &Peer) -> Option<BoxFuture<'static, Result<(), String>>>;

    /// The name under which [`resolve`](Self::resolve) will start the stream that is to be had at a URL; nothing if it
    /// knows no such URLs, or with what is wrong with this one.
    fn locate(&self, url: &str) -> Option<Result<StreamName, String>> {
        let _ = url;
        None
    }
}

/// What streams need of the hub that they belong to.
pub(crate) struct Services {
    pub(crate) environment: Arc<dyn Environment>,
    pub(crate) converters: ArcSwap<Box<dyn Converters>>,
    pub(crate) options: HubOptions,
    /// In milliseconds; may be set while streams live.
    grace: AtomicU64,
    events: broadcast::Sender<Event>,
    /// By what viewers speak.
    first_media: Mutex<BTreeMap<&'static str, Arc<Times>>>,
    hub: Weak<Inner>,
}

impl std::fmt::Debug for Services {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Services").field("options", &self.options).finish_non_exhaustive()
    }
}

/// A resolver at work, waited for by everyone who asks for the name.
type Starting = Shared<BoxFuture<'static, Result<(), String>>>;

/// The one shared map of a node: names to streams. Cloning it is cheap.
#[derive(Clone)]
pub struct Hub(Arc<Inner>);

struct Inner {
    streams: Mutex<HashMap<StreamName, Arc<Stream>>>,
    resolvers: Mutex<Vec<Arc<dyn Resolver>>>,
    resolving: Mutex<HashMap<StreamName, Starting>>,
    passes_on: AtomicBool,
    services: Arc<Services>,
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub").field("streams", &self.0.streams.lock().len()).finish()
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl Services {
    /// How long a stream waits for its publisher to come back.
    pub(crate) fn grace(&self) -> Duration {
        Duration::from_millis(self.grace.load(Relaxed))
    }

    pub(crate) fn tell(&self, event: Event) {
        // Nobody listening is no error.
        let _ = self.events.send(event);
    }

    /// The times that viewers who speak this have waited for their first media. Looked up once per viewer.
    pub(crate) fn first_media_of(&self, protocol: &'static str) -> Arc<Times> {
        self.first_media.lock().entry(protocol).or_default().clone()
    }

    /// Frees the name of a stream that has ended.
    pub(crate) fn forget(&self, stream: &Arc<Stream>, reason: &str) {
        if let Some(hub) = self.hub.upgrade() {
            let mut streams = hub.streams.lock();
            if streams.get(stream.name()).is_some_and(|known| Arc::ptr_eq(known, stream)) {
                streams.remove(stream.name());
            }
        }
        self.tell(Event::Unpublished { stream: stream.name().clone(), reason: reason.to_owned() });
    }
}

impl Hub {
    /// A hub without streams.
    pub fn new(environment: Arc<dyn Environment>, options: HubOptions) -> Hub {
        let events = broadcast::Sender::new(limits::EVENTS_QUEUED.get_usize().max(1));
        let converters: Box<dyn Converters> = Box::new(NoConverters);
        Hub(Arc::new_cyclic(|hub| Inner {
            streams: Mutex::new(HashMap::new()),
            resolvers: Mutex::new(Vec::new()),
            resolving: Mutex::new(HashMap::new()),
            passes_on: AtomicBool::new(false),
            services: Arc::new(Services {
                environment,
                converters: ArcSwap::from_pointee(converters),
                grace: AtomicU64::new(millis(options.grace)),
                options,
                events,
                first_media: Mutex::default(),
                hub: hub.clone(),
            }),
        }))
    }

    /// Says which conversions there are. Those at work go on as they are.
    pub fn set_converters(&self, converters: Box<dyn Converters>) {
        self.0.services.converters.store(Arc::new(converters));
    }

    /// Says how long streams whose publishers vanish from now on wait for them.
    pub fn set_grace(&self, grace: Duration) {
        self.0.services.grace.store(millis(grace), Relaxed);
    }

    /// Has streams that come from servers beside this one passed on to others.
    pub fn pass_on(&self) {
        self.0.passes_on.store(true, Relaxed);
    }

    /// Whether streams that come from servers beside this one are passed on to others.
    pub fn passes_on(&self) -> bool {
        self.0.passes_on.load(Relaxed)
    }

    /// Adds a way to start streams on demand; earlier ones are asked first.
    pub fn add_resolver(&self, resolver: Arc<dyn Resolver>) {
        self.0.resolvers.lock().push(resolver);
    }

    /// The executor and clock.
    pub fn environment(&self) -> &Arc<dyn Environment> {
        &self.0.services.environment
    }

    /// How long viewers have waited from the moment that they joined a stream until their first media was sent, by what
    /// they speak.
    pub fn first_media(&self) -> Vec<(&'static str, TimesRead)> {
        let times = self.0.services.first_media.lock();
        times.iter().map(|(protocol, times)| (*protocol, times.read())).collect()
    }

    /// What happens from now on.
    pub fn events(&self) -> Events {
        Events { receiver: self.0.services.events.subscribe(), dropped: 0 }
    }

    /// Takes a name for a publisher, or resumes a paused stream of that name.
    ///
    /// # Errors
    /// Someone publishes under that name, or there are too many streams.
    pub fn publish(&self, name: StreamName, peer: Peer) -> Result<Publication, PublishError> {
        let mut streams = self.0.streams.lock();
        if let Some(stream) = streams.get(&name) {
            return match stream.state() {
                StreamState::Paused => {
                    let start = stream.now();
                    let publisher = stream.take_over(peer);
                    Ok(Publication::new(stream.clone(), publisher, start))
                }
                _ => Err(PublishError::NameTaken { protocol: stream.source().protocol, name }),
            };
        }
        let limit = limits::STREAMS.get();
        if streams.len() as u64 >= limit {
            limits::STREAMS.hit();
            return Err(PublishError::TooManyStreams { limit });
        }
        let stream = Stream::new(name.clone(), peer, self.0.services.clone());
        streams.insert(name, stream.clone());
        Ok(Publication::new(stream, 0, Duration::ZERO))
    }

    /// Joins a stream, starting it if a resolver can, and waits until its tracks are known.
    ///
    /// A peer that is a server beside this one gets only what has its publisher here, or, where that is
    /// [passed on](Hub::pass_on), what has come from a third without a break since before it asked. So each hop of a
    /// stream is older than the next, and none can lead back to where it began.
    ///
    /// # Errors
    /// There is no such stream, or it could not be started.
    pub async fn subscribe(&self, name: &StreamName, peer: Peer) -> Result<Subscription, SubscribeError> {
        let stream = match self.find(name) {
            Some(stream) => stream,
            None => self.resolve(name, &peer).await?,
        };
        let is_passed_on = peer.server.is_some() && stream.source().server.is_some();
        if is_passed_on && !self.passes_on() {
            return Err(SubscribeError::NotFound { name: name.clone() });
        }
        let mut state = stream.watch_state();
        let settled = state.wait_for(|state| *state != StreamState::Starting || stream.publisher() > 0).await;
        match settled.map(|state| *state) {
            Ok(StreamState::Ended) | Err(_) => Err(SubscribeError::NotFound { name: name.clone() }),
            Ok(_) => {
                let subscription = Subscription::new(stream.clone(), peer);
                // Looked at once it is among the viewers: a stream that stops from now on takes it along.
                if is_passed_on && stream.state() != StreamState::Live {
                    return Err(SubscribeError::NotFound { name: name.clone() });
                }
                Ok(subscription)
            }
        }
    }

    /// The stream of that name.
    pub fn find(&self, name: &StreamName) -> Option<Arc<Stream>> {
        self.0.streams.lock().get(name).cloned()
    }

    /// All streams.
    pub fn streams(&self) -> Vec<Arc<Stream>> {
        self.0.streams.lock().values().cloned().collect()
    }

    /// The name to subscribe to for the stream at a URL; nothing if none of the resolvers takes such URLs.
    ///
    /// # Errors
    /// Says why the stream cannot be had.
    pub fn locate(&self, url: &str) -> Option<Result<StreamName, String>> {
        let resolvers = self.0.resolvers.lock().clone();
        resolvers.iter().find_map(|resolver| resolver.locate(url))
    }

    /// Starts a stream that nobody publishes; many who ask at once wait for one start.
    async fn resolve(&self, name: &StreamName, viewer: &Peer) -> Result<Arc<Stream>, SubscribeError> {
        let not_found = || SubscribeError::NotFound { name: name.clone() };
        let starting = self.starting(name, viewer).ok_or_else(not_found)?;
        let result = starting.await;
        self.0.resolving.lock().remove(name);
        result.map_err(|reason| SubscribeError::NotStarted { name: name.clone(), reason })?;
        self.find(name).ok_or_else(not_found)
    }

    fn starting(&self, name: &StreamName, viewer: &Peer) -> Option<Starting> {
        let mut resolving = self.0.resolving.lock();
        if let Some(starting) = resolving.get(name) {
            return Some(starting.clone());
        }
        let resolvers = self.0.resolvers.lock().clone();
        let starting = resolvers.iter().find_map(|resolver| resolver.resolve(self, name, viewer))?.shared();
        resolving.insert(name.clone(), starting.clone());
        Some(starting)
    }
}
