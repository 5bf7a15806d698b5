//! A client that plays.

use std::{sync::Arc, time::Instant};

use headwater_graph::Subscription;
use headwater_media::{Codec, limits};
use tokio::io::{AsyncRead, AsyncWrite};

use super::{Left, Session};
use crate::{
    context::{Context, Present},
    error::RtmpError,
    from_stream::FromStream,
    outbox::Outbox,
    wire::server::Event,
};

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
        let mut ended = std::pin::pin!(from.subscription().ended());
        let shutdown = self.shutdown.clone();
        let mut paused = false;
        let mut over = None;
        loop {
            while let Some(event) = self.next_event()? {
                match event {
                    Event::Stop => return Ok(Left::Stays),
                    Event::Pause(pause) => {
                        if std::mem::replace(&mut paused, pause) && !pause {
                            from.skip_to_newest_group();
                        }
                    }
                    Event::Connect(_) | Event::Publish { .. } | Event::Play { .. } | Event::Media(_) => {}
                }
            }
            self.transport.send(self.conversation.output()).await?;
            let more = !paused && from.read(&mut outbox);
            let sent = outbox.pending() as u64;
            tokio::select! {
                biased;
                reason = &mut ended, if over.is_none() => over = Some(reason),
                written = self.transport.send_outbox(&mut outbox) => written?,
            }
            // The end may come in the middle of a write, which goes on.
            self.transport.send_outbox(&mut outbox).await?;
            from.subscription().viewer().count_sent(sent);
            if more {
                continue;
            }
            if let Some(reason) = over {
                self.conversation.end_play(&reason);
                return Ok(Left::Gone);
            }
            tokio::select! {
                biased;
                reason = &mut ended => over = Some(reason),
                () = shutdown.cancelled() => over = Some("the server is stopping".to_owned()),
                count = self.transport.fill() => {
                    if count? == 0 {
                        return Ok(Left::Gone);
                    }
                }
                () = pace.wait(from.bell()) => {}
            }
        }
    }
}

/// Lets frames collect for the merge window before they are written.
struct Pace<'a> {
    context: &'a Context,
    last: Option<Instant>,
}

impl<'a> Pace<'a> {
    fn new(context: &'a Context) -> Pace<'a> {
        Pace { context, last: None }
    }

    /// Waits for the bell, and then until the window since the last time is over.
    async fn wait(&mut self, bell: &headwater_graph::Bell) {
        bell.rung().await;
        let window = self.context.config().merge_window();
        if window.is_zero() {
            return;
        }
        let environment = self.context.environment();
        let passed = self.last.map(|last| environment.now().saturating_duration_since(last));
        if let Some(rest) = passed.and_then(|passed| window.checked_sub(passed)) {
            environment.sleep(rest).await;
        }
        self.last = Some(environment.now());
    }
}
