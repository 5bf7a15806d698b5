//! What sessions have carried: totals that outlive them, and rates of those that live.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::{Either, select};
use headwater_graph::{Event, Hub, Rendition, Viewer};
use parking_lot::Mutex;

use crate::metrics::Record;

/// Adds up what the hub's streams and viewers have carried.
#[derive(Debug, Default)]
pub(crate) struct Accounts(Mutex<Books>);

/// How much of something passes now.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Rate {
    /// Bits in a second.
    pub(crate) bits: f64,
    /// Frames in a second.
    pub(crate) frames: f64,
}

/// By name, protocol and direction.
type Totals = BTreeMap<(&'static str, &'static str, Option<&'static str>), u64>;

#[derive(Debug, Default)]
struct Books {
    totals: Totals,
    renditions: HashMap<usize, Account<Rendition>>,
    viewers: HashMap<usize, Account<Viewer>>,
}

/// One rendition or viewer. Holding it keeps its figures readable for one more sample after it is gone.
#[derive(Debug)]
struct Account<T> {
    of: Arc<T>,
    protocol: &'static str,
    counted: Figures,
    /// Where the rate is measured from.
    since: Option<(Instant, Figures)>,
    rate: Option<Rate>,
    alive: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Figures {
    bytes: u64,
    items: u64,
    frames: u64,
}

/// Rates are means over at least this time.
const SAMPLE_TIME: Duration = Duration::from_secs(2);
/// Viewers that stay for less than this may go without their bytes being counted.
const NEWCOMER_TIME: Duration = Duration::from_millis(200);

impl Accounts {
    /// Keeps the books until dropped.
    pub(crate) async fn keep(&self, hub: &Hub) {
        let mut events = hub.events();
        loop {
            let sleep = hub.environment().sleep(SAMPLE_TIME);
            let mut sleep = std::pin::pin!(sleep);
            let mut newcomers = false;
            loop {
                let next = std::pin::pin!(events.next());
                match select(next, sleep.as_mut()).await {
                    Either::Left((Some(event), _)) => {
                        self.count(&event);
                        if matches!(event, Event::ViewerJoined { .. }) && !newcomers {
                            newcomers = true;
                            sleep.set(hub.environment().sleep(NEWCOMER_TIME));
                        }
                    }
                    Either::Left((None, _)) => return,
                    Either::Right(_) => break,
                }
            }
            self.sample(hub);
        }
    }

    /// Brings totals and rates up to date.
    pub(crate) fn sample(&self, hub: &Hub) {
        let now = hub.environment().now();
        let books = &mut *self.0.lock();
        for stream in hub.streams() {
            let protocol = stream.source().protocol;
            for track in stream.tracks().iter() {
                meet(&mut books.renditions, track.native(), protocol);
            }
            for viewer in stream.viewers() {
                let protocol = viewer.peer().protocol;
                meet(&mut books.viewers, &viewer, protocol);
            }
        }
        let totals = &mut books.totals;
        settle(&mut books.renditions, now, rendition_figures, |protocol, grown| {
            add(totals, "media_bytes", protocol, Some("in"), grown.bytes);
            add(totals, "media_items", protocol, Some("in"), grown.items);
        });
        settle(&mut books.viewers, now, viewer_figures, |protocol, grown| {
            add(totals, "media_bytes", protocol, Some("out"), grown.bytes)
        });
    }

    /// How much a rendition carries; `None` before it has been watched for a while.
    pub(crate) fn rendition_rate(&self, rendition: &Arc<Rendition>) -> Option<Rate> {
        self.0.lock().renditions.get(&key(rendition))?.rate
    }

    /// How much a viewer is sent; `None` before it has been watched for a while.
    pub(crate) fn viewer_rate(&self, viewer: &Arc<Viewer>) -> Option<Rate> {
        self.0.lock().viewers.get(&key(viewer))?.rate
    }

    /// Bytes that publishers have sent, and that viewers have been sent.
    pub(crate) fn carried(&self) -> (u64, u64) {
        let books = self.0.lock();
        let sum = |wanted: &str| {
            let totals =
                books.totals.iter().filter(|((name, _, way), _)| *name == "media_bytes" && *way == Some(wanted));
            totals.map(|(_, total)| *total).fold(0, u64::saturating_add)
        };
        (sum("in"), sum("out"))
    }

    pub(crate) fn read(&self, record: &mut Record<'_>) {
        for ((name, protocol, direction), total) in &self.0.lock().totals {
            let labels = direction.map_or((*protocol).to_owned(), |direction| format!("{protocol},{direction}"));
            record(name, &labels, *total as f64);
        }
    }

    fn count(&self, event: &Event) {
        let totals = &mut self.0.lock().totals;
        match event {
            Event::Published { peer, .. } | Event::Resumed { peer, .. } => {
                add(totals, "publishers_opened", peer.protocol, None, 1);
            }
            Event::Unpublished { .. } => add(totals, "streams_ended", "", None, 1),
            Event::ViewerJoined { peer, .. } => add(totals, "viewers_opened", peer.protocol, None, 1),
            Event::ViewerLeft { peer, .. } => add(totals, "viewers_closed", peer.protocol, None, 1),
            _ => {}
        }
    }
}

fn add(totals: &mut Totals, name: &'static str, protocol: &'static str, direction: Option<&'static str>, more: u64) {
    *totals.entry((name, protocol, direction)).or_insert(0) += more;
}

fn key<T>(of: &Arc<T>) -> usize {
    // The account holds the Arc, so no other can have its address meanwhile.
    Arc::as_ptr(of) as usize
}

fn meet<T>(accounts: &mut HashMap<usize, Account<T>>, of: &Arc<T>, protocol: &'static str) {
    let account = accounts.entry(key(of)).or_insert_with(|| Account {
        of: of.clone(),
        protocol,
        counted: Figures::default(),
        since: None,
        rate: None,
        alive: true,
    });
    account.alive = true;
    account.protocol = protocol;
}

/// Reads all accounts, tells what has been added to each, and closes those that were not met this time.
fn settle<T>(
    accounts: &mut HashMap<usize, Account<T>>,
    now: Instant,
    figures: fn(&T) -> Figures,
    mut grown: impl FnMut(&'static str, Figures),
) {
    accounts.retain(|_, account| {
        let current = figures(&account.of);
        grown(account.protocol, current.since(account.counted));
        account.counted = current;
        account.measure(now, current);
        std::mem::replace(&mut account.alive, false)
    });
}

impl<T> Account<T> {
    fn measure(&mut self, now: Instant, current: Figures) {
        let (begun, before) = *self.since.get_or_insert((now, current));
        let time = now.saturating_duration_since(begun);
        if time >= SAMPLE_TIME {
            let grown = current.since(before);
            let seconds = time.as_secs_f64();
            self.rate = Some(Rate { bits: grown.bytes as f64 * 8.0 / seconds, frames: grown.frames as f64 / seconds });
            self.since = Some((now, current));
        }
    }
}

impl Figures {
    fn since(self, before: Figures) -> Figures {
        Figures {
            bytes: self.bytes.saturating_sub(before.bytes),
            items: self.items.saturating_sub(before.items),
            frames: self.frames.saturating_sub(before.frames),
        }
    }
}

fn rendition_figures(rendition: &Rendition) -> Figures {
    let statistics = rendition.statistics();
    Figures { bytes: statistics.bytes, items: statistics.items, frames: statistics.frames }
}

fn viewer_figures(viewer: &Viewer) -> Figures {
    Figures { bytes: viewer.bytes_sent(), ..Figures::default() }
}
