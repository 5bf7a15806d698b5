//! Publishing: what POST does.

use axum::{
    Router,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use headwater_access::Action;
use headwater_graph::{Hub, PublishError as Refused};
use headwater_media::StreamName;
use headwater_net::Refused as Full;
use headwater_webrtc::{PublishError, PublishOptions, WebRtc};
use http::StatusCode;

use crate::{
    endpoint::{Asked, Endpoint},
    entrance::{Entrance, Wish, follow},
    layer, name,
    reply::{Refusal, share},
    request::{address, bearer, offer, peer, read, refuse_offer, remote},
    wanted::Wanted,
    wcs,
};

/// What WHIP needs. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Whip {
    hub: Hub,
    webrtc: WebRtc,
    wanted: Wanted,
    endpoint: Endpoint,
    entrance: Entrance,
}

impl Whip {
    /// WHIP for the streams of a hub. `ice_servers` are URLs such as `stun:stun.example.org`, which publishers are
    /// told of; those that make no header are left out.
    pub fn new(hub: Hub, webrtc: WebRtc, options: PublishOptions, ice_servers: &[String]) -> Whip {
        let endpoint = Endpoint::new("whip", "a stream is published at /NAME/whip", ice_servers);
        Whip { hub, webrtc, wanted: Wanted::new(options), endpoint, entrance: Entrance::default() }
    }

    /// Asks something else of those who come from now on. Clones share it.
    pub fn ask_for(&self, options: PublishOptions) {
        self.wanted.replace(options);
    }

    /// What publishers are asked for, to be shared with other protocols.
    pub fn wanted(&self) -> Wanted {
        self.wanted.clone()
    }

    /// The same where it is decided who may publish.
    pub fn with_entrance(self, entrance: Entrance) -> Whip {
        Whip { entrance, ..self }
    }

    /// How many sessions it has begun that have not ended.
    pub fn sessions(&self) -> usize {
        self.endpoint.resources.len()
    }

    /// A router for all paths of which [`is_whip`](crate::is_whip) is true.
    ///
    /// It reads the peer's address from the extension `ConnectInfo<SocketAddr>` of a request.
    pub fn into_router(self) -> Router {
        Router::new().fallback(serve).with_state(self)
    }

    async fn answer(&self, request: Request) -> Result<Response, Refusal> {
        match self.endpoint.ask(request).await? {
            Asked::Done(response) => Ok(response),
            Asked::Session(stream, request) => self.post(stream, request).await,
            Asked::Layer(..) => Err(layer::refuse()),
        }
    }

    async fn post(&self, stream: StreamName, request: Request) -> Result<Response, Refusal> {
        let remote = remote(&request);
        let query = request.uri().query().map(str::to_owned);
        let (headers, body) = read(request).await?;
        Endpoint::check_offer(&headers)?;
        let token = bearer(&headers)?;
        let peer = peer(remote, &headers, &self.entrance);
        let session = peer.session.clone();
        let (action, query) = (Action::Publish, query.as_deref());
        let wish = Wish { action, stream: &stream, peer: &peer, headers: &headers, query, offer: &body };
        let admitted = self.entrance.admit_request(wish, address(remote)).await?;
        let offer = offer(&body).inspect_err(|refusal| admitted.fail(refusal.info()))?;
        let fragment = offer.ice_fragment().to_owned();
        let source = admitted.admission().stream.clone();
        let publication = name::take(&self.hub, &self.webrtc, &source, peer).await;
        let publication = publication.map_err(|error| {
            admitted.fail(wcs::publish_info(&error));
            refuse_name(error.as_asked(&stream))
        })?;
        let published = publication.stream().clone();
        let options = self.wanted.get();
        let accepted = self.webrtc.publish(offer, publication, options, address(remote)).await;
        let accepted = accepted.map_err(|error| {
            admitted.fail(error.to_string());
            refuse_publish(error)
        })?;
        tokio::spawn(follow(accepted.session.clone(), published, admitted));
        tracing::info!(stream = %source, session, remote = remote.map(tracing::field::display), "a WHIP session begins");
        Ok(self.endpoint.created(self.entrance.home(), (&stream, &source), &accepted, fragment, token).1)
    }
}

async fn serve(State(whip): State<Whip>, request: Request) -> Response {
    let mut response = whip.answer(request).await.unwrap_or_else(IntoResponse::into_response);
    share(&mut response);
    response
}

fn refuse_name(error: Refused) -> Refusal {
    let sentence = error.to_string();
    match error {
        Refused::NameTaken { .. } => Refusal::new(StatusCode::CONFLICT, sentence),
        _ => Refusal::new(StatusCode::SERVICE_UNAVAILABLE, sentence).retry_after(30),
    }
}

/// RFC 9725 §4.4.3: an offer that cannot be taken as a whole is refused as a whole.
fn refuse_publish(error: PublishError) -> Refusal {
    let sentence = error.to_string();
    match error {
        PublishError::Offer(error) => refuse_offer(error),
        PublishError::NotTaken(_) => Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, sentence),
        PublishError::Pending(Full::Address(_)) => {
            Refusal::new(StatusCode::TOO_MANY_REQUESTS, sentence).retry_after(10)
        }
        PublishError::Pending(Full::Total(_)) => {
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, sentence).retry_after(10)
        }
        PublishError::Full | PublishError::Stopping => {
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, sentence).retry_after(30)
        }
        _ => Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, sentence),
    }
}
