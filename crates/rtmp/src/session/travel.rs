//! A player in a convoy: its session only listens, and takes over again when something is to be done for it alone.

use std::{future::poll_fn, task::Poll};

use futures_util::StreamExt;
use headwater_media::Codec;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{
    Session, Sharing,
    play::{Watch, Woken},
};
use crate::{
    convoy::{self, Newcomer, Returned, Route, Stay},
    error::RtmpError,
    from_stream::TracksRead,
    outbox::Outbox,
    pace::Order,
};

/// Whoever did not fit into a convoy, or had something to say, asks again after so many turns.
const TURNS_ALONE: u32 = 16;

/// What happens to a player that travels.
enum Met {
    Home(Box<Returned>),
    Input(usize),
    Order(Order),
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Session<S> {
    /// Travels with a convoy until it sends the player home or something is to be done for the player alone: a
    /// command, an answer, an order to end. Then the session is where it was before, only further on; what the
    /// convoy's last write did not get rid of lies in the outbox.
    pub(super) async fn travel(
        &mut self,
        outlet: Sharing<S>,
        tracks: TracksRead,
        watch: &mut Watch,
    ) -> Result<Woken, RtmpError> {
        let mut stay = self.enter(outlet, tracks, watch);
        let mut woken = None;
        loop {
            match self.meet(&mut stay, watch, woken.is_none()).await? {
                Met::Home(returned) => {
                    drop(stay);
                    return come_home(*returned, watch, woken);
                }
                Met::Input(0) => woken = Some(Woken::Closed),
                Met::Input(_) => woken = self.hear(),
                Met::Order(order) => woken = Some(Woken::Order(order)),
            }
            if woken.is_some() {
                stay.ask_to_leave();
            }
        }
    }

    fn enter(&self, outlet: Sharing<S>, tracks: TracksRead, watch: &mut Watch) -> Stay {
        let subscription = watch.from.subscription();
        let route = Route {
            stream: subscription.stream().clone(),
            chunk_size: self.conversation.chunk_size(),
            message_stream: self.conversation.active_stream(),
            enhanced: self.request.capabilities.takes(Codec::Opus),
            tracks,
        };
        let newcomer = Newcomer::new(
            outlet(self.transport.io()),
            subscription.viewer().clone(),
            watch.from.bell().clone(),
            watch.from.lend(),
            std::mem::replace(&mut watch.outbox, Outbox::new(route.chunk_size, route.message_stream)),
        );
        convoy::join(&self.context, route, newcomer)
    }

    /// Waits for the way home, and as long as nothing else has happened, for that too.
    async fn meet(&mut self, stay: &mut Stay, watch: &mut Watch, listening: bool) -> Result<Met, RtmpError> {
        poll_fn(|cx| {
            if let Poll::Ready(returned) = stay.poll_home(cx) {
                return Poll::Ready(returned.map(|returned| Met::Home(Box::new(returned))));
            }
            if !listening {
                return Poll::Pending;
            }
            if let Poll::Ready(count) = self.transport.poll_fill(cx) {
                // A connection that breaks while it is read from ends like one that is closed.
                return Poll::Ready(Ok(Met::Input(count.unwrap_or(0))));
            }
            match watch.orders.poll_next_unpin(cx) {
                Poll::Ready(Some(order)) => Poll::Ready(Ok(Met::Order(order))),
                _ => Poll::Pending,
            }
        })
        .await
    }

    /// What the client has said, if anything is to be done about it.
    fn hear(&mut self) -> Option<Woken> {
        match self.next_event() {
            Ok(None) if self.conversation.output().is_empty() => None,
            Ok(event) => Some(Woken::Client(event)),
            Err(error) => Some(Woken::Broken(error)),
        }
    }
}

fn come_home(returned: Returned, watch: &mut Watch, woken: Option<Woken>) -> Result<Woken, RtmpError> {
    watch.from.take_back(returned.readings);
    watch.outbox = returned.outbox;
    // A client that says much is not worth the way to and fro.
    watch.alone = if returned.travelled && woken.is_none() { 0 } else { TURNS_ALONE };
    match returned.broken {
        Some(error) => Err(error.into()),
        None => Ok(woken.unwrap_or(Woken::Media)),
    }
}
