//! What all sessions share.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use headwater_access::Gates;
use headwater_graph::{Bell, Environment, Hub};
use headwater_media::limits::{self, Limit};

use crate::{config::RtmpConfig, convoy::Convoys, error::RtmpError};

/// What all RTMP and HTTP-FLV sessions of a server share. Cloning it is cheap.
#[derive(Clone, Debug)]
pub struct Context(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    hub: Hub,
    config: RtmpConfig,
    gates: Gates,
    counters: Counters,
    sessions: AtomicU64,
    /// The bell of all viewers that go by the clock of their merge window, and so need no bell of their own.
    silent: Bell,
    convoys: Convoys,
}

impl Context {
    /// A context over a hub, where everybody may publish and play.
    pub fn new(hub: Hub, config: RtmpConfig) -> Context {
        Context::with_gates(hub, config, Gates::default())
    }

    /// The same, where these decide about those who come.
    pub fn with_gates(hub: Hub, config: RtmpConfig, gates: Gates) -> Context {
        Context(Arc::new(Inner {
            hub,
            config,
            gates,
            counters: Counters::default(),
            sessions: AtomicU64::new(0),
            silent: Bell::new(),
            convoys: Convoys::default(),
        }))
    }

    /// The streams.
    pub fn hub(&self) -> &Hub {
        &self.0.hub
    }

    /// The settings.
    pub fn config(&self) -> &RtmpConfig {
        &self.0.config
    }

    /// Who decides about those who come.
    pub(crate) fn gates(&self) -> &Gates {
        &self.0.gates
    }

    /// What has been counted since the start.
    pub fn counters(&self) -> &Counters {
        &self.0.counters
    }

    /// The players that travel together.
    pub(crate) fn convoys(&self) -> &Convoys {
        &self.0.convoys
    }

    pub(crate) fn environment(&self) -> &dyn Environment {
        &**self.0.hub.environment()
    }

    /// The bell that a new viewer is to be woken by.
    pub(crate) fn bell(&self) -> Bell {
        if self.config().merge_window().is_zero() { Bell::new() } else { self.0.silent.clone() }
    }

    /// A session id that is unique in this process.
    pub(crate) fn session_id(&self, protocol: &str) -> String {
        format!("{protocol}-{}-{:08x}", self.0.sessions.fetch_add(1, Relaxed) + 1, rand::random::<u32>())
    }

    /// Counts one who arrives, until it has said what it wants.
    pub(crate) fn arriving(&self) -> Result<Arriving, RtmpError> {
        // Counted first, so that two at a time cannot both be the last.
        let before = self.counters().arriving.fetch_add(1, Relaxed);
        let arriving = Arriving(self.clone());
        if before >= limits::RTMP_ARRIVING.get() {
            limits::RTMP_ARRIVING.hit();
            return Err(RtmpError::TooManyArriving);
        }
        Ok(arriving)
    }

    /// Waits for something as long as a limit in milliseconds allows, and counts the hit.
    pub(crate) async fn within_limit<T>(
        &self,
        limit: &'static Limit,
        what: &'static str,
        future: impl Future<Output = T>,
    ) -> Result<T, RtmpError> {
        let result = self.within(limit.get_duration(), what, future).await;
        if result.is_err() {
            limit.hit();
        }
        result
    }

    /// Waits for something, but not for ever.
    pub(crate) async fn within<T>(
        &self,
        time: Duration,
        what: &'static str,
        future: impl Future<Output = T>,
    ) -> Result<T, RtmpError> {
        tokio::select! {
            biased;
            value = future => Ok(value),
            () = self.environment().sleep(time) => Err(RtmpError::TimedOut(what)),
        }
    }
}

macro_rules! counters {
    ($($name:ident: $what:literal,)*) => {
        /// Counts for metrics: how many there are now, or have been since the start.
        #[derive(Debug, Default)]
        pub struct Counters {
            $(#[doc = $what] pub $name: AtomicU64,)*
        }

        impl Counters {
            /// Name, meaning and value of each.
            pub fn list(&self) -> Vec<(&'static str, &'static str, u64)> {
                vec![$((stringify!($name), $what, self.$name.load(Relaxed))),*]
            }
        }
    };
}

counters! {
    connections: "RTMP connections open now.",
    arriving: "RTMP connections now that have not yet finished TLS, handshake and connect.",
    publishers: "RTMP publishers now.",
    viewers: "RTMP and HTTP-FLV viewers now.",
    together: "RTMP viewers now that are sent the same bytes by one task.",
    connections_total: "RTMP connections accepted.",
    bytes_received: "Bytes received over RTMP.",
    bytes_sent: "Bytes sent over RTMP and HTTP-FLV.",
    frames_received: "Frames taken from RTMP publishers.",
    frames_sent: "Frames sent to RTMP and HTTP-FLV viewers.",
    frames_skipped: "Frames that slow RTMP and HTTP-FLV viewers were spared.",
    media_malformed: "Media messages from RTMP publishers that could not be read and were passed over.",
    timeline_breaks: "Jumps in the timestamps of RTMP publishers that were bridged.",
    errors_peer: "RTMP sessions ended because the peer broke the protocol.",
    errors_network: "RTMP sessions ended by the network.",
    errors_request: "RTMP sessions that wanted what is not to be had.",
    errors_limit: "RTMP sessions ended by a limit.",
    errors_ourselves: "RTMP sessions ended by a defect of ours.",
}

impl Counters {
    pub(crate) fn count_error(&self, error: &RtmpError) {
        use crate::error::Fault;
        let counter = match error.fault() {
            Fault::Peer => &self.errors_peer,
            Fault::Network => &self.errors_network,
            Fault::Request => &self.errors_request,
            Fault::Limit => &self.errors_limit,
            Fault::Order => return,
            Fault::Ourselves => &self.errors_ourselves,
        };
        counter.fetch_add(1, Relaxed);
    }
}

/// A connection that has not yet come as far as to say which application it wants.
pub(crate) struct Arriving(Context);

impl Drop for Arriving {
    fn drop(&mut self) {
        self.0.counters().arriving.fetch_sub(1, Relaxed);
    }
}

/// Counts one of something for as long as it lives.
pub(crate) struct Present<'a>(&'a AtomicU64);

impl<'a> Present<'a> {
    pub(crate) fn new(counter: &'a AtomicU64) -> Present<'a> {
        counter.fetch_add(1, Relaxed);
        Present(counter)
    }
}

impl Drop for Present<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}
