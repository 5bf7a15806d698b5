//! The feed's lane -> wire: what one viewer is sent.

use std::sync::Arc;

use headwater_graph::{Bell, Next, Subscription};
use headwater_media::limits::{self, Limit};
use headwater_websocket::Mouth;
use tokio::io::AsyncWrite;

use crate::{
    accept::Accept,
    chunk::{Chunk, Init},
    error::Trouble,
    feeds::{Found, Watching},
    server::Mse,
    wire::{Message, Missing},
};

/// Counters that all viewers share are touched once for so many fragments.
const COUNT_TOGETHER: u64 = 64;

/// Reads a stream for one viewer.
pub(crate) struct Viewing {
    mse: Mse,
    subscription: Subscription,
    accept: Accept,
    bell: Bell,
    watching: Option<Watching>,
    missing: Vec<Missing>,
    /// The init segment that the viewer was sent last.
    init: Option<Arc<Init>>,
    allowance: Allowance,
    has_sent: bool,
    uncounted: u64,
    uncounted_bytes: u64,
}

/// How far behind a viewer may be: it starts with a whole group to catch up with, and is granted that.
#[derive(Clone, Copy, Default)]
struct Allowance {
    bytes: u64,
    ms: u64,
    granted: bool,
}

impl Viewing {
    pub(crate) fn new(mse: Mse, subscription: Subscription, accept: Accept) -> Viewing {
        Viewing {
            mse,
            subscription,
            accept,
            bell: Bell::new(),
            watching: None,
            missing: Vec::new(),
            init: None,
            allowance: Allowance::default(),
            has_sent: false,
            uncounted: 0,
            uncounted_bytes: 0,
        }
    }

    /// Rings when there is something to read.
    pub(crate) fn bell(&self) -> &Bell {
        &self.bell
    }

    /// Whether there is nothing to read from yet, or no more: it is to be looked for again in a moment.
    pub(crate) fn looks_for_feed(&self) -> bool {
        self.watching.is_none()
    }

    /// Whether a fragment has been handed on.
    pub(crate) fn has_sent(&self) -> bool {
        self.has_sent
    }

    /// Takes note of bytes that have been sent to the viewer.
    pub(crate) fn count_sent(&mut self, bytes: usize) {
        self.uncounted_bytes += bytes as u64;
        if self.uncounted >= COUNT_TOGETHER {
            self.count();
        }
    }

    fn count(&mut self) {
        let (fragments, bytes) = (std::mem::take(&mut self.uncounted), std::mem::take(&mut self.uncounted_bytes));
        self.mse.counters().send(fragments, bytes);
        self.subscription.viewer().count_sent(bytes);
    }

    /// Hands on everything that is new, until as much waits as may wait.
    ///
    /// # Errors
    /// The stream has nothing that the viewer can be sent.
    pub(crate) fn read<W: AsyncWrite + Unpin>(&mut self, mouth: &mut Mouth<W>) -> Result<(), Trouble> {
        self.find_feed()?;
        self.spare_the_slow(mouth);
        while !mouth.is_full() {
            let Some(watching) = &mut self.watching else { break };
            match watching.cursor.next() {
                Next::Item(chunk) => {
                    if self.init.as_ref().is_none_or(|init| !Arc::ptr_eq(init, &chunk.init)) {
                        tell_init(&self.subscription, chunk, &self.missing, mouth);
                        self.init = Some(chunk.init.clone());
                    }
                    mouth.binary(chunk.fragment.pieces());
                    self.uncounted += 1;
                    self.has_sent = true;
                }
                Next::Parameters(_) => {}
                Next::Discontinuity => mouth.text(&Message::Break.write()),
                Next::Lost { items } => skipped(&self.mse, items, mouth),
                Next::Empty => break,
                Next::Ended => {
                    let trouble = watching.feed().trouble().cloned();
                    self.watching = None;
                    return trouble.map_or(Ok(()), Err);
                }
            }
        }
        Ok(())
    }

    fn find_feed(&mut self) -> Result<(), Trouble> {
        if self.watching.is_some() || self.subscription.has_ended().is_some() {
            return Ok(());
        }
        if let Found::Feed(watching, missing) = self.mse.feeds().watch(&self.subscription, &self.accept, &self.bell)? {
            (self.watching, self.missing) = (Some(watching), missing);
            self.allowance = Allowance::default();
        }
        Ok(())
    }

    /// Skips to the newest group if the viewer is further behind than it may be.
    fn spare_the_slow<W: AsyncWrite + Unpin>(&mut self, mouth: &mut Mouth<W>) {
        let Some(watching) = &mut self.watching else { return };
        let Some(limit) = self.allowance.limit_passed(watching) else { return };
        limit.hit();
        let fragments = watching.cursor.skip_to_newest_group();
        self.allowance = Allowance::default();
        skipped(&self.mse, fragments, mouth);
    }
}

impl Allowance {
    /// The limit that is passed if the viewer has fallen too far behind what it was granted.
    fn limit_passed(&mut self, watching: &Watching) -> Option<&'static Limit> {
        let rate = watching.cursor.parameters()?.clock_rate;
        let lag = watching.cursor.lag();
        let ms = u64::try_from(rate.duration(lag.ticks).as_millis()).unwrap_or(u64::MAX);
        if !std::mem::replace(&mut self.granted, true) {
            (self.bytes, self.ms) = (lag.bytes, ms);
        }
        self.bytes = self.bytes.min(lag.bytes);
        self.ms = self.ms.min(ms);
        if lag.bytes > self.bytes.saturating_add(limits::VIEWER_LAG_BYTES.get()) {
            Some(&limits::VIEWER_LAG_BYTES)
        } else {
            (ms > self.ms.saturating_add(limits::VIEWER_LAG_MS.get())).then_some(&limits::VIEWER_LAG_MS)
        }
    }
}

fn tell_init<W: AsyncWrite + Unpin>(
    subscription: &Subscription,
    chunk: &Chunk,
    missing: &[Missing],
    mouth: &mut Mouth<W>,
) {
    let init = &chunk.init;
    let name = subscription.stream().name().to_string();
    mouth.text(&Message::init(&name, &init.mime, &init.tracks, missing).write());
    mouth.binary(std::iter::once(&init.segment));
}

fn skipped<W: AsyncWrite + Unpin>(mse: &Mse, fragments: u64, mouth: &mut Mouth<W>) {
    mse.counters().skip(fragments);
    mouth.text(&Message::Skipped { fragments }.write());
}

impl Drop for Viewing {
    fn drop(&mut self) {
        self.count();
    }
}
