//! A client that plays.

use std::{future::poll_fn, io::ErrorKind, sync::Arc, task::Poll, time::Duration};

use futures_util::StreamExt;
use headwater_graph::{Bell, Subscription};
use headwater_media::{Codec, limits};
use tokio::io::{AsyncRead, AsyncWrite};

use super::{Left, Session};
use crate::{
    context::Present,
    error::RtmpError,
    from_stream::FromStream,
    outbox::Outbox,
    pace::{Orders, Pace, orders},
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
        let from = FromStream::new(context.clone(), subscription, context.bell(), enhanced);
        match self.send_media(from).await {
            // Players seldom say goodbye, and what they have not read turns their leaving into a reset.
            Err(RtmpError::Io(error)) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => {
                Ok(Left::Gone)
            }
            result => result,
        }
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
        let mut pace = Pace::new(&context, from.subscription().stream());
        let mut orders = orders(from.subscription(), Some(&self.shutdown));
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
            let client_first = pace.next_turn().is_multiple_of(MEDIA_TURNS);
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

enum Woken {
    Media,
    Client,
    Closed,
    Order(String),
}
