//! Streams that are published here, sent to every edge of the list before anybody asks for them.
//!
//! What is there is compared with what should be whenever a stream comes or the list changes, and from time to time, as
//! a push may have ended by itself.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use headwater_graph::{BoxFuture, Event, Events, Hub, StreamState};
use headwater_media::StreamName;
use headwater_relay::{PushRequest, RelayError, Relays, Transport};
use tokio::time::interval;

use crate::{balancer::Settings, edge::Edge};

/// Time between two looks at pushes that may have ended.
const LOOK: Duration = Duration::from_secs(1);

/// By what streams are sent to edges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// WebRTC over this transport, asked for by the session protocol at the address in the list.
    WebRtc(Transport),
    /// RTMP, at this port.
    Rtmp(u16),
}

/// How streams are sent to edges.
#[derive(Clone, PartialEq, Eq)]
pub struct Distribution {
    /// By what.
    pub carrier: Carrier,
    /// The token that edges are shown.
    pub token: Option<String>,
}

/// Without the token.
impl std::fmt::Debug for Distribution {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Distribution").field("carrier", &self.carrier).finish_non_exhaustive()
    }
}

impl Distribution {
    fn url(&self, edge: &Edge, stream: &StreamName) -> String {
        let form =
            |token: &str| url::form_urlencoded::Serializer::new(String::new()).append_pair("token", token).finish();
        let query = self.token.as_deref().map(|token| format!("?{}", form(token))).unwrap_or_default();
        match self.carrier {
            Carrier::WebRtc(_) => format!("{}/{query}", edge.id()),
            Carrier::Rtmp(port) => format!("rtmp://{}:{port}/live/{stream}{query}", edge.host()),
        }
    }

    fn leg(&self, edge: &Edge, stream: &StreamName) -> Leg {
        let transport = match self.carrier {
            Carrier::WebRtc(transport) => Some(transport),
            Carrier::Rtmp(_) => None,
        };
        Leg { stream: stream.clone(), url: self.url(edge, stream), transport }
    }
}

/// Sends streams, and knows what it sends where.
pub(crate) struct Distributor {
    hub: Hub,
    relays: Relays,
    /// The id of the push, or nothing while it begins.
    pushes: HashMap<Leg, Option<String>>,
    begin: FuturesUnordered<BoxFuture<'static, (Leg, Result<String, RelayError>)>>,
    /// What could not begin, so that it is told once.
    refused: HashSet<Leg>,
}

/// A stream that is sent to an edge.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Leg {
    stream: StreamName,
    url: String,
    /// Of WebRTC; by RTMP where there is none.
    transport: Option<Transport>,
}

impl Distributor {
    pub(crate) fn new(hub: Hub, relays: Relays) -> Distributor {
        Distributor { hub, relays, pushes: HashMap::new(), begin: FuturesUnordered::new(), refused: HashSet::new() }
    }

    /// Keeps what is sent as these settings say, without end.
    pub(crate) async fn run(&mut self, settings: &Settings) {
        let mut events = self.hub.events();
        let mut look = interval(LOOK);
        self.compare(settings, true);
        loop {
            tokio::select! {
                () = stream_comes(&mut events) => self.compare(settings, false),
                _ = look.tick() => self.compare(settings, true),
                Some((leg, begun)) = self.begin.next() => self.note(leg, begun),
            }
        }
    }

    /// Begins what is missing, as far as that was not refused before or is tried again, and ends what should not be.
    fn compare(&mut self, settings: &Settings, again: bool) {
        let wanted = self.wanted(settings);
        let running: HashSet<String> = self.relays.pushes().into_iter().map(|push| push.id).collect();
        self.pushes.retain(|_, id| id.as_ref().is_none_or(|id| running.contains(id)));
        self.refused.retain(|leg| wanted.contains(leg));
        for (leg, id) in &self.pushes {
            if let Some(id) = id.as_ref().filter(|_| !wanted.contains(leg)) {
                self.relays.stop_push(id);
            }
        }
        for leg in wanted {
            if !self.pushes.contains_key(&leg) && (again || !self.refused.contains(&leg)) {
                self.pushes.insert(leg.clone(), None);
                self.begin.push(Box::pin(begin(self.relays.clone(), leg)));
            }
        }
    }

    fn wanted(&self, settings: &Settings) -> HashSet<Leg> {
        let Some(distribution) = &settings.distribution else { return HashSet::new() };
        let pulled: HashSet<String> = self.relays.pulls().into_iter().map(|pull| pull.id).collect();
        let streams = self.hub.streams().into_iter().filter(|stream| {
            // What was fetched from another server is that server's to send.
            let source = stream.source();
            stream.state() != StreamState::Ended && source.server.is_none() && !pulled.contains(&source.session)
        });
        let legs = streams.flat_map(|stream| {
            let name = stream.name().clone();
            settings.edges.iter().map(move |edge| distribution.leg(edge, &name))
        });
        legs.collect()
    }

    fn note(&mut self, leg: Leg, begun: Result<String, RelayError>) {
        match begun {
            Ok(id) => {
                self.refused.remove(&leg);
                self.pushes.insert(leg, Some(id));
            }
            Err(error) => {
                self.pushes.remove(&leg);
                if !matches!(error, RelayError::NoStream(_)) && self.refused.insert(leg.clone()) {
                    tracing::warn!(stream = %leg.stream, %error, "a stream cannot be sent to an edge; it is tried again");
                }
            }
        }
    }
}

async fn begin(relays: Relays, leg: Leg) -> (Leg, Result<String, RelayError>) {
    let Leg { stream, url, transport } = leg.clone();
    let begun = match transport {
        Some(transport) => relays.push_webrtc(&url, stream, None, transport).await,
        None => {
            let transport = Transport::default();
            let request = PushRequest { stream, url, is_whole: true, is_muted: false, sound: None, transport };
            relays.push(request).await
        }
    };
    (leg, begun.map(|push| push.id))
}

/// Waits for a stream that begins or ends; never ends once the hub is gone.
async fn stream_comes(events: &mut Events) {
    loop {
        match events.next().await {
            Some(Event::ViewerJoined { .. } | Event::ViewerLeft { .. } | Event::Paused { .. }) => {}
            Some(_) => return,
            None => std::future::pending().await,
        }
    }
}
