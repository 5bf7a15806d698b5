//! One client's life: handshake and connect within their time, then publish or play, then the end.

mod play;
mod publish;
mod travel;

use std::{net::SocketAddr, sync::Arc};

use headwater_access::{Action, Admitted, Refused, Visit, Why};
use headwater_graph::Peer;
use headwater_media::{
    StreamName,
    limits::{self, Limit},
};
use headwater_net::Connection;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

use crate::{
    access,
    address::Address,
    context::{Arriving, Context, Present},
    convoy::Outlet,
    error::RtmpError,
    shared_tcp::SharedTcp,
    transport::Transport,
    wire::server::{ConnectRequest, Conversation, Event, Stage},
};

/// How to share a connection, so that someone else may write to it.
type Sharing<S> = fn(&S) -> Arc<dyn Outlet>;

/// A client's session.
pub(crate) struct Session<S> {
    context: Context,
    transport: Transport<S>,
    /// Another way to write to the client, where the connection can be shared: plain TCP.
    outlet: Option<Sharing<S>>,
    /// Counts it among those who have not yet said what they want.
    arriving: Option<Arriving>,
    conversation: Conversation,
    request: ConnectRequest,
    peer: Peer,
    /// Given by those who decide, for as long as the client is connected.
    visit: Option<Arc<Visit>>,
    shutdown: CancellationToken,
}

/// How a part of a session came to its end, without an error.
enum Left {
    /// The client may publish or play again.
    Stays,
    /// The connection is closed.
    Gone,
}

/// Serves one client over any byte stream, TLS included, until it leaves, breaks the protocol, or `shutdown`.
///
/// # Errors
/// Why the session ended, other than by leave-taking.
pub async fn handle_connection<S>(
    io: S,
    remote: Option<SocketAddr>,
    context: &Context,
    shutdown: &CancellationToken,
) -> Result<(), RtmpError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let arriving = context.arriving().inspect_err(|error| context.counters().count_error(error))?;
    begin(io, None, arriving, remote, context, shutdown).await
}

/// The same as [`handle_connection`] over plain TCP: players in step are written to together.
pub(crate) async fn handle_tcp(
    connection: Connection,
    arriving: Arriving,
    context: &Context,
    shutdown: &CancellationToken,
) -> Result<(), RtmpError> {
    let remote = Some(connection.remote());
    begin(SharedTcp::new(connection), Some(SharedTcp::outlet), arriving, remote, context, shutdown).await
}

/// The same as [`handle_connection`] for someone who has been counted as arriving.
pub(crate) async fn begin<S>(
    io: S,
    outlet: Option<Sharing<S>>,
    arriving: Arriving,
    remote: Option<SocketAddr>,
    context: &Context,
    shutdown: &CancellationToken,
) -> Result<(), RtmpError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let _open = Present::new(&context.counters().connections);
    let mut peer = Peer::new("RTMP", context.session_id("rtmp"));
    if let Some(remote) = remote {
        peer = peer.with_remote(remote);
    }
    let mut session = Session {
        transport: Transport::new(io, context.clone()),
        outlet,
        arriving: Some(arriving),
        conversation: Conversation::new(context.config().chunk_size(), rand::random()),
        request: ConnectRequest::default(),
        context: context.clone(),
        peer,
        visit: None,
        shutdown: shutdown.clone(),
    };
    let result = session.run().await;
    // After a defect nobody knows which bytes the client has.
    if !matches!(result, Err(RtmpError::Io(_) | RtmpError::Panicked)) {
        // The last word, above all the reason of a refusal.
        if session.transport.send(session.conversation.output()).await.is_ok() {
            session.transport.close().await;
        }
    }
    session.report(&result);
    result
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Session<S> {
    async fn run(&mut self) -> Result<(), RtmpError> {
        loop {
            let left = match self.negotiate().await? {
                Some(Event::Publish { key }) => self.publish(&key).await?,
                Some(Event::Play { key }) => self.play(&key).await?,
                Some(_) => Left::Stays,
                None => Left::Gone,
            };
            if let Left::Gone = left {
                return Ok(());
            }
        }
    }

    /// Comes as far as publish or play; each stage has its time, however slowly bytes drip in. `None` when the
    /// client has closed the connection.
    async fn negotiate(&mut self) -> Result<Option<Event>, RtmpError> {
        loop {
            let stage = self.conversation.stage();
            let (limit, what) = time_for(stage);
            let shutdown = self.shutdown.clone();
            let context = self.context.clone();
            let step = context.within_limit(limit, what, self.until_event_or_past(stage));
            let event = tokio::select! {
                biased;
                () = shutdown.cancelled() => return Err(RtmpError::Terminated("the server is stopping".into())),
                event = step => event??,
            };
            match event {
                Step::Event(Event::Connect(request)) => self.connect(request).await?,
                Step::Event(event) => return Ok(Some(event)),
                Step::Past => {}
                Step::Closed => return Ok(None),
            }
        }
    }

    async fn until_event_or_past(&mut self, stage: Stage) -> Result<Step, RtmpError> {
        loop {
            let event = self.next_event()?;
            self.transport.send(self.conversation.output()).await?;
            if let Some(event) = event {
                return Ok(Step::Event(event));
            }
            if self.conversation.stage() != stage {
                return Ok(Step::Past);
            }
            if self.transport.fill().await? == 0 {
                return Ok(Step::Closed);
            }
        }
    }

    /// Whether it is sent away because this server is emptied, and knows how to connect anew by itself.
    fn may_reconnect(&self, refused: &Refused) -> bool {
        refused.why == Why::Unavailable && self.request.capabilities.reconnects()
    }

    fn next_event(&mut self) -> Result<Option<Event>, RtmpError> {
        let now = self.context.environment().now();
        Ok(self.conversation.read(&mut self.transport.input, now)?)
    }

    /// Has it decided whether the client may come in; until then it counts among those who arrive.
    async fn connect(&mut self, request: ConnectRequest) -> Result<(), RtmpError> {
        if let Some(user_agent) = &request.user_agent {
            self.peer = self.peer.clone().with_user_agent(user_agent);
        }
        let client = access::client(&self.peer, &request);
        self.request = request;
        let context = self.context.clone();
        match self.decide(context.connect(&client)).await {
            Ok(visit) => self.visit = Some(Arc::new(visit)),
            Err(error) => {
                self.conversation.refuse_connect(&error.to_string());
                return Err(error);
            }
        }
        self.conversation.accept_connect();
        self.arriving = None;
        Ok(())
    }

    /// Has it decided whether the client may use a stream. Yields the name that it asked for as well.
    async fn admit(&mut self, action: Action, key: &str) -> Result<(Arc<Admitted>, StreamName), RtmpError> {
        let address = Address::new(&self.request.app, key)?;
        let asked = address.name.clone();
        let asking = access::asking(action, address, &self.peer);
        let (context, visit) = (self.context.clone(), self.visit.clone());
        let visit = visit.ok_or(RtmpError::Closed("before it was connected"))?;
        let admission = self.decide(context.admit(&visit, asking)).await?;
        Ok((Arc::new(Admitted::new(admission)), asked))
    }

    /// Waits for a decision about the client as long as that is there; what it says meanwhile is kept within bounds.
    async fn decide<T>(&mut self, decision: impl Future<Output = Result<T, Refused>>) -> Result<T, RtmpError> {
        let mut decision = std::pin::pin!(decision);
        let shutdown = self.shutdown.clone();
        loop {
            let has_room = self.transport.input.len() < limits::RTMP_COMMAND_BYTES.get_usize();
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return Err(RtmpError::Terminated("the server is stopping".into())),
                decided = &mut decision => return Ok(decided?),
                count = self.transport.fill(), if has_room => {
                    if count? == 0 {
                        return Err(RtmpError::Closed("before it was decided what the client may do"));
                    }
                }
            }
        }
    }

    fn report(&self, result: &Result<(), RtmpError>) {
        let session = self.peer.session.as_str();
        let Err(error) = result else {
            tracing::debug!(session, "an RTMP session is over");
            return;
        };
        self.context.counters().count_error(error);
        match error.fault().level() {
            tracing::Level::ERROR => tracing::error!(session, %error, "an RTMP session ended"),
            tracing::Level::WARN => {
                tracing::warn!(session, remote = ?self.peer.remote, %error, "an RTMP session ended")
            }
            _ => tracing::info!(session, %error, "an RTMP session ended"),
        }
    }
}

enum Step {
    Event(Event),
    Past,
    Closed,
}

fn time_for(stage: Stage) -> (&'static Limit, &'static str) {
    match stage {
        Stage::Handshake => (&limits::RTMP_HANDSHAKE_MS, "the client did not finish the handshake"),
        Stage::Connect => (&limits::RTMP_CONNECT_MS, "the client did not send connect"),
        Stage::Start | Stage::Active => (&limits::RTMP_START_MS, "the client neither published nor played"),
    }
}
