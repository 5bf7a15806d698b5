//! What one client has asked for: its connection's words and its streams.

mod arrival;

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, atomic::Ordering::Relaxed},
};

use headwater_access::{Refused, Visit};
use headwater_graph::{Peer, StreamState};
use headwater_media::{StreamName, limits};
use http::{HeaderMap, header};
use tokio::{
    sync::{mpsc, watch},
    task::{Id, JoinSet},
};

use crate::entrance::Entrance;

use super::{
    Wcs,
    data::Post,
    directory::{Line, Present},
    job::{Job, Spot, Stop},
    media_socket::{self, Berth, MSE},
    play, publish,
    rendition::Picks,
    wire::{
        Connection, Data, Event, Info, Reference, Renditions, Reply, Request, Status, StreamRequest, StreamStatus, Tell,
    },
};

use arrival::Deciding;

/// Who is on the other side of a connection.
#[derive(Debug)]
pub(super) struct Client {
    /// The id of its connection.
    pub(super) id: String,
    pub(super) remote: Option<SocketAddr>,
    pub(super) user_agent: Option<String>,
    /// The origin of its page.
    pub(super) origin: Option<String>,
    /// The id of the server that it is, if it is one that works together with this one.
    pub(super) server: Option<String>,
}

impl Client {
    pub(super) fn new(remote: Option<SocketAddr>, headers: &HeaderMap, entrance: &Entrance) -> Client {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let (user_agent, origin) = (text(header::USER_AGENT), text(header::ORIGIN));
        Client {
            id: format!("{:032x}", rand::random::<u128>()),
            remote,
            user_agent,
            origin,
            server: entrance.recognise(headers),
        }
    }

    /// The client as the streams know it that it uses.
    pub(super) fn peer(&self, protocol: &'static str, session: &str) -> Peer {
        let mut peer = Peer::new(protocol, session);
        peer.remote = self.remote;
        peer.server.clone_from(&self.server);
        match &self.user_agent {
            Some(user_agent) => peer.with_user_agent(user_agent),
            None => peer,
        }
    }

    pub(super) fn address(&self) -> IpAddr {
        self.remote.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |remote| remote.ip())
    }

    pub(super) fn remote(&self) -> Option<tracing::field::DisplayValue<SocketAddr>> {
        self.remote.map(tracing::field::display)
    }
}

/// One client's connection.
pub(super) struct Session {
    wcs: Wcs,
    client: Arc<Client>,
    connection: Option<Arc<Connection>>,
    /// Given by those who decide, together with the connection.
    visit: Option<Arc<Visit>>,
    berth: Arc<Berth>,
    deciding: Option<Deciding>,
    post: Option<Post>,
    streams: HashMap<Arc<str>, OpenStream>,
    tasks: JoinSet<()>,
    replies: mpsc::Sender<Reply>,
    is_choked: bool,
    line: Line,
    present: Option<Present>,
}

/// What has come to its end beside the conversation.
pub(super) enum Over {
    /// A stream, or the way of data.
    Stream,
    /// The wait for those who decide whether the client may connect.
    Decision(Result<Visit, Refused>),
}

/// A stream at work, as its connection sees it.
struct OpenStream {
    task: Id,
    stop: watch::Sender<Option<Stop>>,
    /// A publisher's place, from which it speaks to its viewers.
    speaks: Option<Spot>,
    /// A player's choice of rendition.
    picks: Option<Picks>,
}

impl Session {
    pub(super) fn new(wcs: Wcs, client: Arc<Client>, replies: mpsc::Sender<Reply>) -> Session {
        let (streams, tasks) = (HashMap::new(), JoinSet::new());
        Session {
            wcs,
            client,
            connection: None,
            visit: None,
            berth: Arc::new(Berth::new()),
            deciding: None,
            post: None,
            streams,
            tasks,
            replies,
            is_choked: false,
            line: Line::default(),
            present: None,
        }
    }

    /// Whether the client has said who it is.
    pub(super) fn is_established(&self) -> bool {
        self.connection.is_some()
    }

    /// Whether the client does not take what is said to it.
    pub(super) fn is_choked(&self) -> bool {
        self.is_choked
    }

    /// Who is on the other side.
    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// What operators order this connection.
    pub(super) fn line(&self) -> &Line {
        &self.line
    }

    /// Waits until something is over that goes on beside the conversation. Nothing is lost if this is dropped.
    pub(super) async fn over(&mut self) -> Over {
        let deciding = self.deciding.as_mut();
        let decision = async {
            match deciding {
                Some(deciding) => (&mut deciding.decision).await,
                None => std::future::pending().await,
            }
        };
        let over = tokio::select! {
            decision = decision => return Over::Decision(decision),
            over = self.tasks.join_next_with_id(), if !self.tasks.is_empty() => over,
        };
        if let Some(over) = over {
            let task = over.map_or_else(|error| error.id(), |(task, ())| task);
            self.streams.retain(|_, stream| stream.task != task);
        }
        Over::Stream
    }

    /// Ends all streams and waits for them.
    pub(super) async fn end(mut self, stop: Stop) {
        (self.present, self.deciding, self.post) = (None, None, None);
        for stream in self.streams.values() {
            stream.stop.send_replace(Some(stop));
        }
        while self.tasks.join_next().await.is_some() {}
    }

    /// Does what a message asks for.
    pub(super) fn take(&mut self, request: Request) {
        match request {
            Request::Alive | Request::Log => {}
            request if self.deciding.is_some() => self.keep(request),
            Request::Connection(connection) => self.ask(*connection),
            Request::Publish(request) => self.open(*request, true),
            Request::Play(request) => self.open(*request, false),
            _ if self.connection.is_none() => self.complain("", "the first message has to be connection"),
            Request::MediaTransport(_) => {
                self.complain("connectMediaTransport", "media goes over a connection of its own")
            }
            Request::Stop(reference) => self.stop(&reference),
            Request::Snapshot(reference) => self.refuse_snapshot(reference),
            Request::Available(reference) => self.tell_available(&reference),
            Request::Renditions(asked) => self.tell_renditions(asked),
            Request::Tell(tell) => self.tell(tell),
            Request::Data(data) => self.take_data(data),
            Request::Call { method, call } => self.refuse_call(&method, call),
            Request::Unknown(method) => {
                self.wcs.0.counters.unknown.fetch_add(1, Relaxed);
                self.complain(&method, "this server does not know this message");
            }
        }
    }

    /// Says that something could not be done. `method` is cut to what a log can bear.
    pub(super) fn complain(&mut self, method: &str, sentence: impl Into<String>) {
        let method = method.chars().take(64).collect();
        self.say(Reply::Fail { method, sentence: sentence.into() });
    }

    /// Never waits: what takes the replies away is what calls this.
    fn say(&mut self, reply: Reply) {
        self.is_choked |= self.replies.try_send(reply).is_err();
    }

    fn open(&mut self, request: StreamRequest, published: bool) {
        match self.admit(&request, published) {
            Ok(()) => {}
            Err((info, reason)) => {
                tracing::debug!(session = %self.client.id, stream = ?request.name, reason, "a stream is refused");
                let mut status = StreamStatus::of(&request, published, Status::Failed);
                status.session_id.clone_from(&self.client.id);
                (status.info, status.reason) = (Some(info), Some(reason));
                self.say(Reply::Status(Box::new(status)));
            }
        }
    }

    fn admit(&mut self, request: &StreamRequest, published: bool) -> Result<(), (Info, String)> {
        let refused = |info: Info, reason: &str| (info, reason.to_owned());
        let (Some(connection), Some(visit)) = (self.connection.clone(), self.visit.clone()) else {
            return Err(refused(Info::SessionNotReady, "the first message has to be connection"));
        };
        let id = request.media_session_id.as_deref().unwrap_or_default();
        check_id(id)?;
        if self.streams.len() >= limits::WCS_STREAMS.get_usize() {
            limits::WCS_STREAMS.hit();
            return Err(refused(Info::NotAdded, "this connection has as many streams as it may"));
        }
        let by_socket = request.media_provider == MSE && !published;
        if request.media_provider != "WebRTC" && !by_socket {
            let sentence = match request.media_provider.as_str() {
                "WSPlayer" => {
                    "this WSPlayer needs MPEG-1 video and G.711 sound, which this server does not make of others yet; \
                     allow WebRTC or MSE in preferredMediaProviders"
                }
                _ => "this server carries streams of this protocol by WebRTC, and to players by MSE as well",
            };
            return Err(refused(Info::NotAdded, sentence));
        }
        let asked = self.check_name(&request.name, published)?;
        let claim = self.wcs.0.claims.claim(id);
        let claim = claim.ok_or_else(|| refused(Info::IdInUse, "another stream has this mediaSessionId"))?;
        let (stop, stopped) = watch::channel(None);
        let spot = Spot::default();
        let speaks = published.then(|| spot.clone());
        let id = claim.id.clone();
        let (picks, picked) = Picks::of(spot.clone());
        let job = Job {
            wcs: self.wcs.clone(),
            client: self.client.clone(),
            connection,
            request: request.clone(),
            published,
            asked,
            visit,
            spot,
            claim,
            stopped,
            replies: self.replies.clone(),
            since: std::time::SystemTime::now(),
        };
        let task = match published {
            true => self.tasks.spawn(publish::publish(job)).id(),
            false if by_socket => self.tasks.spawn(media_socket::play(job, self.berth.clone())).id(),
            false => self.tasks.spawn(play::play(job, picked)).id(),
        };
        let picks = (!published).then_some(picks);
        self.streams.insert(id, OpenStream { task, stop, speaks, picks });
        Ok(())
    }

    /// A viewer may ask for a stream of another server by its URL, where that is allowed.
    fn check_name(&self, name: &str, published: bool) -> Result<StreamName, (Info, String)> {
        if !published && name.contains("://") {
            let none = || (Info::NoAgent, "this server does not play streams by such a URL".to_owned());
            return self.wcs.0.hub.locate(name).ok_or_else(none)?.map_err(|reason| (Info::NoAgent, reason));
        }
        let info = if published { Info::NotAdded } else { Info::NotFound };
        StreamName::new(name).map_err(|error| (info, error.to_string()))
    }

    fn stop(&mut self, reference: &Reference) {
        let id = reference.media_session_id.as_deref().unwrap_or_default();
        if let Some(stream) = self.streams.get(id).filter(|stream| !stream.stop.is_closed()) {
            stream.stop.send_replace(Some(Stop::User));
            return;
        }
        // The stream is over already; its client waits for the word.
        let request = StreamRequest {
            media_session_id: reference.media_session_id.clone(),
            name: reference.name.clone(),
            ..StreamRequest::default()
        };
        let status = if reference.published { Status::Unpublished } else { Status::Stopped };
        let mut status = StreamStatus::of(&request, reference.published, status);
        status.session_id.clone_from(&self.client.id);
        self.say(Reply::Status(Box::new(status)));
    }

    fn refuse_snapshot(&mut self, reference: Reference) {
        let info = "Snapshots are not available on this server yet";
        let event = Event { kind: "snapshotFailed".to_owned(), payload: Some(serde_json::json!({ "info": info })) };
        let media_session_id = reference.media_session_id.unwrap_or_default();
        self.say(Reply::Event { media_session_id, event });
    }

    fn tell_available(&mut self, reference: &Reference) {
        let stream = StreamName::new(&reference.name).ok().and_then(|name| self.wcs.0.hub.find(&name));
        let problem = match stream.map(|stream| stream.state()) {
            Some(StreamState::Live) => None,
            Some(StreamState::Starting | StreamState::Paused) => Some("Publish stream is not ready"),
            Some(StreamState::Ended) | None => Some("Stream not found"),
        };
        let media_session_id = reference.media_session_id.clone().unwrap_or_default();
        self.say(Reply::Available { media_session_id, problem });
    }

    /// A client may ask for the renditions of a stream that it plays, and choose one.
    fn tell_renditions(&mut self, asked: Renditions) {
        let media_session_id = asked.media_session_id.unwrap_or_default();
        let picks = self.streams.get(&*media_session_id).and_then(|stream| stream.picks.as_ref());
        let (renditions, problem) = match picks {
            Some(picks) => picks.answer(&self.wcs.0.hub, asked.chosen),
            None => (Vec::new(), Some("this connection plays no stream of that mediaSessionId".to_owned())),
        };
        self.say(Reply::Renditions { media_session_id, renditions, problem });
    }

    /// Only publishers speak to an audience; pages of viewers say "muted" as well, and mean nobody by it.
    fn tell(&mut self, tell: Tell) {
        let id = tell.media_session_id.as_deref().unwrap_or_default();
        if let Some(place) = self.streams.get(id).and_then(|stream| stream.speaks.as_ref()?.get()) {
            let kind = tell.kind.chars().take(64).collect();
            place.tell(Event { kind, payload: tell.payload });
        }
    }

    fn take_data(&mut self, data: Data) {
        let app = self.connection.as_ref().map_or("", |connection| &connection.app_key);
        if app == "roomApp" {
            return self.refuse_data(data, "Rooms are not available on this server yet");
        }
        let Some(visit) = self.visit.clone() else { return };
        let (tasks, client, replies) = (&mut self.tasks, &self.client, &self.replies);
        let open = || Post::open(tasks, self.wcs.clone(), client.clone(), visit, replies.clone());
        if let Err(data) = self.post.get_or_insert_with(open).take(data) {
            self.refuse_data(data, "too much that was sent before has not been taken yet");
        }
    }

    fn refuse_data(&mut self, data: Data, problem: &str) {
        self.say(Reply::DataStatus { operation_id: data.operation_id, problem: Some(problem.to_owned()) });
    }

    fn refuse_call(&mut self, method: &str, call: String) {
        let sentence = "this server does no telephony yet";
        match method {
            "call" | "answer" => self.say(Reply::CallOver { call, sentence }),
            method => self.complain(method, sentence),
        }
    }
}

/// Ids stand in logs and in answers of the REST API.
fn check_id(id: &str) -> Result<(), (Info, String)> {
    if id.is_empty() {
        return Err((Info::NoId, "the stream needs a mediaSessionId".to_owned()));
    }
    let is_plain = id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    is_plain
        .then_some(())
        .ok_or_else(|| (Info::NotAdded, "a mediaSessionId has at most 64 letters, digits, '-' and '_'".to_owned()))
}
