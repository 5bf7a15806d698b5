//! Two clients that note what they are told.

use headwater_media::StreamName;
use parking_lot::Mutex;
use serde_json::Value;

use crate::{ClientObject, Clients, Untold};

/// What a client was told.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Told {
    Terminated(String),
    Watched(bool),
    Data(String, Option<String>, Value),
    Event(String, Value),
}

#[derive(Default)]
pub(super) struct Noting(Mutex<Vec<Told>>);

impl Noting {
    pub(super) fn take(&self) -> Vec<Told> {
        std::mem::take(&mut self.0.lock())
    }

    fn note(&self, session: &str, told: Told) -> bool {
        let is_there = ["s1", "s2"].contains(&session);
        if is_there {
            self.0.lock().push(told);
        }
        is_there
    }
}

impl Clients for Noting {
    fn list(&self) -> Vec<ClientObject> {
        let client = |session: &str, app: &str| ClientObject {
            session_id: session.into(),
            app_key: app.into(),
            status: "ESTABLISHED",
            client_version: Some("2.0".into()),
            remote_address: Some("192.0.2.8:6000".into()),
            custom: Some(serde_json::json!({ "visitor": "anna" })),
            ..ClientObject::default()
        };
        vec![client("s1", "defaultApp"), client("s2", "shop")]
    }

    fn terminate(&self, session: &str) -> bool {
        self.note(session, Told::Terminated(session.into()))
    }

    fn watch(&self, session: &str, is_watched: bool) -> bool {
        self.note(session, Told::Watched(is_watched))
    }

    fn send(&self, session: &str, operation_id: Option<String>, payload: Value) -> Result<(), Untold> {
        if session == "choked" {
            return Err(Untold::Choked);
        }
        let told = Told::Data(session.into(), operation_id, payload);
        self.note(session, told).then_some(()).ok_or(Untold::Gone)
    }

    fn tell_stream(&self, stream: &StreamName, payload: Value) -> usize {
        self.0.lock().push(Told::Event(stream.to_string(), payload));
        1
    }
}
