//! Asks the application of each client.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use futures_util::future::join_all;
use headwater_access::{Asking, Client, Facts, Gate, Refused, Ticket, Visitor, Why};
use headwater_graph::BoxFuture;
use headwater_net::{Dialer, Reach, TlsError};
use parking_lot::Mutex;
use tokio::{sync::watch, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    application::{self, Application},
    client::Way,
    events::Delivery,
    figures::Figures,
    method::Method,
    payload,
    policy::{Mode, OnError, Policies, Policy},
    session::{Session, Stay},
    settings::Settings,
    signature::Signer,
};

/// The applications behind this server, as a gate. Cloning is cheap.
#[derive(Clone)]
pub struct Hooks(Arc<Inner>);

struct Inner {
    node: String,
    applications: Vec<Arc<Application>>,
    policy: Arc<Policy>,
    methods: Vec<Method>,
    keep_alive: Option<Duration>,
    timeout: Duration,
    figures: Arc<Figures>,
    /// Clients and uses of streams of which an application knows.
    known: Arc<watch::Sender<usize>>,
    deliveries: Mutex<Vec<Delivery>>,
    stopped: CancellationToken,
}

impl std::fmt::Debug for Hooks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hooks").field("applications", &self.0.applications.len()).finish_non_exhaustive()
    }
}

impl Hooks {
    /// The gate of these applications. Events are delivered while [`Hooks::run`] runs.
    ///
    /// # Errors
    /// The file of further certificate authorities cannot be used.
    pub fn new(settings: Settings) -> Result<Hooks, TlsError> {
        // The addresses are the operator's, who may well have the application beside the server.
        let everywhere = Reach::new(["0.0.0.0/0", "::/0"]).unwrap_or_default();
        let way = Way {
            dialer: Dialer::new(everywhere, settings.authorities.as_deref())?,
            connect_timeout: settings.connect_timeout,
            signer: settings.secret_key.map(Signer::new),
            with_wcs_hash: settings.with_wcs_hash,
        };
        let figures = Arc::new(Figures::default());
        let count = settings.applications.len();
        let made = settings.applications.iter().map(|(key, base)| {
            let (application, delivery) =
                Application::new(key, base, way.clone(), settings.timeout, count, figures.clone());
            (Arc::new(application), delivery)
        });
        let (applications, deliveries): (Vec<_>, Vec<_>) = made.unzip();
        Ok(Hooks(Arc::new(Inner {
            node: settings.node,
            applications,
            policy: Arc::new(settings.policy),
            methods: settings.methods,
            keep_alive: settings.keep_alive,
            timeout: settings.timeout,
            figures,
            known: Arc::new(watch::Sender::new(0)),
            deliveries: Mutex::new(deliveries),
            stopped: CancellationToken::new(),
        })))
    }

    /// Delivers events until [`Hooks::stop`]. To be called once.
    pub async fn run(self) {
        let deliveries: Vec<_> = std::mem::take(&mut *self.0.deliveries.lock());
        let all = join_all(deliveries.into_iter().map(Delivery::run));
        self.0.stopped.run_until_cancelled(all).await;
    }

    /// Waits until everybody has left and applications know of it, as long as one hook may take, and ends
    /// [`Hooks::run`].
    pub async fn stop(&self) {
        let all_told = async {
            let _ = self.0.known.subscribe().wait_for(|known| *known == 0).await;
            join_all(self.0.applications.iter().map(|application| application.events.delivered())).await;
        };
        if timeout(self.0.timeout, all_told).await.is_err() {
            tracing::warn!(events = self.waiting(), "the server stops before applications have taken all events");
        }
        self.0.stopped.cancel();
    }

    /// What is counted.
    pub fn figures(&self) -> &Figures {
        &self.0.figures
    }

    /// Events that wait for their application.
    pub fn waiting(&self) -> usize {
        self.0.applications.iter().map(|application| application.events.waiting()).sum()
    }
}

impl Gate for Hooks {
    fn connect<'a>(&'a self, client: &'a Client) -> BoxFuture<'a, Result<Box<dyn Visitor>, Refused>> {
        Box::pin(async move { Ok(Box::new(self.let_in(client).await?) as Box<dyn Visitor>) })
    }
}

impl Hooks {
    async fn let_in(&self, client: &Client) -> Result<Guest, Refused> {
        let hooks = &self.0;
        let application = application::find(&hooks.applications, client).ok_or_else(|| unknown_application(client))?;
        let identity = payload::identity(&hooks.node, &application.key, client);
        let session = Session::new(application.clone(), client.clone(), identity, &hooks.methods, hooks.known.clone());
        let mut guest = Guest {
            session: Arc::new(session),
            policies: Arc::new(Policies::new(hooks.policy.clone())),
            keep_alive: hooks.keep_alive,
            connection: None,
        };
        if client.is_connection {
            guest.introduce(&hooks.policy).await?;
        }
        Ok(guest)
    }
}

fn unknown_application(client: &Client) -> Refused {
    let (session, app) = (&client.peer.session, client.app_key.as_deref().unwrap_or_default());
    tracing::info!(session, app, "refused, since there is no application of this name in [hooks]");
    Refused::new(Why::Forbidden, "there is no application of this name here (appKey)")
}

/// A client that was let in.
struct Guest {
    session: Arc<Session>,
    policies: Arc<Policies>,
    keep_alive: Option<Duration>,
    /// What the application knows of its connection, if it has one.
    connection: Option<Facts>,
}

impl Guest {
    /// Asks whether the client may stay; the answer says what is to be asked later.
    async fn introduce(&mut self, rest: &Arc<Policy>) -> Result<(), Refused> {
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

impl Drop for Guest {
    fn drop(&mut self) {
        self.tell_connection("DISCONNECTED");
    }
}

impl Visitor for Guest {
    fn admit<'a>(&'a self, asking: &'a Asking) -> BoxFuture<'a, Result<Ticket, Refused>> {
        Box::pin(self.admit_stream(asking))
    }

    fn ask<'a>(&'a self, what: &'a str, facts: &'a Facts) -> BoxFuture<'a, Result<(), Refused>> {
        Box::pin(async move {
            let Some(method) = Method::find(what) else {
                return Ok(());
            };
            let mut asked = facts.clone();
            asked.extend(self.session.identity.clone());
            self.session.decide(method, self.policies.of(method), &asked).await.map(drop)
        })
    }
}

impl Guest {
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
