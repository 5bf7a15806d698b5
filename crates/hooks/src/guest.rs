//! A client that was let in, and its application's place for it.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use headwater_access::{Asking, Client, Facts, Refused, Ticket, Visitor};
use headwater_graph::BoxFuture;
use tokio::sync::Mutex;

use crate::{
    gate::Hooks,
    method::Method,
    payload,
    policy::{Mode, OnError, Policies, Policy},
    session::{Session, Stay},
};

/// A client that was let in.
pub(crate) struct Guest {
    hooks: Hooks,
    client: Arc<Client>,
    seat: Mutex<Option<Arc<Seat>>>,
}

impl Guest {
    pub(crate) fn new(hooks: Hooks, client: Client) -> Guest {
        Guest { hooks, client: Arc::new(client), seat: Mutex::default() }
    }

    /// Its place with its application; a new one if that is there no more, or was not when the client came. `None`
    /// where there are no applications.
    pub(crate) async fn seat(&self) -> Result<Option<Arc<Seat>>, Refused> {
        let seat = &mut *self.seat.lock().await;
        if seat.as_ref().is_none_or(|seat| seat.session.application.gone().is_cancelled()) {
            *seat = self.hooks.let_in(&self.client).await?.map(Arc::new);
        }
        Ok(seat.clone())
    }
}

impl Visitor for Guest {
    fn admit<'a>(&'a self, asking: &'a Asking) -> BoxFuture<'a, Result<Ticket, Refused>> {
        Box::pin(async move {
            match self.seat().await? {
                Some(seat) => seat.admit_stream(asking).await,
                None => Ok(Ticket::plain()),
            }
        })
    }

    fn ask<'a>(&'a self, what: &'a str, facts: &'a Facts) -> BoxFuture<'a, Result<(), Refused>> {
        Box::pin(async move {
            match (self.seat().await?, Method::find(what)) {
                (Some(seat), Some(method)) => seat.ask(method, facts).await,
                _ => Ok(()),
            }
        })
    }
}

/// A client of an application, with what holds for it.
pub(crate) struct Seat {
    session: Arc<Session>,
    policies: Arc<Policies>,
    keep_alive: Option<Duration>,
    /// What the application knows of its connection, if it has one.
    connection: Option<Facts>,
}

impl Seat {
    pub(crate) fn new(session: Session, policy: Arc<Policy>, keep_alive: Option<Duration>) -> Seat {
        let policies = Arc::new(Policies::new(policy));
        Seat { session: Arc::new(session), policies, keep_alive, connection: None }
    }

    /// Asks whether the client may stay; the answer says what is to be asked later.
    pub(crate) async fn introduce(&mut self, rest: &Arc<Policy>) -> Result<(), Refused> {
        let client = &self.session.client;
        let connection = payload::connection(&self.session.identity, client);
        let mut asked = connection.clone();
        payload::add_credentials(&mut asked, &client.credentials, &client.credentials);
        // Whether or not somebody waits for the answer still, the application may have let it in.
        self.connection = Some(connection);
        let policy = Policy { on_error: OnError::Fail, ..Policy::default() };
        match self.session.decide(Method::Connect, &policy, &asked).await {
            Ok(answer) => self.policies = Arc::new(Policies::read(&answer, rest.clone())),
            Err(refused) => {
                self.connection = None;
                return Err(refused);
            }
        }
        self.tell_connection("ESTABLISHED");
        Ok(())
    }

    fn tell_connection(&self, status: &str) {
        if let Some(connection) = &self.connection {
            let mut facts = connection.clone();
            facts.insert("status".into(), status.into());
            self.session.tell(Method::ConnectionStatusEvent, &self.policies, &facts);
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.tell_connection("DISCONNECTED");
    }
}

impl Seat {
    async fn ask(&self, method: Method, facts: &Facts) -> Result<(), Refused> {
        let mut asked = facts.clone();
        asked.extend(self.session.identity.clone());
        self.session.decide(method, self.policies.of(method), &asked).await.map(drop)
    }

    async fn admit_stream(&self, asking: &Asking) -> Result<Ticket, Refused> {
        let session = &self.session;
        let method = Method::at_begin(asking.action, session.client.peer.protocol);
        let policy = self.policies.of(method);
        let stream = payload::stream(&session.identity, &session.client, asking, SystemTime::now());
        let mut asked = stream.clone();
        payload::add_credentials(&mut asked, &asking.credentials, &session.client.credentials);
        // Made before the question, so that one who leaves while it is asked is told of as well.
        let mut stay = Stay::new(session.clone(), self.policies.clone(), asking.action, payload::without_large(stream));
        let answer = match session.decide(method, policy, &asked).await {
            Ok(answer) => answer,
            Err(refused) => {
                stay.forget();
                return Err(refused);
            }
        };
        let mut facts = match policy.mode {
            Mode::Overwrite => payload::overwritten(&asked, answer, &policy.overwritten),
            Mode::Notify | Mode::Disable => Facts::new(),
        };
        let stream = match facts.remove("name") {
            Some(name) => session.rename(method, policy, &name).inspect_err(|_| stay.forget())?,
            None => None,
        };
        stay.rename(stream.as_ref(), &facts);
        stay.keep_alive(self.keep_alive);
        Ok(Ticket { stream, facts, pass: Box::new(stay) })
    }
}
