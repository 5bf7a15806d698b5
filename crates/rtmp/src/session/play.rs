//! A client that plays.

use std::{future::poll_fn, io::ErrorKind, sync::Arc, task::Poll, time::Duration};

use futures_util::StreamExt;
use headwater_access::{Action, Admitted};
use headwater_graph::Subscription;
use headwater_media::{Codec, limits};
use tokio::io::{AsyncRead, AsyncWrite};

use super::{Left, Session};
use crate::{
    access::{self, tell_end},
    address::elsewhere,
    context::Present,
    error::RtmpError,
    from_stream::{FromStream, TracksRead},
    outbox::Outbox,
    pace::{Order, Orders, Pace, orders},
    wire::server::Event,
};

/// A client is listened to at least once in so many turns of media.
const MEDIA_TURNS: u32 = 16;
/// How long a player that is asked to connect elsewhere is sent media all the same.
const RECONNECT_TIME: Duration = Duration::from_secs(2);
/// Time for what is being written when the session has to end.
const LAST_WRITE: Duration = Duration::from_secs(1);

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Session<S> {
    pub(super) async fn play(&mut self, key: &Arc<str>) -> Result<Left, RtmpError> {
        let (admitted, subscription) = match self.subscribe(key).await {
            Ok(subscribed) => subscribed,
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
        admitted.flow(from.subscription().stream());
        let result = self.send_media(from, &admitted).await;
        tell_end(&admitted, &result);
        match result {
            // Players seldom say goodbye, and what they have not read turns their leaving into a reset.
            Err(RtmpError::Io(error)) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => {
                Ok(Left::Gone)
            }
            result => result,
        }
    }

    async fn subscribe(&mut self, key: &str) -> Result<(Arc<Admitted>, Subscription), RtmpError> {
        let (admitted, asked) = self.admit(Action::Play, key).await?;
        let subscribed = self.context.hub().subscribe(&admitted.admission().stream, self.peer.clone());
        let what = "the stream has not become ready";
        let subscribed = self.context.within_limit(&limits::RTMP_START_MS, what, subscribed).await;
        let subscription = subscribed.and_then(|subscribed| Ok(subscribed.map_err(|error| error.as_asked(&asked))?));
        tell_end(&admitted, &subscription);
        Ok((admitted, subscription?))
    }

    async fn send_media(&mut self, from: FromStream, admitted: &Arc<Admitted>) -> Result<Left, RtmpError> {
        // The answer to play comes before all media.
        self.transport.send(self.conversation.output()).await?;
        let mut watch = Watch::new(self, from, admitted);
        let mut heard = Some(None);
        loop {
            let more = !watch.paused && watch.from.read(&mut watch.outbox);
            self.send_outbox(&mut watch).await?;
            // The outbox is empty here, so that what is answered comes between two messages.
            if let Some(event) = heard.take()
                && self.listen(event, &mut watch).await?
            {
                return Ok(Left::Stays);
            }
            if more {
                continue;
            }
            watch.pace.begin();
            if let Some(order) = watch.over.take() {
                if self.sends_elsewhere(&order, &mut watch).await? {
                    continue;
                }
                let reason = order.reason;
                admitted.fail(access::info_of_end(watch.from.subscription().stream(), &reason));
                self.conversation.end_play(&reason);
                return Ok(Left::Gone);
            }
            let woken = match self.outlet.zip(watch.may_travel()) {
                Some((outlet, tracks)) => self.travel(outlet, tracks, &mut watch).await?,
                None => self.wait(&mut watch).await?,
            };
            match woken {
                Woken::Media => {}
                Woken::Client(event) => heard = Some(event),
                Woken::Closed => {
                    admitted.disconnect();
                    return Ok(Left::Gone);
                }
                Woken::Order(order) => watch.over = Some(order),
                Woken::Broken(error) => {
                    self.send_outbox(&mut watch).await?;
                    return Err(error);
                }
            }
        }
    }

    /// A player that knows how is asked to connect to another server, and is sent media until it has had time to. Says
    /// whether it was.
    ///
    /// Source: Enhanced RTMP v2, "Reconnect Request".
    async fn sends_elsewhere(&mut self, order: &Order, watch: &mut Watch) -> Result<bool, RtmpError> {
        let Some(refused) = order.refused.as_ref().filter(|refused| self.may_reconnect(refused)) else {
            return Ok(false);
        };
        let place = elsewhere(&self.request, refused.instead(Action::Play));
        self.conversation.ask_to_reconnect(place.as_deref(), &order.reason);
        self.transport.send(self.conversation.output()).await?;
        let (reason, time) = (order.reason.clone(), self.context.environment().sleep(RECONNECT_TIME));
        watch.orders.push(Box::pin(async move {
            time.await;
            reason.into()
        }));
        Ok(true)
    }

    /// Writes all of the outbox, unless an order to end comes and the player does not take it soon.
    async fn send_outbox(&mut self, watch: &mut Watch) -> Result<(), RtmpError> {
        let sent = watch.outbox.pending();
        if sent == 0 {
            return Ok(());
        }
        tokio::select! {
            biased;
            sent = self.transport.send_outbox(&mut watch.outbox) => sent?,
            Some(order) = watch.orders.next() => watch.over = Some(order),
        }
        if watch.outbox.pending() > 0 {
            // Told to end in the middle of a write, which has to be finished for the last word to be heard.
            let rest = self.transport.send_outbox(&mut watch.outbox);
            self.context.within(LAST_WRITE, "the viewer did not take what was sent last", rest).await??;
        }
        watch.from.count_sent(sent);
        Ok(())
    }

    /// Waits for whatever comes first. Of the client it hears although there is always media.
    async fn wait(&mut self, watch: &mut Watch) -> Result<Woken, RtmpError> {
        let (pace, bell) = (&mut watch.pace, watch.from.bell());
        poll_fn(|cx| {
            let client_first = pace.next_turn().is_multiple_of(MEDIA_TURNS);
            if !client_first && pace.poll(cx, bell).is_ready() {
                return Poll::Ready(Ok(Woken::Media));
            }
            if let Poll::Ready(count) = self.transport.poll_fill(cx) {
                return Poll::Ready(count.map(|count| if count == 0 { Woken::Closed } else { Woken::Client(None) }));
            }
            if client_first && pace.poll(cx, bell).is_ready() {
                return Poll::Ready(Ok(Woken::Media));
            }
            match watch.orders.poll_next_unpin(cx) {
                Poll::Ready(Some(order)) => Poll::Ready(Ok(Woken::Order(order))),
                _ => Poll::Pending,
            }
        })
        .await
    }

    /// Hears what the client has to say, beginning with what has been heard already. Says whether it wants no more.
    async fn listen(&mut self, heard: Option<Event>, watch: &mut Watch) -> Result<bool, RtmpError> {
        let mut next = heard;
        let mut stop = false;
        loop {
            let Some(event) = next.take().map_or_else(|| self.next_event(), |event| Ok(Some(event)))? else { break };
            match event {
                Event::Stop => stop = true,
                Event::Pause(pause) => {
                    if !pause {
                        watch.from.skip_to_newest_group();
                    }
                    watch.paused = pause;
                }
                Event::Connect(_) | Event::Publish { .. } | Event::Play { .. } | Event::Media(_) => {}
            }
        }
        self.transport.send(self.conversation.output()).await?;
        Ok(stop)
    }
}

/// What a player's session keeps while it plays.
pub(super) struct Watch {
    pub(super) from: FromStream,
    pub(super) outbox: Outbox,
    pub(super) orders: Orders,
    /// Why it has to end.
    pub(super) over: Option<Order>,
    pace: Pace,
    paused: bool,
    /// Turns to be taken alone before it asks again to travel with others.
    pub(super) alone: u32,
}

impl Watch {
    fn new<S>(session: &Session<S>, from: FromStream, admitted: &Arc<Admitted>) -> Watch {
        let conversation = &session.conversation;
        Watch {
            outbox: Outbox::new(conversation.chunk_size(), conversation.active_stream()),
            pace: Pace::new(&session.context, from.subscription().stream()),
            orders: orders(from.subscription(), Some(admitted.clone()), Some(&session.shutdown)),
            from,
            over: None,
            paused: false,
            alone: 0,
        }
    }

    /// Which tracks it reads, if it may be written to together with others: it has read and been sent all there is.
    fn may_travel(&mut self) -> Option<TracksRead> {
        let tracks = self.from.tracks().filter(|_| !self.paused)?;
        let due = self.alone == 0;
        self.alone = self.alone.saturating_sub(1);
        due.then_some(tracks)
    }
}

/// What ends a wait.
pub(super) enum Woken {
    /// There may be something to read.
    Media,
    /// The client has said something, which may begin with this.
    Client(Option<Event>),
    /// The client has closed the connection.
    Closed,
    /// Someone here ordered the session to end.
    Order(Order),
    /// The session cannot go on, once the outbox is empty.
    Broken(RtmpError),
}
