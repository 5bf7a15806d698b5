//! A client comes: it says who it is, and is let in or not.

use std::{collections::VecDeque, sync::Arc};

use headwater_access::{Refused, Visit};
use headwater_graph::BoxFuture;
use headwater_media::limits;

use super::{
    super::{
        decision,
        wire::{Connection, Reply, Request},
    },
    Session,
};

/// A client of which it is not yet decided whether it may connect.
pub(super) struct Deciding {
    connection: Connection,
    pub(super) decision: BoxFuture<'static, Result<Visit, Refused>>,
    /// What it has said meanwhile.
    said: VecDeque<Request>,
}

impl Session {
    /// Whether it is being decided if the client may connect.
    pub(in super::super) fn is_deciding(&self) -> bool {
        self.deciding.is_some()
    }

    /// Whether more is to be heard of the client now.
    pub(in super::super) fn listens(&self) -> bool {
        self.deciding.as_ref().is_none_or(|deciding| deciding.said.len() < limits::WCS_UNDECIDED.get_usize().max(1))
    }

    /// Takes the client in, and does what it has asked for meanwhile; or says why it may not come in.
    pub(in super::super) fn decide(&mut self, decision: Result<Visit, Refused>) -> Result<(), Refused> {
        let Some(deciding) = self.deciding.take() else { return Ok(()) };
        match decision {
            Ok(visit) => self.establish(deciding.connection, visit),
            Err(refused) => {
                tracing::info!(session = %self.client.id, remote = self.client.remote(), %refused, "a client is refused");
                self.complain("connect", refused.sentence.as_str());
                return Err(refused);
            }
        }
        deciding.said.into_iter().for_each(|request| self.take(request));
        Ok(())
    }

    /// Keeps what the client says until that is decided.
    pub(super) fn keep(&mut self, request: Request) {
        if let Some(deciding) = &mut self.deciding {
            deciding.said.push_back(request);
        }
    }

    /// Has it decided whether the client may connect.
    pub(super) fn ask(&mut self, connection: Connection) {
        if self.connection.is_some() {
            return self.complain("connection", "this connection has been established before");
        }
        let (entrance, address) = (self.wcs.0.entrance.clone(), self.client.address());
        let client = decision::client(&self.client, &connection);
        let decision = Box::pin(async move { entrance.connect(&client, address).await });
        self.deciding = Some(Deciding { connection, decision, said: VecDeque::new() });
    }

    fn establish(&mut self, connection: Connection, visit: Visit) {
        self.visit = Some(Arc::new(visit));
        let auth_token = self.berth.token().to_owned();
        let wants_registration = connection.wants_registration;
        tracing::info!(
            session = %self.client.id, remote = self.client.remote(), app = ?connection.app_key, "a client has connected"
        );
        let known = Arc::new(connection.clone());
        let (client, replies, line) = (self.client.clone(), self.replies.clone(), self.line.clone());
        self.present = Some(self.wcs.0.directory.enter(client, known.clone(), replies, line));
        self.connection = Some(known);
        self.say(Reply::UserData { connection: Box::new(connection), auth_token, session: self.client.id.clone() });
        if wants_registration {
            self.complain("registration", "this server does no telephony yet");
        }
    }
}
