//! Asks those who decide about publishers and players, and says what a client brings to be let in.

use headwater_access::{Action, Admission, Admitted, Asking, Client, Refused, Visit, Why};
use headwater_graph::{Peer, Stream, StreamState};
use headwater_media::limits;

use crate::{address::Address, context::Context, error::RtmpError, wire::server::ConnectRequest};

impl Context {
    /// A client has connected.
    pub(crate) async fn connect(&self, client: &Client) -> Result<Visit, Refused> {
        self.decided(self.gates().connect(client)).await
    }

    /// A client that has connected wants to publish or to play.
    pub(crate) async fn admit(&self, visit: &Visit, asking: Asking) -> Result<Admission, Refused> {
        self.decided(visit.admit(asking)).await
    }

    /// A viewer asks for one stream by HTTP-FLV, and has no connection besides.
    ///
    /// # Errors
    /// It may not have the stream, or nobody has decided in time.
    pub async fn admit_viewer(&self, client: &Client, asking: Asking) -> Result<Admitted, Refused> {
        self.decided(self.gates().admit(client, asking)).await.map(Admitted::new)
    }

    async fn decided<T>(&self, decision: impl Future<Output = Result<T, Refused>>) -> Result<T, Refused> {
        let late =
            |_| Refused::new(Why::Unavailable, "it was not decided in time whether this may be; try again later");
        self.within_limit(&limits::GATE_MS, "whoever decides did not answer", decision)
            .await
            .unwrap_or_else(|error| Err(late(error)))
    }
}

/// Who connects: its credentials are the parameters of the address up to the application.
pub(crate) fn client(peer: &Peer, request: &ConnectRequest) -> Client {
    let credentials = request.credentials();
    let client = Client { app_key: credentials.app_key(), is_connection: true, ..Client::new(peer.clone()) };
    client.with_credentials(credentials)
}

/// What it wants: its credentials are the parameters of the key.
pub(crate) fn asking(action: Action, address: Address, peer: &Peer) -> Asking {
    Asking { credentials: address.credentials, ..Asking::new(action, address.name, peer.session.as_str()) }
}

/// Tells the gates of a publisher as soon as viewers may join.
pub(crate) fn tell_when_live(admitted: &Admitted, stream: &Stream) {
    if !admitted.flows() && stream.state() == StreamState::Live {
        admitted.flow(stream);
    }
}

/// Why a player was told to go, in the words of WCS where it has any.
pub(crate) fn info_of_end(stream: &Stream, reason: &str) -> String {
    let by_publisher = stream.state() == StreamState::Ended && reason != TERMINATED;
    if by_publisher { "Stopped by publisher stop".to_owned() } else { reason.to_owned() }
}

/// What operators' order to stop a stream says.
const TERMINATED: &str = "Stopped by rest /terminate";

/// Tells the gates how it has ended, where that was not by the client's will.
pub(crate) fn tell_end<T>(admitted: &Admitted, result: &Result<T, RtmpError>) {
    match result {
        Err(RtmpError::Io(_) | RtmpError::Closed(_)) => admitted.disconnect(),
        Err(error) => admitted.fail(error.info()),
        Ok(_) => {}
    }
}
