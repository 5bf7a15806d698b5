//! RTMP as a client: pulls a stream from another server, or pushes one to it.
//!
//! The caller dials (and does TLS for `rtmps`); what is passed in is the open byte stream.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use headwater_graph::{Bell, Publication, Subscription};
use headwater_media::limits;
use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::Notify,
};
use tokio_util::sync::CancellationToken;

use crate::{
    address::RtmpUrl,
    context::Context,
    error::RtmpError,
    from_stream::FromStream,
    outbox::Outbox,
    sound::SoundSwitch,
    to_stream::ToStream,
    transport::Transport,
    wire::client::{Conversation, Event, Intent, Request},
};

pub use crate::sound::{CodedSound, Substitute};

/// Plays the stream of a URL and publishes what comes, until the stream ends there or `stop`.
///
/// # Errors
/// The server refuses, breaks the protocol or goes away; dropping the publication pauses the stream for the grace
/// time of the hub, so that another attempt may resume it.
pub async fn play<S>(
    io: S,
    url: &RtmpUrl,
    publication: Publication,
    context: &Context,
    stop: &CancellationToken,
) -> Result<(), RtmpError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let mut client = Client::start(io, url, Intent::Play, context).await?;
    let silence_max = limits::RTMP_SILENCE_MS.get_duration();
    let mut terminated = std::pin::pin!(publication.terminated());
    let mut to_stream = ToStream::new(context.clone(), publication);
    loop {
        let event = tokio::select! {
            biased;
            reason = &mut terminated => return client.leave(Err(RtmpError::Terminated(reason))).await,
            () = stop.cancelled() => return client.leave(Ok(())).await,
            event = context.within(silence_max, "the server has sent no media for too long", client.event(|| to_stream.ring())) => event??,
        };
        match event {
            Event::Media(media) => to_stream.push(media),
            Event::Ended => return client.leave(Ok(())).await,
            Event::Refused { code, reason } => return Err(RtmpError::Refused { code, reason }),
            Event::Started => {}
        }
    }
}

/// What the one who pushes a stream may change while it goes on, and learns of it.
#[derive(Default)]
pub struct Pushing {
    is_muted: AtomicBool,
    has_begun: AtomicBool,
    begins: Notify,
    substitute: Mutex<Option<Arc<dyn Substitute>>>,
}

impl std::fmt::Debug for Pushing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pushing").field("is_muted", &self.is_muted()).finish_non_exhaustive()
    }
}

impl Pushing {
    /// Has other sound sent in place of the stream's own, from the next frame on, or its own again.
    ///
    /// A stream without sound gets a track of it; after the end of the substitute that goes on with silence, since
    /// servers may wait for its frames. While the stream's sound is of a codec for which the substitute cannot be
    /// coded, none is sent.
    pub fn set_substitute(&self, substitute: Option<Arc<dyn Substitute>>) {
        *self.substitute.lock() = substitute;
    }

    fn substitute(&self) -> Option<Arc<dyn Substitute>> {
        self.substitute.lock().clone()
    }

    /// Has silence sent in place of sound, from the next frame on, or sound again. It goes before a substitute, which
    /// goes on unheard.
    pub fn set_muted(&self, is_muted: bool) {
        self.is_muted.store(is_muted, Relaxed);
    }

    /// Whether silence is sent in place of sound.
    pub fn is_muted(&self) -> bool {
        self.is_muted.load(Relaxed)
    }

    /// Whether a server has taken the stream in.
    pub fn has_begun(&self) -> bool {
        self.has_begun.load(Relaxed)
    }

    /// Waits until a server has taken the stream in.
    pub async fn begun(&self) {
        let mut begins = std::pin::pin!(self.begins.notified());
        begins.as_mut().enable();
        if !self.has_begun() {
            begins.await;
        }
    }

    fn begin(&self) {
        self.has_begun.store(true, Relaxed);
        self.begins.notify_waiters();
    }
}

/// Publishes a stream to a URL, until it ends here or `stop`.
///
/// # Errors
/// The server refuses, breaks the protocol, or goes away.
pub async fn publish<S>(
    io: S,
    url: &RtmpUrl,
    subscription: Subscription,
    context: &Context,
    stop: &CancellationToken,
) -> Result<(), RtmpError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    push(io, url, subscription, &Pushing::default(), context, stop).await
}

/// The same as [`publish`], with the means to change it on the way.
///
/// # Errors
/// The server refuses, breaks the protocol, or goes away.
pub async fn push<S>(
    io: S,
    url: &RtmpUrl,
    subscription: Subscription,
    pushing: &Pushing,
    context: &Context,
    stop: &CancellationToken,
) -> Result<(), RtmpError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let mut client = Client::start(io, url, Intent::Publish, context).await?;
    pushing.begin();
    let mut sound = SoundSwitch::default();
    let mut outbox = Outbox::new(client.conversation.chunk_size(), client.conversation.stream());
    let mut ended = std::pin::pin!(subscription.ended());
    // Servers seldom say what they take; sound that all take is the safe choice.
    let mut from = FromStream::new(context.clone(), subscription, Bell::new(), false);
    let mut over = false;
    loop {
        sound.set(pushing.is_muted(), pushing.substitute());
        sound.set_own(from.kinds().1);
        from.announce_besides(sound.made_track());
        let more = from.read(&mut sound.sink(&mut outbox));
        let sent = outbox.pending();
        client.transport.send_outbox(&mut outbox).await?;
        from.count_sent(sent);
        if more {
            continue;
        }
        if over {
            return client.leave(Ok(())).await;
        }
        tokio::select! {
            biased;
            _ = &mut ended => over = true,
            () = stop.cancelled() => over = true,
            event = client.event(|| ()) => match event? {
                Event::Refused { code, reason } => return Err(RtmpError::Refused { code, reason }),
                Event::Ended => return client.leave(Ok(())).await,
                Event::Media(_) | Event::Started => {}
            },
            () = from.bell().rung() => {}
        }
    }
}

struct Client<S> {
    context: Context,
    transport: Transport<S>,
    conversation: Conversation,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Client<S> {
    /// Comes as far as media may flow.
    async fn start(io: S, url: &RtmpUrl, intent: Intent, context: &Context) -> Result<Client<S>, RtmpError> {
        let request = Request { intent, app: url.app.clone(), tc_url: url.tc_url(), key: url.key.clone() };
        let mut client = Client {
            transport: Transport::new(io, context.clone()),
            conversation: Conversation::new(request, context.config().chunk_size(), rand::random()),
            context: context.clone(),
        };
        let begun = client.event(|| ());
        let what = "the server did not let the stream begin";
        let event = context.within_limit(&limits::RTMP_START_MS, what, begun).await??;
        match event {
            Event::Refused { code, reason } => Err(RtmpError::Refused { code, reason }),
            Event::Ended => Err(RtmpError::Closed("before the stream began")),
            Event::Started | Event::Media(_) => Ok(client),
        }
    }

    /// The next event; `idle` is called before waiting for input. May be cancelled where no output is waiting.
    async fn event(&mut self, idle: impl Fn()) -> Result<Event, RtmpError> {
        loop {
            let now = self.context.environment().now();
            let event = self.conversation.read(&mut self.transport.input, now)?;
            if event.is_none() {
                idle();
            }
            self.transport.send(self.conversation.output()).await?;
            if let Some(event) = event {
                return Ok(event);
            }
            if self.transport.fill().await? == 0 {
                return Err(RtmpError::Closed("by the server"));
            }
        }
    }

    async fn leave(&mut self, result: Result<(), RtmpError>) -> Result<(), RtmpError> {
        self.conversation.close();
        self.transport.send(self.conversation.output()).await?;
        self.transport.close().await;
        result
    }
}
