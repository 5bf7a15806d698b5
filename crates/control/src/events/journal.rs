//! The newest events, numbered, and readers that each have a place among them.

use std::{
    collections::VecDeque,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::AcqRel},
    },
    time::SystemTime,
};

use headwater_media::limits;
use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::watch;

use super::ServerEvent;

/// The newest events of a server, at most [`limits::EVENTS_KEPT`]. Cloning is cheap.
#[derive(Clone)]
pub struct Journal(Arc<Inner>);

struct Inner {
    /// Tells the numbers of this run from those of the one before.
    run: String,
    pages: Mutex<Pages>,
    /// The number of the newest event; closed with the journal.
    newest: watch::Sender<u64>,
    readers: AtomicU64,
}

struct Pages {
    /// The number of the first that is kept.
    first: u64,
    kept: VecDeque<Entry>,
    is_closed: bool,
}

/// An event as it is sent.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) id: String,
    pub(crate) name: &'static str,
    pub(crate) json: Arc<str>,
    /// The same without addresses.
    pub(crate) anonymous: Arc<str>,
}

#[derive(Serialize)]
struct Dated<'a> {
    /// Milliseconds since 1970-01-01 UTC.
    time: u64,
    #[serde(flatten)]
    event: &'a ServerEvent,
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal").field("newest", &*self.0.newest.borrow()).finish_non_exhaustive()
    }
}

impl Default for Journal {
    fn default() -> Journal {
        Journal::new()
    }
}

impl Journal {
    /// An empty journal.
    pub fn new() -> Journal {
        let pages = Pages { first: 1, kept: VecDeque::new(), is_closed: false };
        Journal(Arc::new(Inner {
            run: format!("{:x}", milliseconds()),
            pages: Mutex::new(pages),
            newest: watch::Sender::new(0),
            readers: AtomicU64::new(0),
        }))
    }

    /// Adds an event; the oldest makes room.
    pub fn tell(&self, event: &ServerEvent) {
        let pages = &mut *self.0.pages.lock();
        let number = pages.next();
        pages.kept.push_back(self.entry(number, event));
        while pages.kept.len() > limits::EVENTS_KEPT.get_usize().max(1) {
            pages.kept.pop_front();
            pages.first += 1;
        }
        self.0.newest.send_replace(number);
    }

    /// Ends all readers; later ones get what is kept and end.
    pub fn close(&self) {
        self.0.pages.lock().is_closed = true;
        self.0.newest.send_modify(|_| {});
    }

    /// A reader of what comes, or of what came after the event with this id. Nothing if there are as many readers as
    /// may be.
    pub(crate) fn read(&self, after: Option<&str>) -> Option<Reader> {
        let seat = Seat::take(self)?;
        let pages = self.0.pages.lock();
        let known = after.and_then(|id| id.split_once('-'));
        let number = known.and_then(|(_, number)| number.parse::<u64>().ok());
        let (next, is_of_another_run) = match (known, number) {
            (Some((run, _)), Some(number)) if run == self.0.run => {
                (number.saturating_add(1).clamp(1, pages.next()), false)
            }
            (Some(_), Some(_)) => (pages.first, true),
            _ => (pages.next(), false),
        };
        drop(pages);
        Some(Reader { newest: self.0.newest.subscribe(), next, is_of_another_run, seat })
    }

    fn entry(&self, number: u64, event: &ServerEvent) -> Entry {
        let time = milliseconds();
        let write = |event: &ServerEvent| Arc::from(serde_json::to_string(&Dated { time, event }).unwrap_or_default());
        let json: Arc<str> = write(event);
        let anonymous = event.without_address().map_or_else(|| json.clone(), |event| write(&event));
        Entry { id: format!("{}-{number}", self.0.run), name: event.name(), json, anonymous }
    }
}

impl Pages {
    /// The number of the event that comes next.
    fn next(&self) -> u64 {
        self.first + self.kept.len() as u64
    }
}

fn milliseconds() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// A place in the journal.
pub(crate) struct Reader {
    newest: watch::Receiver<u64>,
    /// The number of the event to be read next.
    next: u64,
    /// Whether it had read events of an earlier run of the server, and is to be told so.
    is_of_another_run: bool,
    seat: Seat,
}

impl Reader {
    /// The next event, or word of those that are no longer kept; `None` once the journal is closed.
    pub(crate) async fn next(&mut self) -> Option<Entry> {
        loop {
            self.newest.borrow_and_update();
            if let Some(read) = self.read_now() {
                return read;
            }
            self.newest.changed().await.ok()?;
        }
    }

    /// What there is to be read, `Some(None)` at the end, `None` if it has to be waited for.
    fn read_now(&mut self) -> Option<Option<Entry>> {
        let journal = &self.seat.0;
        let pages = journal.0.pages.lock();
        if std::mem::take(&mut self.is_of_another_run) {
            return Some(Some(journal.entry(self.next - 1, &ServerEvent::Lost { count: None })));
        }
        if self.next < pages.first {
            limits::EVENTS_KEPT.hit();
            let lost = ServerEvent::Lost { count: Some(pages.first - self.next) };
            self.next = pages.first;
            return Some(Some(journal.entry(pages.first - 1, &lost)));
        }
        let index = usize::try_from(self.next - pages.first).ok()?;
        match pages.kept.get(index) {
            Some(entry) => {
                self.next += 1;
                Some(Some(entry.clone()))
            }
            None => pages.is_closed.then_some(None),
        }
    }
}

/// The right to read.
struct Seat(Journal);

impl Seat {
    fn take(journal: &Journal) -> Option<Seat> {
        // Counted first, so that two at a time cannot both be the last.
        let before = journal.0.readers.fetch_add(1, AcqRel);
        let seat = Seat(journal.clone());
        if before >= limits::EVENTS_READERS.get() {
            limits::EVENTS_READERS.hit();
            return None;
        }
        Some(seat)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.0.readers.fetch_sub(1, AcqRel);
    }
}
