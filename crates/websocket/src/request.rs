//! From an HTTP request to a viewer.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::{
    extract::{ConnectInfo, Request, State},
    response::{IntoResponse, Response},
};
use headwater_access::{Action, Admitted, Asking, Client, Credentials};
use headwater_graph::{Peer, Subscription};
use headwater_media::StreamName;
use http::{HeaderMap, StatusCode, header};
use tokio::time::timeout;

use crate::{
    Accept, Audience, Protocol, Terms, Trouble,
    session::{START_TIME, converse},
    upgrade,
};

/// Answers a request, and talks to the viewer from then on.
pub(crate) async fn serve<P: Protocol>(State(protocol): State<P>, mut request: Request) -> Response {
    let name = request.uri().path().strip_prefix(P::TERMS.path).unwrap_or_default();
    let name = match StreamName::new(name) {
        Ok(name) => name,
        Err(error) => return (StatusCode::BAD_REQUEST, format!("{error}.\n")).into_response(),
    };
    let remote = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0);
    let visitor = Visitor::new(&P::TERMS, name, remote, request.headers(), request.uri().query());
    let (response, socket) = match upgrade(&mut request) {
        Ok(upgraded) => upgraded,
        Err(refused) => return refused.into_response(),
    };
    let tasks = protocol.audience().tasks().clone();
    tasks.spawn(async move {
        match socket.await {
            Some(socket) => converse(protocol, socket, visitor).await,
            None => tracing::debug!(session = visitor.session(), "a WebSocket has not begun"),
        }
    });
    response
}

/// Who asks to watch, and what it asked for.
#[derive(Debug)]
pub struct Visitor {
    asked: StreamName,
    accept: Accept,
    peer: Peer,
    client: Client,
    address: IpAddr,
    protocol: &'static str,
}

impl Visitor {
    /// One who asks for a stream by a protocol, from `remote`.
    pub fn new(
        terms: &Terms,
        asked: StreamName,
        remote: Option<SocketAddr>,
        headers: &HeaderMap,
        query: Option<&str>,
    ) -> Visitor {
        let text = |name| headers.get(name).and_then(|value: &http::HeaderValue| value.to_str().ok());
        let mut peer = Peer::new(terms.name, format!("{}-{:016x}", terms.session, rand::random::<u64>()));
        if let Some(remote) = remote {
            peer = peer.with_remote(remote);
        }
        if let Some(user_agent) = text(header::USER_AGENT) {
            peer = peer.with_user_agent(user_agent);
        }
        let credentials = Credentials::of_request(headers, query);
        let mut client = Client { app_key: credentials.app_key(), ..Client::new(peer.clone()) };
        if let Some(origin) = text(header::ORIGIN) {
            client.facts.insert("origin".to_owned(), origin.into());
        }
        Visitor {
            asked,
            accept: Accept::of_query(query, terms.codecs),
            peer,
            client: client.with_credentials(credentials),
            address: remote.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |remote| remote.ip()),
            protocol: terms.name,
        }
    }

    pub(crate) fn session(&self) -> &str {
        &self.peer.session
    }

    pub(crate) fn remote(&self) -> Option<SocketAddr> {
        self.peer.remote
    }

    pub(crate) fn accept(&self) -> Accept {
        self.accept.clone()
    }

    /// Asks whether it may watch.
    pub(crate) async fn admit(&self, audience: &Audience) -> Result<Admitted, Trouble> {
        let mut asking = Asking::new(Action::Play, self.asked.clone(), self.session());
        asking.facts.insert("mediaProvider".to_owned(), self.protocol.into());
        let admitted = audience.admit(&self.client, asking, self.address).await;
        admitted.map_err(|refused| {
            let (protocol, session) = (self.protocol, self.session());
            tracing::info!(protocol, stream = %self.asked, session, %refused, "a viewer is refused");
            refused.into()
        })
    }

    /// Subscribes to the stream that it was admitted to.
    pub(crate) async fn subscribe(&self, audience: &Audience, name: &StreamName) -> Result<Subscription, Trouble> {
        let subscribed = timeout(START_TIME, audience.hub().subscribe(name, self.peer.clone())).await;
        let subscribed = subscribed.map_err(|_| Trouble::not_ready())?;
        subscribed.map_err(|error| Trouble::of_subscribing(error, &self.asked))
    }
}
