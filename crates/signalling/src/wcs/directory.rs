//! Who is connected by the session protocol, for operators: to be listed, spoken to and sent away.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::SystemTime,
};

use headwater_media::limits;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{
    session::Client,
    wire::{Connection, Reply},
};

/// A client that has said who it is, as operators see it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Connected {
    /// The id of its session.
    pub session: String,
    /// The application that its page belongs to.
    pub app_key: String,
    /// What its page calls the version of the protocol. Chosen by the peer, as all that follows but the times.
    pub client_version: Option<String>,
    /// What it plays media with.
    pub media_providers: Vec<String>,
    /// What its browser calls itself.
    pub user_agent: Option<String>,
    /// What its page said of it.
    pub custom: Option<Value>,
    /// Where it comes from.
    pub remote: Option<SocketAddr>,
    /// Since when.
    pub since: SystemTime,
    /// Whether each of its messages is logged.
    pub is_watched: bool,
}

/// Why a client could not be told something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Untold {
    /// Nobody has that session.
    #[error("there is no such session")]
    Gone,
    /// The limit `WCS_QUEUE`.
    #[error("the client does not take what waits for it already")]
    Choked,
}

/// All who are connected. Cloning is cheap.
#[derive(Clone, Debug, Default)]
pub(super) struct Directory(Arc<Mutex<BTreeMap<String, Arc<Entry>>>>);

#[derive(Debug)]
struct Entry {
    client: Arc<Client>,
    connection: Arc<Connection>,
    since: SystemTime,
    replies: mpsc::Sender<Reply>,
    line: Line,
}

/// What operators order one connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    /// Cancelled when it is to end.
    pub(super) dismissed: CancellationToken,
    /// The same where it is to come again, and will find itself at another server.
    pub(super) moved: CancellationToken,
    is_watched: Arc<AtomicBool>,
}

impl Line {
    /// Whether each message is to be logged.
    pub(super) fn is_watched(&self) -> bool {
        self.is_watched.load(Relaxed)
    }
}

/// A client's place in the directory; it leaves with this.
#[derive(Debug)]
pub(super) struct Present {
    directory: Directory,
    session: String,
}

impl Directory {
    pub(super) fn enter(
        &self,
        client: Arc<Client>,
        connection: Arc<Connection>,
        replies: mpsc::Sender<Reply>,
        line: Line,
    ) -> Present {
        let session = client.id.clone();
        let entry = Entry { client, connection, since: SystemTime::now(), replies, line };
        self.0.lock().insert(session.clone(), Arc::new(entry));
        Present { directory: self.clone(), session }
    }

    pub(super) fn list(&self) -> Vec<Connected> {
        self.0.lock().values().map(|entry| entry.facts()).collect()
    }

    pub(super) fn dismiss(&self, session: &str) -> bool {
        self.find(session).inspect(|entry| entry.line.dismissed.cancel()).is_some()
    }

    pub(super) fn send_elsewhere(&self, session: &str) -> bool {
        self.find(session).inspect(|entry| entry.line.moved.cancel()).is_some()
    }

    pub(super) fn watch(&self, session: &str, is_watched: bool) -> bool {
        self.find(session).inspect(|entry| entry.line.is_watched.store(is_watched, Relaxed)).is_some()
    }

    pub(super) fn send(&self, session: &str, operation_id: Option<String>, payload: Value) -> Result<(), Untold> {
        let entry = self.find(session).ok_or(Untold::Gone)?;
        entry.replies.try_send(Reply::Data { operation_id, payload }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => {
                limits::WCS_QUEUE.hit();
                Untold::Choked
            }
            mpsc::error::TrySendError::Closed(_) => Untold::Gone,
        })
    }

    fn find(&self, session: &str) -> Option<Arc<Entry>> {
        self.0.lock().get(session).cloned()
    }
}

impl Entry {
    fn facts(&self) -> Connected {
        Connected {
            session: self.client.id.clone(),
            app_key: self.connection.app_key.clone(),
            client_version: self.connection.client_version.clone(),
            media_providers: self.connection.media_providers.clone(),
            user_agent: self.client.user_agent.clone(),
            custom: self.connection.custom.clone(),
            remote: self.client.remote,
            since: self.since,
            is_watched: self.line.is_watched(),
        }
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        self.directory.0.lock().remove(&self.session);
    }
}
