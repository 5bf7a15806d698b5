//! The feed's lane -> wire: what one viewer is sent.

use std::sync::Arc;

use headwater_graph::{Bell, Next, Subscription};
use headwater_media::limits::Limit;
use headwater_websocket::{Accept, Allowance, Missing, Mouth, Reader, Tally, Trouble};
use tokio::io::AsyncWrite;

use crate::{
    chunk::{Chunk, Init},
    feeds::{Feeds, Found, Watching},
    wire::Message,
};

/// Reads a stream for one viewer.
pub struct Viewing {
    feeds: Feeds,
    tally: Tally,
    subscription: Subscription,
    accept: Accept,
    bell: Bell,
    watching: Option<Watching>,
    missing: Vec<Missing>,
    /// The init segment that the viewer was sent last.
    init: Option<Arc<Init>>,
    allowance: Allowance,
}

impl Reader for Viewing {
    fn read<W: AsyncWrite + Unpin>(&mut self, mouth: &mut Mouth<W>) -> Result<(), Trouble> {
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
                    self.tally.send();
                }
                Next::Parameters(_) => {}
                Next::Discontinuity => mouth.text(&Message::Break.write()),
                Next::Lost { items } => skipped(&mut self.tally, items, mouth),
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

    fn bell(&self) -> &Bell {
        &self.bell
    }

    fn tally(&mut self) -> &mut Tally {
        &mut self.tally
    }

    /// A feed has ended, or is not there yet: the next one does not ring.
    fn looks_again(&self) -> bool {
        self.watching.is_none()
    }
}

impl Viewing {
    pub(crate) fn new(feeds: Feeds, subscription: Subscription, accept: Accept, tally: Tally) -> Viewing {
        Viewing {
            feeds,
            tally,
            subscription,
            accept,
            bell: Bell::new(),
            watching: None,
            missing: Vec::new(),
            init: None,
            allowance: Allowance::default(),
        }
    }

    fn find_feed(&mut self) -> Result<(), Trouble> {
        if self.watching.is_some() || self.subscription.has_ended().is_some() {
            return Ok(());
        }
        if let Found::Feed(watching, missing) = self.feeds.watch(&self.subscription, &self.accept, &self.bell)? {
            (self.watching, self.missing) = (Some(watching), missing);
            self.allowance = Allowance::default();
        }
        Ok(())
    }

    /// Skips to the newest group if the viewer is further behind than it may be.
    fn spare_the_slow<W: AsyncWrite + Unpin>(&mut self, mouth: &mut Mouth<W>) {
        let Some(watching) = &mut self.watching else { return };
        let Some(limit) = limit_passed(&mut self.allowance, watching) else { return };
        limit.hit();
        let fragments = watching.cursor.skip_to_newest_group();
        self.allowance = Allowance::default();
        skipped(&mut self.tally, fragments, mouth);
    }
}

fn limit_passed(allowance: &mut Allowance, watching: &Watching) -> Option<&'static Limit> {
    let rate = watching.cursor.parameters()?.clock_rate;
    allowance.limit_passed(watching.cursor.lag(), rate)
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

fn skipped<W: AsyncWrite + Unpin>(tally: &mut Tally, fragments: u64, mouth: &mut Mouth<W>) {
    tally.skip(fragments);
    mouth.text(&Message::Skipped { fragments }.write());
}
