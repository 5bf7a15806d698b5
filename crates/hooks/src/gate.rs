//! Asks the application of each client.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use futures_util::{StreamExt, future::join_all, stream::FuturesUnordered};
use headwater_access::{Client, Gate, Refused, Visitor, Why};
use headwater_graph::BoxFuture;
use headwater_net::{Dialer, Reach, TlsError};
use parking_lot::Mutex;
use tokio::{
    sync::{mpsc, watch},
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::{
    application::{self, Application, Terms},
    client::Way,
    events::Delivery,
    figures::Figures,
    guest::{Guest, Seat},
    method::Method,
    payload,
    policy::Policy,
    session::Session,
    settings::Settings,
    signature::Signer,
};

/// The applications behind this server, as a gate. Clones share them.
///
/// They may be others later: [`Hooks::replace`]. Where there are none, everybody is let in.
#[derive(Clone)]
pub struct Hooks(Arc<Inner>);

struct Inner {
    in_force: ArcSwap<InForce>,
    figures: Arc<Figures>,
    /// Clients and uses of streams of which an application knows.
    known: Arc<watch::Sender<usize>>,
    /// The deliveries of new applications on their way to [`Hooks::run`].
    begun: mpsc::UnboundedSender<Delivery>,
    to_run: Mutex<Option<mpsc::UnboundedReceiver<Delivery>>>,
    stopped: CancellationToken,
}

/// What holds for those who come.
struct InForce {
    node: String,
    applications: Vec<Arc<Application>>,
    policy: Arc<Policy>,
    methods: Vec<Method>,
    keep_alive: Option<Duration>,
    timeout: Duration,
}

/// Applications that can be put in force.
pub struct Successor {
    settings: Settings,
    dialer: Dialer,
}

impl std::fmt::Debug for Successor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Successor").field("applications", &self.settings.applications.len()).finish_non_exhaustive()
    }
}

impl Successor {
    /// These applications.
    ///
    /// # Errors
    /// The file of further certificate authorities cannot be used.
    pub fn new(settings: Settings) -> Result<Successor, TlsError> {
        // The addresses are the operator's, who may well have the application beside the server.
        let everywhere = Reach::new(["0.0.0.0/0", "::/0"]).unwrap_or_default();
        let dialer = Dialer::new(everywhere, settings.authorities.as_deref())?;
        Ok(Successor { settings, dialer })
    }
}

impl std::fmt::Debug for Hooks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let applications = self.0.in_force.load().applications.len();
        f.debug_struct("Hooks").field("applications", &applications).finish_non_exhaustive()
    }
}

impl Hooks {
    /// The gate of these applications. Events are delivered while [`Hooks::run`] runs.
    ///
    /// # Errors
    /// The file of further certificate authorities cannot be used.
    pub fn new(settings: Settings) -> Result<Hooks, TlsError> {
        let (begun, to_run) = mpsc::unbounded_channel();
        let hooks = Hooks(Arc::new(Inner {
            in_force: ArcSwap::from_pointee(InForce::nobody()),
            figures: Arc::default(),
            known: Arc::new(watch::Sender::new(0)),
            begun,
            to_run: Mutex::new(Some(to_run)),
            stopped: CancellationToken::new(),
        }));
        hooks.replace(Successor::new(settings)?);
        Ok(hooks)
    }

    /// Puts these applications in force for all who come from now on.
    ///
    /// An application that was there before under the same key keeps its clients, and the events that wait for it; how
    /// it is reached changes for them, too. One that is no more is asked and told nothing; its streams go on, and its
    /// clients are clients of those in force as soon as they want something.
    pub fn replace(&self, successor: Successor) {
        let Successor { settings, dialer } = successor;
        let way = Way {
            dialer,
            connect_timeout: settings.connect_timeout,
            signer: settings.secret_key.map(Signer::new),
            with_wcs_hash: settings.with_wcs_hash,
        };
        let before = self.0.in_force.load_full();
        let count = settings.applications.len();
        let of = |(key, base): &(String, Url)| {
            let terms = Terms::new(base, way.clone(), settings.timeout, count);
            match before.applications.iter().find(|known| known.key == *key) {
                Some(known) => {
                    known.take_up(terms);
                    known.clone()
                }
                None => self.begin(key, terms),
            }
        };
        let applications: Vec<_> = settings.applications.iter().map(of).collect();
        let is_gone = |known: &&Arc<Application>| !applications.iter().any(|kept| Arc::ptr_eq(kept, known));
        before.applications.iter().filter(is_gone).for_each(|known| known.leave());
        self.0.in_force.store(Arc::new(InForce {
            node: settings.node,
            applications,
            policy: Arc::new(settings.policy),
            methods: settings.methods,
            keep_alive: settings.keep_alive,
            timeout: settings.timeout,
        }));
    }

    fn begin(&self, key: &str, terms: Terms) -> Arc<Application> {
        let (application, delivery) = Application::new(key, terms, self.0.figures.clone());
        // After the stop nobody delivers any more.
        let _ = self.0.begun.send(delivery);
        Arc::new(application)
    }

    /// Delivers events until [`Hooks::stop`]. To be called once.
    pub async fn run(self) {
        let Some(mut begun) = self.0.to_run.lock().take() else {
            return;
        };
        let mut deliveries = FuturesUnordered::new();
        let deliver = async {
            loop {
                tokio::select! {
                    Some(delivery) = begun.recv() => deliveries.push(delivery.run()),
                    Some(()) = deliveries.next() => {}
                    else => return,
                }
            }
        };
        self.0.stopped.run_until_cancelled(deliver).await;
    }

    /// Waits until everybody has left and applications know of it, as long as one hook may take, and ends
    /// [`Hooks::run`].
    pub async fn stop(&self) {
        let in_force = self.0.in_force.load_full();
        let all_told = async {
            let _ = self.0.known.subscribe().wait_for(|known| *known == 0).await;
            join_all(in_force.applications.iter().map(|application| application.events.delivered())).await;
        };
        if timeout(in_force.timeout, all_told).await.is_err() {
            tracing::warn!(events = self.waiting(), "the server stops before applications have taken all events");
        }
        self.0.stopped.cancel();
    }

    /// Whether there is any application.
    pub fn has_applications(&self) -> bool {
        !self.0.in_force.load().applications.is_empty()
    }

    /// What is counted.
    pub fn figures(&self) -> &Figures {
        &self.0.figures
    }

    /// Events that wait for their application.
    pub fn waiting(&self) -> usize {
        self.0.in_force.load().applications.iter().map(|application| application.events.waiting()).sum()
    }
}

impl InForce {
    fn nobody() -> InForce {
        InForce {
            node: String::new(),
            applications: Vec::new(),
            policy: Arc::default(),
            methods: Vec::new(),
            keep_alive: None,
            timeout: Duration::ZERO,
        }
    }
}

impl Gate for Hooks {
    fn connect<'a>(&'a self, client: &'a Client) -> BoxFuture<'a, Result<Box<dyn Visitor>, Refused>> {
        Box::pin(async move {
            let guest = Guest::new(self.clone(), client.clone());
            guest.seat().await?;
            Ok(Box::new(guest) as Box<dyn Visitor>)
        })
    }
}

impl Hooks {
    /// Introduces a client to its application; `None` where there is none for anybody.
    pub(crate) async fn let_in(&self, client: &Arc<Client>) -> Result<Option<Seat>, Refused> {
        let in_force = self.0.in_force.load_full();
        if in_force.applications.is_empty() {
            return Ok(None);
        }
        let application =
            application::find(&in_force.applications, client).ok_or_else(|| unknown_application(client))?;
        let identity = payload::identity(&in_force.node, &application.key, client);
        let (methods, known) = (&in_force.methods, self.0.known.clone());
        let session = Session::new(application.clone(), client.clone(), identity, methods, known);
        let mut seat = Seat::new(session, in_force.policy.clone(), in_force.keep_alive);
        if client.is_connection {
            seat.introduce(&in_force.policy).await?;
        }
        Ok(Some(seat))
    }
}

fn unknown_application(client: &Client) -> Refused {
    let (session, app) = (&client.peer.session, client.app_key.as_deref().unwrap_or_default());
    tracing::info!(session, app, "refused, since there is no application of this name in [hooks]");
    Refused::new(Why::Forbidden, "there is no application of this name here (appKey)")
}
