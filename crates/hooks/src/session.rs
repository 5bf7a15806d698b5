//! A client of an application, and its uses of streams.

use std::{sync::Arc, time::Duration};

use headwater_access::{Action, Change, Client, Facts, Pass, Refused};
use headwater_graph::BoxFuture;
use headwater_media::{StreamName, limits};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::{Semaphore, watch};

use crate::{
    application::Application,
    error::HookError,
    figures::Outcome,
    keep_alive::KeepAlive,
    method::Method,
    payload,
    policy::{Mode, OnError, Policies, Policy},
};

/// A client of an application.
pub(crate) struct Session {
    pub(crate) application: Arc<Application>,
    pub(crate) client: Arc<Client>,
    pub(crate) id: Arc<str>,
    /// The fields of each of its hooks.
    pub(crate) identity: Facts,
    methods: Vec<Method>,
    turns: Semaphore,
    known: Arc<watch::Sender<usize>>,
}

impl Session {
    pub(crate) fn new(
        application: Arc<Application>,
        client: Arc<Client>,
        identity: Facts,
        methods: &[Method],
        known: Arc<watch::Sender<usize>>,
    ) -> Session {
        known.send_modify(|known| *known += 1);
        Session {
            application,
            id: client.peer.session.as_str().into(),
            client,
            identity,
            methods: methods.to_vec(),
            turns: Semaphore::new(limits::HOOK_DECISIONS_PER_SESSION.get_usize()),
            known,
        }
    }

    /// Whether the application is to be asked, or told, this.
    pub(crate) fn sends(&self, method: Method, policy: &Policy) -> bool {
        policy.mode != Mode::Disable && (self.methods.is_empty() || self.methods.contains(&method))
    }

    /// Asks the application; what it answers, or nothing where it need not agree.
    pub(crate) async fn decide(&self, method: Method, policy: &Policy, facts: &Facts) -> Result<Facts, Refused> {
        if !self.sends(method, policy) {
            return Ok(Facts::new());
        }
        let body = payload::body(facts, &policy.excluded);
        match self.application.decide(&self.id, &self.turns, method, body).await {
            Ok(answer) => Ok(answer),
            Err(error) => self.judge(method, policy, &error).map(|()| Facts::new()),
        }
    }

    /// Tells the application, now or later.
    pub(crate) fn tell(&self, method: Method, policies: &Policies, facts: &Facts) {
        let policy = policies.of(method);
        if self.sends(method, policy) && !self.application.gone().is_cancelled() {
            self.application.events.push(method, &self.id, payload::body(facts, &policy.excluded));
        }
    }

    /// The name that an answer puts in place of the one asked for.
    pub(crate) fn rename(&self, method: Method, policy: &Policy, name: &Value) -> Result<Option<StreamName>, Refused> {
        let read = name.as_str().ok_or_else(|| "it is no text".to_owned());
        match read.and_then(|name| StreamName::new(name).map_err(|error| error.to_string())) {
            Ok(name) => Ok(Some(name)),
            Err(reason) => {
                self.application.figures.count(method, Outcome::Failed);
                self.judge(method, policy, &HookError::BadName(reason)).map(|()| None)
            }
        }
    }

    /// One line for what went wrong, and whether it matters.
    fn judge(&self, method: Method, policy: &Policy, error: &HookError) -> Result<(), Refused> {
        let (session, app, hook) = (&*self.id, &self.application.key, method.name());
        if policy.on_error == OnError::Log {
            tracing::warn!(session, app, hook, %error, "the application did not agree, and need not");
            return Ok(());
        }
        match error {
            HookError::Status(401 | 403 | 429) => {
                tracing::info!(session, app, hook, %error, "refused by the application");
            }
            _ => tracing::warn!(session, app, hook, %error, "refused, since the application could not be asked"),
        }
        Err(error.refused())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.known.send_modify(|known| *known = known.saturating_sub(1));
    }
}

/// A use of a stream that the application knows of.
pub(crate) struct Stay {
    session: Arc<Session>,
    policies: Arc<Policies>,
    action: Action,
    stream: Facts,
    /// The same as it was told of last.
    newest: Arc<Mutex<Facts>>,
    keep_alive: Option<KeepAlive>,
    is_known: bool,
}

impl Stay {
    pub(crate) fn new(session: Arc<Session>, policies: Arc<Policies>, action: Action, stream: Facts) -> Stay {
        let newest = Arc::new(Mutex::new(stream.clone()));
        Stay { session, policies, action, stream, newest, keep_alive: None, is_known: true }
    }

    /// The application has refused it, and needs to hear no more of it.
    pub(crate) fn forget(&mut self) {
        self.is_known = false;
    }

    /// Events have the fields as the application changed them.
    pub(crate) fn rename(&mut self, name: Option<&StreamName>, facts: &Facts) {
        self.stream.extend(payload::without_large(facts.clone()));
        if let Some(name) = name {
            self.stream.insert("name".into(), name.as_str().into());
        }
        *self.newest.lock() = self.stream.clone();
    }

    /// Begins to ask whether it may go on.
    pub(crate) fn keep_alive(&mut self, interval: Option<Duration>) {
        let policy = self.policies.of(Method::StreamKeepAliveEvent);
        let interval = interval.filter(|_| self.session.sends(Method::StreamKeepAliveEvent, policy));
        self.keep_alive = interval.map(|interval| {
            KeepAlive::start(self.session.clone(), self.policies.clone(), self.newest.clone(), interval)
        });
    }
}

impl Pass for Stay {
    fn tell(&self, change: &Change) {
        let facts = payload::status(&self.stream, change);
        self.session.tell(Method::StreamStatusEvent, &self.policies, &facts);
        *self.newest.lock() = facts;
    }

    fn revoked(&self) -> BoxFuture<'_, Refused> {
        match &self.keep_alive {
            Some(keep_alive) => Box::pin(keep_alive.refused()),
            None => Box::pin(std::future::pending()),
        }
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        if !self.is_known {
            return;
        }
        let mut facts = std::mem::take(&mut *self.newest.lock());
        let status = if self.action == Action::Publish { "UNPUBLISHED" } else { "STOPPED" };
        facts.insert("status".into(), status.into());
        self.session.tell(Method::at_end(self.action), &self.policies, &facts);
    }
}
