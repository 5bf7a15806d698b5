//! Playing: what POST does, and which method does what where.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use axum::{
    Router,
    body::{self, Body},
    extract::{ConnectInfo, Request, State},
    response::{IntoResponse, Response},
};
use headwater_graph::{Hub, Peer, SubscribeError, Subscription};
use headwater_media::{StreamName, limits};
use headwater_net::Refused;
use headwater_webrtc::{Offer, OfferError, ViewError, WebRtc};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

use crate::{
    address::{self, SessionId, Target},
    reply::{Refusal, options, reply, set, share},
    resource::{FRAGMENT_TYPE, Resources, SESSION_METHODS, check_type},
};

const WORD: &str = "whep";
const ENDPOINT_METHODS: &str = "POST, OPTIONS";
const SDP_TYPE: &str = "application/sdp";
const ACCEPT_POST: HeaderName = HeaderName::from_static("accept-post");
const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");
/// How long a viewer waits for the tracks of a stream that has just begun.
const START_TIME: Duration = Duration::from_secs(10);

/// What is served: method, path, and what it does.
pub const SERVED: &[(&str, &str, &str)] = &[
    (
        "POST",
        "/NAME/whep",
        "Begins to play a stream over WebRTC (WHEP): takes an SDP offer, answers with 201 and an SDP answer.",
    ),
    ("PATCH", "/NAME/whep/ID", "Takes trickled candidates of a session, or restarts its ICE."),
    ("DELETE", "/NAME/whep/ID", "Ends a session."),
    ("OPTIONS", "/NAME/whep, /NAME/whep/ID", "Says what may be asked, also of pages of other origins."),
];

/// What WHEP needs. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Whep {
    hub: Hub,
    webrtc: WebRtc,
    /// Values of `Link` headers, one for each ICE server.
    ice_servers: Vec<HeaderValue>,
    resources: Resources,
}

impl Whep {
    /// WHEP for the streams of a hub. `ice_servers` are URLs such as `stun:stun.example.org`, which viewers are
    /// told of; those that make no header are left out.
    pub fn new(hub: Hub, webrtc: WebRtc, ice_servers: &[String]) -> Whep {
        let link = |url: &String| HeaderValue::from_str(&format!("<{url}>; rel=\"ice-server\"")).ok();
        Whep {
            hub,
            webrtc,
            ice_servers: ice_servers.iter().filter_map(link).collect(),
            resources: Resources::default(),
        }
    }

    /// How many sessions it has begun that have not ended.
    pub fn sessions(&self) -> usize {
        self.resources.len()
    }
}

/// A router for all paths of which [`is_whep`](crate::is_whep) is true.
///
/// It reads the peer's address from the extension `ConnectInfo<SocketAddr>` of a request.
pub fn router(whep: Whep) -> Router {
    Router::new().fallback(serve).with_state(whep)
}

async fn serve(State(whep): State<Whep>, request: Request) -> Response {
    let mut response = whep.answer(request).await.unwrap_or_else(IntoResponse::into_response);
    share(&mut response);
    response
}

impl Whep {
    async fn answer(&self, request: Request) -> Result<Response, Refusal> {
        let not_found = || Refusal::new(StatusCode::NOT_FOUND, "there is nothing here; a stream plays at /NAME/whep");
        let target = address::parse(request.uri().path(), WORD).ok_or_else(not_found)?;
        let target = target.map_err(|error| Refusal::new(StatusCode::NOT_FOUND, error.to_string()))?;
        let method = request.method().clone();
        match (target, method) {
            (Target::Endpoint(stream), Method::POST) => self.post(stream, request).await,
            (Target::Endpoint(_), Method::OPTIONS) => Ok(options(ENDPOINT_METHODS, (ACCEPT_POST, SDP_TYPE))),
            (Target::Endpoint(stream), method) => Err(Refusal::new(
                StatusCode::METHOD_NOT_ALLOWED,
                format!("{method} does nothing here: a player sends its SDP offer by POST; to watch in a browser, open /play/{stream}"),
            )
            .allow(ENDPOINT_METHODS)),
            (Target::Session(stream, id), Method::PATCH) => {
                let (headers, body) = read(request).await?;
                self.resources.patch(&stream, id, &headers, &body).await
            }
            (Target::Session(stream, id), Method::DELETE) => self.resources.delete(&stream, id).await,
            (Target::Session(..), Method::OPTIONS) => Ok(options(SESSION_METHODS, (ACCEPT_PATCH, FRAGMENT_TYPE))),
            (Target::Session(..), method) => Err(Refusal::new(
                StatusCode::METHOD_NOT_ALLOWED,
                format!("{method} does nothing here: a session takes PATCH, and DELETE to end it"),
            )
            .allow(SESSION_METHODS)),
        }
    }

    async fn post(&self, stream: StreamName, request: Request) -> Result<Response, Refusal> {
        let remote = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0);
        let id = SessionId::random();
        let (headers, body) = read(request).await?;
        check_type(&headers, SDP_TYPE)?;
        let offer = Offer::parse(&body).map_err(refuse_offer)?;
        let fragment = offer.ice_fragment().to_owned();
        let subscription = self.subscribe(&stream, peer(remote, &headers)).await?;
        let address = remote.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |remote| remote.ip());
        let accepted = self.webrtc.view(offer, subscription, address).await.map_err(refuse_view)?;
        let tag = self.resources.add(id, stream.clone(), accepted.session, fragment);
        tracing::info!(%stream, remote = remote.map(tracing::field::display), "a WHEP session begins");

        let mut response = reply(StatusCode::CREATED, Some(SDP_TYPE), &*accepted.sdp);
        set(&mut response, header::LOCATION, &format!("/{stream}/{WORD}/{id}"));
        set(&mut response, header::ETAG, &tag);
        set(&mut response, ACCEPT_PATCH, FRAGMENT_TYPE);
        for link in &self.ice_servers {
            response.headers_mut().append(header::LINK, link.clone());
        }
        Ok(response)
    }

    async fn subscribe(&self, stream: &StreamName, peer: Peer) -> Result<Subscription, Refusal> {
        let subscribed = tokio::time::timeout(START_TIME, self.hub.subscribe(stream, peer)).await;
        let Ok(subscribed) = subscribed else {
            let sentence =
                format!("the stream {stream} is being published, but its tracks are not known yet; try again");
            return Err(Refusal::new(StatusCode::CONFLICT, sentence).retry_after(2));
        };
        subscribed.map_err(|error| match error {
            SubscribeError::NotFound { .. } => {
                Refusal::new(StatusCode::NOT_FOUND, format!("{error}: nobody publishes under that name now"))
            }
            error => Refusal::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string()).retry_after(5),
        })
    }
}

fn peer(remote: Option<SocketAddr>, headers: &HeaderMap) -> Peer {
    // Another id than that in the session's address, which is a secret between server and viewer.
    let peer = Peer::new("WebRTC", format!("{:016x}", rand::random::<u64>()));
    let peer = match remote {
        Some(remote) => peer.with_remote(remote),
        None => peer,
    };
    match headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()) {
        Some(user_agent) => peer.with_user_agent(user_agent),
        None => peer,
    }
}

/// The head and the body of a request, as text.
async fn read(request: Request) -> Result<(HeaderMap, String), Refusal> {
    let (parts, content) = request.into_parts();
    let limit = limits::SDP_BYTES.get_usize();
    let too_large = || {
        limits::SDP_BYTES.hit();
        let sentence = format!("the body has more than {limit} bytes, which no session description needs");
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, sentence)
    };
    if announced(&parts.headers).is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    let bytes = read_body(content, limit).await.ok_or_else(too_large)?;
    let not_text = |_| Refusal::new(StatusCode::BAD_REQUEST, "the body is not text in UTF-8");
    Ok((parts.headers, String::from_utf8(bytes).map_err(not_text)?))
}

fn announced(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

async fn read_body(content: Body, limit: usize) -> Option<Vec<u8>> {
    body::to_bytes(content, limit).await.ok().map(Into::into)
}

fn refuse_offer(error: OfferError) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, error.to_string())
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
