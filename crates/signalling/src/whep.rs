//! Playing: what POST does.

use std::time::Duration;

use axum::{
    Router,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use headwater_access::Action;
use headwater_graph::{Hub, Peer, SubscribeError, Subscription};
use headwater_media::StreamName;
use headwater_net::Refused;
use headwater_webrtc::{RenditionChoice, ViewError, WebRtc};
use http::StatusCode;

use crate::{
    endpoint::{Asked, Endpoint},
    entrance::{Entrance, Wish, follow},
    layer,
    reply::{Refusal, share},
    request::{address, bearer, offer, peer, read, refuse_offer, remote},
};

/// How long a viewer waits for the tracks of a stream that has just begun.
const START_TIME: Duration = Duration::from_secs(10);

/// What is served: method, path, and what it does.
pub const SERVED: &[(&str, &str, &str)] = &[
    (
        "POST",
        "/NAME/whep",
        "Begins to play a stream over WebRTC (WHEP): takes an SDP offer, answers with 201 and an SDP answer. With ?rendition=LABEL it plays that one of several sizes.",
    ),
    (
        "POST",
        "/NAME/whip",
        "Begins to publish a stream over WebRTC (WHIP): takes an SDP offer, answers with 201 and an SDP answer.",
    ),
    ("PATCH", "/NAME/whep/ID, /NAME/whip/ID", "Takes trickled candidates of a session, or restarts its ICE."),
    ("DELETE", "/NAME/whep/ID, /NAME/whip/ID", "Ends a session."),
    (
        "GET, POST",
        "/NAME/whep/ID/layer",
        "Lists the sizes that a stream comes in; chooses one by {\"encodingId\": \"h\"}, or leaves it to the network by {}.",
    ),
    (
        "OPTIONS",
        "/NAME/whep, /NAME/whip, and the same with /ID",
        "Says what may be asked, also of pages of other origins.",
    ),
];

/// What WHEP needs. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Whep {
    hub: Hub,
    webrtc: WebRtc,
    endpoint: Endpoint,
    entrance: Entrance,
}

impl Whep {
    /// WHEP for the streams of a hub. `ice_servers` are URLs such as `stun:stun.example.org`, which viewers are
    /// told of; those that make no header are left out.
    pub fn new(hub: Hub, webrtc: WebRtc, ice_servers: &[String]) -> Whep {
        let endpoint = Endpoint::new("whep", "a stream plays at /NAME/whep", ice_servers);
        Whep { hub, webrtc, endpoint, entrance: Entrance::default() }
    }

    /// The same where it is decided who may play.
    pub fn with_entrance(self, entrance: Entrance) -> Whep {
        Whep { entrance, ..self }
    }

    /// How many sessions it has begun that have not ended.
    pub fn sessions(&self) -> usize {
        self.endpoint.resources.len()
    }

    /// A router for all paths of which [`is_whep`](crate::is_whep) is true.
    ///
    /// It reads the peer's address from the extension `ConnectInfo<SocketAddr>` of a request.
    pub fn into_router(self) -> Router {
        Router::new().fallback(serve).with_state(self)
    }

    async fn answer(&self, request: Request) -> Result<Response, Refusal> {
        match self.endpoint.ask(request).await? {
            Asked::Done(response) => Ok(response),
            Asked::Session(stream, request) => self.post(stream, request).await,
            Asked::Layer(stream, id, request) => {
                let headers = request.headers().clone();
                let (session, source) = self.endpoint.resources.session(&stream, id, &headers)?;
                layer::answer(self.hub.find(&source).as_deref(), &session, request).await
            }
        }
    }

    async fn post(&self, stream: StreamName, request: Request) -> Result<Response, Refusal> {
        let remote = remote(&request);
        let query = request.uri().query().map(str::to_owned);
        let wanted = layer::wanted(query.as_deref())?;
        let (headers, body) = read(request).await?;
        Endpoint::check_offer(&headers)?;
        let token = bearer(&headers)?;
        let peer = peer(remote, &headers, &self.entrance);
        let session = peer.session.clone();
        let (action, query) = (Action::Play, query.as_deref());
        let wish = Wish { action, stream: &stream, peer: &peer, headers: &headers, query, offer: &body };
        let admitted = self.entrance.admit_request(wish, address(remote)).await?;
        let source = admitted.admission().stream.clone();
        let failed = |refusal: Refusal| {
            admitted.fail(refusal.info());
            refusal
        };
        let offer = offer(&body).map_err(failed)?;
        let fragment = offer.ice_fragment().to_owned();
        let subscription = self.subscribe(&source, &stream, peer).await.map_err(failed)?;
        if let Some(label) = &wanted {
            layer::check(subscription.stream(), label).map_err(failed)?;
        }
        let played = subscription.stream().clone();
        let accepted = self.webrtc.view(offer, subscription, address(remote)).await;
        let accepted = accepted.map_err(|error| failed(refuse_view(error)))?;
        tokio::spawn(follow(accepted.session.clone(), played, admitted));
        tracing::info!(stream = %source, session, remote = remote.map(tracing::field::display), "a WHEP session begins");
        if let Some(label) = wanted {
            accepted.session.choose(RenditionChoice::Only(label)).await;
        }
        let home = self.entrance.home();
        let (id, mut response) = self.endpoint.created(home, (&stream, &source), &accepted, fragment, token);
        layer::link(&mut response, home, &stream, id);
        Ok(response)
    }

    /// Subscribes to a stream that was asked for by a name of its own.
    async fn subscribe(&self, source: &StreamName, stream: &StreamName, peer: Peer) -> Result<Subscription, Refusal> {
        let subscribed = tokio::time::timeout(START_TIME, self.hub.subscribe(source, peer)).await;
        let Ok(subscribed) = subscribed else {
            let sentence =
                format!("the stream {stream} is being published, but its tracks are not known yet; try again");
            return Err(Refusal::new(StatusCode::CONFLICT, sentence).retry_after(2));
        };
        subscribed.map_err(|error| match error.as_asked(stream) {
            error @ SubscribeError::NotFound { .. } => {
                Refusal::new(StatusCode::NOT_FOUND, format!("{error}: nobody publishes under that name now"))
            }
            error => Refusal::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string()).retry_after(5),
        })
    }
}

async fn serve(State(whep): State<Whep>, request: Request) -> Response {
    let mut response = whep.answer(request).await.unwrap_or_else(IntoResponse::into_response);
    share(&mut response);
    response
}

fn refuse_view(error: ViewError) -> Refusal {
    let sentence = error.to_string();
    match error {
        ViewError::Offer(error) => refuse_offer(error),
        ViewError::NothingInCommon(_) => Refusal::new(StatusCode::NOT_ACCEPTABLE, sentence),
        ViewError::Pending(Refused::Address(_)) => {
            Refusal::new(StatusCode::TOO_MANY_REQUESTS, sentence).retry_after(10)
        }
        ViewError::Pending(Refused::Total(_)) => {
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, sentence).retry_after(10)
        }
        ViewError::Full | ViewError::Stopping => {
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, sentence).retry_after(30)
        }
        _ => Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, sentence),
    }
}
