//! When a viewer is written to next, and what ends it.

use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context as TaskContext, Poll, ready},
    time::Duration,
};

use futures_util::stream::FuturesUnordered;
use headwater_access::{Admitted, Refused};
use headwater_graph::{Bell, BoxFuture, Stream, Subscription};
use tokio_util::sync::CancellationToken;

use crate::context::Context;

/// Lets frames collect for the merge window before they are written.
///
/// The windows of all viewers of a stream end together: one burst of writes costs less than as many single ones.
pub(crate) struct Pace {
    context: Context,
    stream: Arc<Stream>,
    window: Option<BoxFuture<'static, ()>>,
    turns: u32,
}

impl Pace {
    pub(crate) fn new(context: &Context, stream: &Arc<Stream>) -> Pace {
        Pace { context: context.clone(), stream: stream.clone(), window: None, turns: 0 }
    }

    /// A write has been done: the next one may follow when the window is over.
    pub(crate) fn begin(&mut self) {
        let window = self.context.config().merge_window();
        if window.is_zero() || self.window.is_some() {
            return;
        }
        let environment = self.context.environment();
        let elapsed = environment.now().saturating_duration_since(self.stream.epoch()).as_nanos();
        let passed = Duration::from_nanos((elapsed % window.as_nanos()) as u64);
        self.window = Some(environment.sleep(window.saturating_sub(passed)));
    }

    /// Whether there is a merge window at all.
    pub(crate) fn has_window(&self) -> bool {
        !self.context.config().merge_window().is_zero()
    }

    /// Counts the waits.
    pub(crate) fn next_turn(&mut self) -> u32 {
        self.turns = self.turns.wrapping_add(1);
        self.turns
    }

    /// Waits for the bell; with a merge window, for that to be over.
    pub(crate) async fn wait(&mut self, bell: &Bell) {
        poll_fn(|cx| self.poll(cx, bell)).await;
    }

    /// Ready when the bell has rung; with a merge window, when that is over.
    pub(crate) fn poll(&mut self, cx: &mut TaskContext<'_>, bell: &Bell) -> Poll<()> {
        let Some(window) = &mut self.window else { return bell.poll_rung(cx) };
        ready!(window.as_mut().poll(cx));
        self.window = None;
        Poll::Ready(())
    }
}

pub(crate) type Orders = FuturesUnordered<BoxFuture<'static, Order>>;

/// An order to end.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) reason: String,
    /// What was said where leave was taken back.
    pub(crate) refused: Option<Refused>,
}

impl From<String> for Order {
    fn from(reason: String) -> Order {
        Order { reason, refused: None }
    }
}

impl From<Refused> for Order {
    fn from(refused: Refused) -> Order {
        Order { reason: refused.sentence.clone(), refused: Some(refused) }
    }
}

/// Orders to end. Each is looked at only when it has something to say, not for every frame.
pub(crate) fn orders(
    subscription: &Subscription,
    admitted: Option<Arc<Admitted>>,
    shutdown: Option<&CancellationToken>,
) -> Orders {
    let orders = Orders::new();
    if let Some(admitted) = admitted {
        orders.push(Box::pin(async move { admitted.revoked().await.into() }));
    }
    let ended = subscription.ended();
    orders.push(Box::pin(async move { ended.await.into() }));
    if let Some(shutdown) = shutdown.cloned() {
        orders.push(Box::pin(async move {
            shutdown.cancelled_owned().await;
            "the server is stopping".to_owned().into()
        }));
    }
    orders
}
