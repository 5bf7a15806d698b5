//! A client that plays.

use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context as TaskContext, Poll, ready},
    time::Duration,
};

use futures_util::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use headwater_graph::{Bell, Subscription};
use headwater_media::{Codec, limits};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

use super::{Left, Session};
use crate::{
    context::{Context, Present},
    error::RtmpError,
    from_stream::FromStream,
    outbox::Outbox,
    wire::server::Event,
};

/// A client is listened to at least once in so many turns of media.
const MEDIA_TURNS: u32 = 16;
/// Time for what is being written when the session has to end.
const LAST_WRITE: Duration = Duration::from_secs(1);

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Session<S> {
    pub(super) async fn play(&mut self, key: &Arc<str>) -> Result<Left, RtmpError> {
        let subscription = match self.subscribe(key).await {
            Ok(subscription) => subscription,
            Err(error) => {
                self.conversation.refuse(error.play_code(), &error.to_string());
                return Err(error);
            }
        };
        tracing::info!(
            session = %self.peer.session, stream = %subscription.stream().name(), remote = ?self.peer.remote,
            user_agent = self.peer.user_agent.as_deref(), "an RTMP viewer begins"
        );
        self.conversation.accept_play();
        let context = self.context.clone();
        let _viewer = Present::new(&context.counters().viewers);
        let enhanced = self.request.capabilities.takes(Codec::Opus);
        let from = FromStream::new(context.clone(), subscription, enhanced);
        self.send_media(from).await
    }

    async fn subscribe(&self, key: &Arc<str>) -> Result<Subscription, RtmpError> {
        let address = self.address(key)?;
        let limit = limits::RTMP_START_MS.get_duration();
        let subscribed = self.context.hub().subscribe(&address.name, self.peer.clone());
        Ok(self.context.within(limit, "the stream has not become ready", subscribed).await??)
    }

    async fn send_media(&mut self, mut from: FromStream) -> Result<Left, RtmpError> {
        let context = self.context.clone();
        let mut outbox = Outbox::new(self.conversation.chunk_size(), self.conversation.active_stream());
        let mut pace = Pace::new(&context);
        let mut orders = orders(&from, &self.shutdown);
        let (mut heard, mut paused) = (true, false);
        let mut over: Option<String> = None;
        loop {
            if std::mem::take(&mut heard) {
                match self.listen(&mut from).await? {
                    Some(Heard::Stop) => return Ok(Left::Stays),
                    Some(Heard::Pause(pause)) => paused = pause,
                    None => {}
                }
            }
            let more = !paused && from.read(&mut outbox);
            let sent = outbox.pending();
            tokio::select! {
                biased;
                sent = self.transport.send_outbox(&mut outbox) => sent?,
                Some(reason) = orders.next() => over = Some(reason),
            }
            if outbox.pending() > 0 {
                // Told to end in the middle of a write, which has to be finished for the last word to be heard.
                let rest = self.transport.send_outbox(&mut outbox);
                context.within(LAST_WRITE, "the viewer did not take what was sent last", rest).await??;
            }
            from.count_sent(sent);
            if more {
                continue;
            }
            pace.begin();
            if let Some(reason) = over {
                self.conversation.end_play(&reason);
                return Ok(Left::Gone);
            }
            match self.wait(&mut pace, from.bell(), &mut orders).await? {
                Woken::Media => {}
                Woken::Client => heard = true,
                Woken::Closed => return Ok(Left::Gone),
                Woken::Order(reason) => over = Some(reason),
            }
        }
    }

    /// Waits for whatever comes first. Of the client it hears although there is always media.
    async fn wait(&mut self, pace: &mut Pace, bell: &Bell, orders: &mut Orders) -> Result<Woken, RtmpError> {
        poll_fn(|cx| {
            pace.turns = pace.turns.wrapping_add(1);
            let client_first = pace.turns.is_multiple_of(MEDIA_TURNS);
            if !client_first && pace.poll(cx, bell).is_ready() {
                return Poll::Ready(Ok(Woken::Media));
            }
            if let Poll::Ready(count) = self.transport.poll_fill(cx) {
                return Poll::Ready(count.map(|count| if count == 0 { Woken::Closed } else { Woken::Client }));
            }
            if client_first && pace.poll(cx, bell).is_ready() {
                return Poll::Ready(Ok(Woken::Media));
            }
            match orders.poll_next_unpin(cx) {
                Poll::Ready(Some(reason)) => Poll::Ready(Ok(Woken::Order(reason))),
                _ => Poll::Pending,
            }
        })
        .await
    }

    /// Hears what the client has to say.
    async fn listen(&mut self, from: &mut FromStream) -> Result<Option<Heard>, RtmpError> {
        let mut heard = None;
        while let Some(event) = self.next_event()? {
            match event {
                Event::Stop => heard = Some(Heard::Stop),
                Event::Pause(pause) => {
                    if !pause {
                        from.skip_to_newest_group();
                    }
                    heard = Some(Heard::Pause(pause));
                }
                Event::Connect(_) | Event::Publish { .. } | Event::Play { .. } | Event::Media(_) => {}
            }
        }
        self.transport.send(self.conversation.output()).await?;
        Ok(heard)
    }
}

enum Heard {
    Stop,
    Pause(bool),
}

type Orders = FuturesUnordered<BoxFuture<'static, String>>;

/// Orders to end, with the reason. Each is looked at only when it has something to say, not for every frame.
fn orders(from: &FromStream, shutdown: &CancellationToken) -> Orders {
    let ended = from.subscription().ended();
    let shutdown = shutdown.clone();
    let stopping = async move {
        shutdown.cancelled_owned().await;
        "the server is stopping".to_owned()
    };
    FuturesUnordered::from_iter([Box::pin(ended) as BoxFuture<'static, String>, Box::pin(stopping)])
}

enum Woken {
    Media,
    Client,
    Closed,
    Order(String),
}

/// Lets frames collect for the merge window before they are written.
struct Pace {
    context: Context,
    window: Option<headwater_graph::BoxFuture<'static, ()>>,
    turns: u32,
}

impl Pace {
    fn new(context: &Context) -> Pace {
        Pace { context: context.clone(), window: None, turns: 0 }
    }

    /// A write has been done: the next one may follow after the window.
    fn begin(&mut self) {
        let window = self.context.config().merge_window();
        if !window.is_zero() && self.window.is_none() {
            self.window = Some(self.context.environment().sleep(window));
        }
    }

    /// Ready when the window is over and the bell has rung.
    fn poll(&mut self, cx: &mut TaskContext<'_>, bell: &Bell) -> Poll<()> {
        if let Some(window) = &mut self.window {
            ready!(window.as_mut().poll(cx));
            self.window = None;
        }
        bell.poll_rung(cx)
    }
}
