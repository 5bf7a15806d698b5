//! Clients that stay connected besides their streams, as those of WCS's Web SDK do.

use headwater_media::StreamName;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// A connected client. Fields that are not known are left out.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Connection)]
pub struct ClientObject {
    /// The id of its session.
    pub session_id: String,
    /// The application that its page belongs to.
    pub app_key: String,
    /// "ESTABLISHED".
    pub status: &'static str,
    /// What its page calls the version of the protocol. Chosen by the peer, as all that follows: show it as text only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_version: Option<String>,
    /// What it plays media with.
    pub media_providers: Vec<String>,
    /// What its page said of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub custom: Option<Value>,
    /// What its browser calls itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// Where it comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote_address: Option<String>,
    /// When it connected, in milliseconds since 1970-01-01 UTC.
    pub create_date: u64,
    /// "DEBUG" where each of its messages is logged, else "INFO".
    pub log_level: &'static str,
}

/// Why a client could not be told something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Untold {
    /// Nobody has that session.
    Gone,
    /// It does not take what waits for it already.
    Choked,
}

/// Clients that stay connected; whoever speaks their protocol brings it.
pub trait Clients: Send + Sync + 'static {
    /// All that are connected now.
    fn list(&self) -> Vec<ClientObject>;

    /// Ends a session with its streams. Says whether there was one.
    fn terminate(&self, session: &str) -> bool;

    /// Ends a session, as the server is about to stop, and says that the client is to come again. Says whether there was
    /// one.
    fn send_elsewhere(&self, session: &str) -> bool {
        self.terminate(session)
    }

    /// Has each message of a session logged, or no more. Says whether there is such a session.
    fn watch(&self, session: &str, is_watched: bool) -> bool;

    /// Sends data of the application to a client.
    ///
    /// # Errors
    /// It is gone or does not take it.
    fn send(&self, session: &str, operation_id: Option<String>, payload: Value) -> Result<(), Untold>;

    /// Tells the publisher and the viewers of a stream; says how many.
    fn tell_stream(&self, stream: &StreamName, payload: Value) -> usize;
}

/// No clients that stay.
pub(crate) struct NoClients;

impl Clients for NoClients {
    fn list(&self) -> Vec<ClientObject> {
        Vec::new()
    }

    fn terminate(&self, _session: &str) -> bool {
        false
    }

    fn watch(&self, _session: &str, _is_watched: bool) -> bool {
        false
    }

    fn send(&self, _session: &str, _operation_id: Option<String>, _payload: Value) -> Result<(), Untold> {
        Err(Untold::Gone)
    }

    fn tell_stream(&self, _stream: &StreamName, _payload: Value) -> usize {
        0
    }
}
