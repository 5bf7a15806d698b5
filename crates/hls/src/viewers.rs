//! Who watches: players come back with every request, and are known by an id in the addresses of their playlists.

use std::{
    collections::HashMap,
    fmt,
    hash::{BuildHasher, Hash, RandomState},
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use headwater_access::{self as access, Admitted, Why};
use headwater_graph::{Environment, Stream, StreamState, Subscription};
use headwater_media::{StreamName, limits};
use headwater_net::{Permit, Quota, Refused};
use parking_lot::Mutex;

/// How often it is looked whether a viewer has left.
const LOOK: Duration = Duration::from_secs(1);

/// What a viewer is known by. It cannot be guessed, and so shows that its bearer has been let in.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ViewerId(u128);

impl ViewerId {
    pub(crate) fn random() -> ViewerId {
        ViewerId(rand::random())
    }

    pub(crate) fn parse(text: &str) -> Option<ViewerId> {
        let good = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        good.then(|| u128::from_str_radix(text, 16).ok().map(ViewerId)).flatten()
    }
}

impl fmt::Display for ViewerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for ViewerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ViewerId")
    }
}

/// All viewers.
#[derive(Debug)]
pub(crate) struct Viewers {
    by_id: Mutex<HashMap<ViewerId, Arc<Viewer>>>,
    /// Who came last with a wish.
    arrived: Mutex<HashMap<u128, ViewerId>>,
    quota: Quota,
    hasher: [RandomState; 2],
}

/// One viewer of one stream.
#[derive(Debug)]
pub(crate) struct Viewer {
    stream: Arc<Stream>,
    /// Whether it has asked for a media playlist.
    has_asked: AtomicBool,
    /// Nothing once it has been told to go.
    stay: Mutex<Result<Stay, access::Refused>>,
    begun: Instant,
    /// When it asked last, in milliseconds from the beginning.
    seen: AtomicU64,
    holds: AtomicU64,
}

#[derive(Debug)]
struct Stay {
    subscription: Subscription,
    admitted: Arc<Admitted>,
    _permit: Permit,
}

/// A request of a viewer that is held; dropped when it is answered.
#[derive(Debug)]
pub(crate) struct Hold(Arc<Viewer>);

impl Viewer {
    pub(crate) fn stream(&self) -> &Arc<Stream> {
        &self.stream
    }

    /// It has asked for something.
    pub(crate) fn touch(&self, now: Instant) {
        let since = now.saturating_duration_since(self.begun).as_millis();
        self.seen.fetch_max(u64::try_from(since).unwrap_or(u64::MAX), Relaxed);
    }

    /// Media is sent to it: so many bytes of playlists.
    ///
    /// # Errors
    /// It has been told to go; says why.
    pub(crate) fn serve(&self, bytes: usize) -> Result<(), access::Refused> {
        self.has_asked.store(true, Relaxed);
        let stay = self.stay.lock();
        let stay = stay.as_ref().map_err(Clone::clone)?;
        stay.admitted.flow(stay.subscription.stream());
        stay.subscription.viewer().count_sent(bytes as u64);
        Ok(())
    }

    /// Holds one more of its requests, or none if it has too many held already.
    pub(crate) fn hold(self: &Arc<Self>) -> Option<Hold> {
        if self.holds.fetch_add(1, Relaxed) >= limits::HLS_HOLDS_PER_VIEWER.get() {
            limits::HLS_HOLDS_PER_VIEWER.hit();
            self.holds.fetch_sub(1, Relaxed);
            return None;
        }
        Some(Hold(self.clone()))
    }

    fn silence(&self, now: Instant) -> Duration {
        if self.holds.load(Relaxed) > 0 {
            return Duration::ZERO;
        }
        now.saturating_duration_since(self.begun).saturating_sub(Duration::from_millis(self.seen.load(Relaxed)))
    }

    fn dismiss(&self, refused: access::Refused) {
        let reason = refused.sentence.clone();
        let before = std::mem::replace(&mut *self.stay.lock(), Err(refused));
        if let Ok(stay) = before {
            stay.admitted.fail(reason);
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.holds.fetch_sub(1, Relaxed);
    }
}

impl Viewers {
    pub(crate) fn new() -> Viewers {
        let quota = Quota::new(&limits::HLS_VIEWERS, &limits::HLS_VIEWERS_PER_ADDRESS);
        Viewers { by_id: Mutex::default(), arrived: Mutex::default(), quota, hasher: Default::default() }
    }

    /// The id of a player that brings none: it is the same as long as its address and name are.
    pub(crate) fn id_of(&self, address: IpAddr, agent: &str, stream: &StreamName) -> ViewerId {
        ViewerId(self.mark((address, agent, stream)))
    }

    /// The id of a player that comes with a wish and will come with it again.
    pub(crate) fn id_by(&self, mark: u128) -> ViewerId {
        ViewerId(mark)
    }

    /// What tells wishes apart: a number that says nothing of them.
    pub(crate) fn mark(&self, wish: impl Hash) -> u128 {
        let [first, second] = self.hasher.each_ref().map(|hasher| u128::from(hasher.hash_one(&wish)));
        first << 64 | second
    }

    /// One who has come a moment ago with the very same wish and asked for nothing since: many players read the first
    /// playlist twice. Who comes a third time is somebody else behind the same address, and must not share the requests
    /// that one viewer may have held.
    pub(crate) fn find_arrived(&self, mark: u128) -> Option<(ViewerId, Arc<Viewer>)> {
        let id = self.arrived.lock().remove(&mark)?;
        let viewer = self.by_id.lock().get(&id).cloned()?;
        (!viewer.has_asked.load(Relaxed)).then_some((id, viewer))
    }

    /// Remembers one who has come by the way in.
    pub(crate) fn note_arrival(&self, mark: u128, id: ViewerId) {
        let mut arrived = self.arrived.lock();
        if arrived.len() as u64 >= limits::HLS_VIEWERS.get() {
            arrived.clear();
        }
        arrived.insert(mark, id);
    }

    pub(crate) fn admit(&self, address: IpAddr) -> Result<Permit, Refused> {
        self.quota.admit(address)
    }

    pub(crate) fn find(&self, id: ViewerId, stream: &StreamName) -> Option<Arc<Viewer>> {
        self.by_id.lock().get(&id).filter(|viewer| viewer.stream.name() == stream).cloned()
    }

    /// The same by its id alone, which was made of all that tells wishes apart.
    pub(crate) fn find_by_id(&self, id: ViewerId) -> Option<Arc<Viewer>> {
        self.by_id.lock().get(&id).cloned()
    }

    pub(crate) fn count(&self) -> usize {
        self.by_id.lock().len()
    }

    /// Adds one who has been let in, and follows it until it leaves or is told to.
    pub(crate) fn add(
        self: &Arc<Self>,
        id: ViewerId,
        subscription: Subscription,
        admitted: Admitted,
        permit: Permit,
        environment: &Arc<dyn Environment>,
    ) -> Arc<Viewer> {
        let admitted = Arc::new(admitted);
        let ended = subscription.ended();
        let stream = subscription.stream().clone();
        let stay = Stay { subscription, admitted: admitted.clone(), _permit: permit };
        let viewer = Arc::new(Viewer {
            stream: stream.clone(),
            has_asked: AtomicBool::new(false),
            stay: Mutex::new(Ok(stay)),
            begun: environment.now(),
            seen: AtomicU64::new(0),
            holds: AtomicU64::new(0),
        });
        let mut by_id = self.by_id.lock();
        if let Some(known) = by_id.get(&id).filter(|known| Arc::ptr_eq(&known.stream, &stream)) {
            // Two of its requests came at once.
            return known.clone();
        }
        by_id.insert(id, viewer.clone());
        drop(by_id);
        let (viewers, followed, clock) = (self.clone(), viewer.clone(), environment.clone());
        environment.spawn(Box::pin(async move {
            // It holds the leave to watch, which is given back when it is over.
            let dismissed = async move {
                tokio::select! {
                    refused = admitted.revoked() => refused,
                    reason = ended => {
                        if stream.state() == StreamState::Ended {
                            // Its last playlist is still to be had, and says so.
                            std::future::pending::<()>().await;
                        }
                        access::Refused::new(Why::Forbidden, reason)
                    }
                }
            };
            let mut dismissed = Some(Box::pin(dismissed));
            while followed.silence(clock.now()) < limits::HLS_VIEWER_SILENCE_MS.get_duration() {
                let Some(wait) = &mut dismissed else {
                    clock.sleep(LOOK).await;
                    continue;
                };
                tokio::select! {
                    refused = wait => {
                        tracing::info!(stream = %followed.stream.name(), reason = refused.sentence, "a viewer of HLS is told to go");
                        followed.dismiss(refused);
                        dismissed = None;
                    }
                    () = clock.sleep(LOOK) => {}
                }
            }
            let mut by_id = viewers.by_id.lock();
            if by_id.get(&id).is_some_and(|known| Arc::ptr_eq(known, &followed)) {
                by_id.remove(&id);
            }
            drop(by_id);
            tracing::info!(stream = %followed.stream.name(), "a viewer of HLS has left");
        }));
        viewer
    }
}
