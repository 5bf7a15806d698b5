//! Asks those who decide about publishers and viewers, within their time and for so many at once; and keeps them up
//! to date.

use std::{net::IpAddr, sync::Arc};

use headwater_access::{Action, Admission, Admitted, Asking, Client, Credentials, Facts, Gates, Refused, Visit, Why};
use headwater_graph::{Peer, Stream};
use headwater_media::{StreamName, limits};
use headwater_net::{Quota, Refused as Full};
use headwater_webrtc::{Ended, Session};
use http::{HeaderMap, StatusCode};
use tokio::time::timeout;

use crate::{reply::Refusal, wcs};

/// Those who decide, and how many wait for them. Clones share the count.
#[derive(Clone, Debug)]
pub struct Entrance {
    gates: Gates,
    waiting: Quota,
}

impl Default for Entrance {
    fn default() -> Entrance {
        Entrance::new(Gates::default())
    }
}

impl Entrance {
    /// Where these decide.
    pub fn new(gates: Gates) -> Entrance {
        Entrance { gates, waiting: Quota::new(&limits::GATE_WAITING, &limits::GATE_WAITING_PER_ADDRESS) }
    }

    /// The server that a request comes from, where it is one that works together with this one.
    pub(crate) fn recognise(&self, headers: &HeaderMap) -> Option<String> {
        self.gates.recognise(headers)
    }

    /// What the addresses of sessions begin with.
    pub(crate) fn home(&self) -> &str {
        self.gates.home()
    }

    /// A client has come who may ask for several streams.
    pub(crate) async fn connect(&self, client: &Client, address: IpAddr) -> Result<Visit, Refused> {
        self.decided(address, self.gates.connect(client)).await
    }

    /// Such a client asks for a stream.
    pub(crate) async fn admit(&self, visit: &Visit, asking: Asking, address: IpAddr) -> Result<Admission, Refused> {
        self.decided(address, visit.admit(asking)).await
    }

    /// A client has something to tell the application.
    pub(crate) async fn tell(&self, visit: &Visit, facts: &Facts, address: IpAddr) -> Result<(), Refused> {
        self.decided(address, visit.ask("OnDataEvent", facts)).await
    }

    /// Somebody asks over HTTP for one stream.
    pub(crate) async fn admit_request(&self, wish: Wish<'_>, address: IpAddr) -> Result<Admitted, Refusal> {
        let (client, asking) = (wish.client(), wish.asking());
        let session = wish.peer.session.clone();
        let admitted = self.decided(address, self.gates.admit(&client, asking)).await;
        admitted.map(Admitted::new).map_err(|refused| {
            tracing::info!(stream = %wish.stream, session, action = ?wish.action, %refused, "a peer is refused");
            match elsewhere(&wish, &refused) {
                Some(location) => Refusal::new(StatusCode::TEMPORARY_REDIRECT, refused.sentence).at(location),
                None => refusal(refused),
            }
        })
    }

    async fn decided<T>(
        &self,
        address: IpAddr,
        decision: impl Future<Output = Result<T, Refused>>,
    ) -> Result<T, Refused> {
        let _waiting = self.waiting.admit(address).map_err(|full| {
            let why = if matches!(full, Full::Address(_)) { Why::TooMany } else { Why::Unavailable };
            Refused::new(why, format!("{full}; try again later"))
        })?;
        timeout(limits::GATE_MS.get_duration(), decision).await.unwrap_or_else(|_| {
            limits::GATE_MS.hit();
            let sentence = "it was not decided in time whether this may be; try again later";
            Err(Refused::new(Why::Unavailable, sentence))
        })
    }
}

/// What somebody asks for over HTTP.
pub(crate) struct Wish<'a> {
    pub(crate) action: Action,
    pub(crate) stream: &'a StreamName,
    pub(crate) peer: &'a Peer,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) query: Option<&'a str>,
    pub(crate) offer: &'a str,
}

/// Where the same is had for the asking, of a server that takes nobody any more (RFC 9725 §4.5). What the peer shows in
/// the address goes with it.
fn elsewhere(wish: &Wish<'_>, refused: &Refused) -> Option<String> {
    let (server, action) = (refused.instead(wish.action)?, if wish.action == Action::Play { "whep" } else { "whip" });
    let base = server.strip_prefix("ws").map(|rest| format!("http{rest}"))?;
    let query = wish.query.map(|query| format!("?{query}")).unwrap_or_default();
    Some(format!("{}/{}/{action}{query}", base.trim_end_matches('/'), wish.stream))
}

impl Wish<'_> {
    fn client(&self) -> Client {
        let credentials = Credentials::of_request(self.headers, self.query);
        let mut client = Client { app_key: credentials.app_key(), ..Client::new(self.peer.clone()) };
        if let Some(origin) = self.headers.get(http::header::ORIGIN).and_then(|origin| origin.to_str().ok()) {
            client.facts.insert("origin".to_owned(), origin.into());
        }
        client.with_credentials(credentials)
    }

    fn asking(&self) -> Asking {
        let mut asking = Asking::new(self.action, self.stream.clone(), self.peer.session.as_str());
        asking.facts = offer_facts(self.offer);
        asking
    }
}

/// What an offer says of the stream that it is for.
pub(crate) fn offer_facts(offer: &str) -> Facts {
    let has = |media: &str| offer.lines().any(|line| line.starts_with(media));
    let facts = [
        ("hasVideo", has("m=video").into()),
        ("hasAudio", has("m=audio").into()),
        ("mediaProvider", "WebRTC".into()),
        ("sdp", offer.into()),
    ];
    facts.map(|(name, value)| (name.to_owned(), value)).into_iter().collect()
}

/// RFC 9110 §15.5.2, §15.5.4; RFC 6585 §4.
fn refusal(refused: Refused) -> Refusal {
    let with = |status| Refusal::new(status, refused.sentence);
    match refused.why {
        Why::Unknown => with(StatusCode::UNAUTHORIZED),
        Why::TooMany => with(StatusCode::TOO_MANY_REQUESTS).retry_after(5),
        Why::Unavailable => with(StatusCode::SERVICE_UNAVAILABLE).retry_after(5),
        _ => with(StatusCode::FORBIDDEN),
    }
}

/// Follows a session to its end: tells the gates what becomes of it, and ends it when they take their leave back.
pub(crate) async fn follow(session: Session, stream: Arc<Stream>, admitted: Admitted) {
    let mut revoked = std::pin::pin!(admitted.revoked());
    let mut has_begun = false;
    let ended = loop {
        tokio::select! {
            ended = session.ended() => break ended,
            flows = session.flowing(), if !has_begun => {
                has_begun = true;
                if flows {
                    admitted.flow(&stream);
                }
            }
            refused = &mut revoked => {
                tracing::info!(stream = %stream.name(), %refused, "the leave for a session has been taken back");
                session.end().await;
                session.ended().await;
                return admitted.fail(refused.sentence);
            }
        }
    };
    let published = admitted.admission().action == Action::Publish;
    if !matches!(ended, Ended::Deleted | Ended::PeerLeft) {
        admitted.fail(wcs::info(&ended, published));
    }
}
