//! Who asks, and for what.

use headwater_graph::Peer;
use headwater_media::StreamName;
use serde_json::{Map, Value};

use crate::secret::Secret;

/// Further facts, by the names that WCS gives them.
pub type Facts = Map<String, Value>;

/// What somebody brings to show who they are. Any of it may have been made up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credentials {
    /// `Authorization: Bearer` (RFC 6750 §2.1), or the same by another way.
    pub token: Option<Secret>,
    /// Name and password.
    pub user: Option<(String, Secret)>,
    /// Parameters of the address, as in `rtmp://host/live/camera?key=value`, in their order, decoded.
    pub parameters: Vec<(String, Secret)>,
}

impl Credentials {
    /// The parameters that are nobody's business who may look at what a client says of itself.
    pub const SECRET_PARAMETERS: [&str; 5] = ["token", "key", "pass", "password", "aclAuth"];

    /// The first parameter of this name.
    pub fn parameter(&self, name: &str) -> Option<&Secret> {
        self.parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }
}

/// A peer that has come, before it asks for anything.
#[derive(Clone, Debug)]
pub struct Client {
    /// Protocol, session and address.
    pub peer: Peer,
    /// The application that it names, as pages made with the WCS Web SDK do.
    pub app_key: Option<String>,
    /// What it brought when it connected.
    pub credentials: Credentials,
    /// Whether it has a connection of its own by which it may ask for several streams, as in RTMP and the session
    /// protocol. The others come with each stream anew.
    pub is_connection: bool,
    /// What else its protocol knows of it, as WCS's hook `connect` has it: `custom`, `origin`, `clientVersion`.
    pub facts: Facts,
}

impl Client {
    /// A peer that comes for one stream.
    pub fn new(peer: Peer) -> Client {
        Client { peer, app_key: None, credentials: Credentials::default(), is_connection: false, facts: Facts::new() }
    }

    /// The same with credentials.
    pub fn with_credentials(self, credentials: Credentials) -> Client {
        Client { credentials, ..self }
    }
}

/// What a peer wants to do with a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// To be its source.
    Publish,
    /// To get it.
    Play,
}

/// A wish for a stream.
#[derive(Clone, Debug)]
pub struct Asking {
    /// Publish or play.
    pub action: Action,
    /// The name asked for.
    pub stream: StreamName,
    /// The id of this one use of the stream, which clients and operators know it by.
    pub media_session: String,
    /// What came with the wish, besides what came with the connection.
    pub credentials: Credentials,
    /// What else its protocol knows of it, as in WCS's stream objects: `hasVideo`, `sdp`, `record`, `custom`.
    pub facts: Facts,
}

impl Asking {
    /// A wish of which no more is known than this.
    pub fn new(action: Action, stream: StreamName, media_session: impl Into<String>) -> Asking {
        let (credentials, facts) = Default::default();
        Asking { action, stream, media_session: media_session.into(), credentials, facts }
    }
}
