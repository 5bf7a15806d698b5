//! Tells the peer when packets of the transport have arrived.
//!
//! ```text
//! base number | count | reference time | feedback count | chunks … | deltas … | padding
//!      16         16          24               8           16 each    8 or 16
//! ```
//!
//! Source: draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1.

use std::time::{Duration, Instant};

use crate::egress::rtcp::TRANSPORT_FEEDBACK;

/// Time between two messages, as browsers have it.
const INTERVAL: Duration = Duration::from_millis(100);
/// Packets that are told of at a time; the message leaves early where more have come.
const ARRIVALS_MAX: usize = 128;
/// Numbers that one message spans; of what is older than that nothing is told.
const SPAN_MAX: u64 = 512;
/// What one step of the reference time is, and of a delta.
const REFERENCE_MICROS: i64 = 64_000;
const DELTA_MICROS: i64 = 250;
/// Sources, base, count, reference time and count of messages, behind the first word.
const HEAD_WORDS: usize = 4;

/// A packet that has come.
#[derive(Clone, Copy, Debug)]
struct Arrival {
    number: u64,
    /// Since the session began.
    micros: i64,
}

/// What is to be told of packets' arrivals.
#[derive(Debug)]
pub(super) struct Arrivals {
    epoch: Instant,
    arrived: Vec<Arrival>,
    newest: Option<u64>,
    /// The number behind the last one told of.
    next: Option<u64>,
    due: Option<Instant>,
    messages: u8,
}

impl Arrivals {
    pub(super) fn new(epoch: Instant) -> Arrivals {
        Arrivals { epoch, arrived: Vec::new(), newest: None, next: None, due: None, messages: 0 }
    }

    /// When something is to be told.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// A packet of this number has come.
    #[inline]
    pub(super) fn arrived(&mut self, number: u16, now: Instant) {
        // In the second cycle, so that a number before the first is no less than 0.
        let newest = self.newest.unwrap_or((1 << 16) | u64::from(number));
        let ahead = number.wrapping_sub(newest as u16) as i16;
        let number = newest.saturating_add_signed(i64::from(ahead));
        self.newest = Some(newest.max(number));
        let micros = i64::try_from(now.saturating_duration_since(self.epoch).as_micros()).unwrap_or(i64::MAX);
        if self.arrived.len() < ARRIVALS_MAX {
            self.arrived.push(Arrival { number, micros });
        }
        if self.arrived.len() >= ARRIVALS_MAX {
            self.due = Some(now);
        } else if self.due.is_none() {
            self.due = Some(now + INTERVAL);
        }
    }

    /// Appends a message on what has come since the last.
    pub(super) fn write(&mut self, own: u32, media: u32, into: &mut Vec<u8>) {
        self.due = None;
        // What comes so late that it has been told to be missing stays so.
        self.arrived.retain(|arrival| self.next.is_none_or(|next| arrival.number >= next));
        self.arrived.sort_unstable_by_key(|arrival| arrival.number);
        self.arrived.dedup_by_key(|arrival| arrival.number);
        let Some(last) = self.arrived.last().copied() else { return };
        let oldest = last.number.saturating_sub(SPAN_MAX - 1);
        let first = self.arrived.iter().find(|arrival| arrival.number >= oldest).copied().unwrap_or(last);
        let base = self.next.unwrap_or(first.number).max(oldest);
        self.next = Some(last.number + 1);
        let reference = first.micros.div_euclid(REFERENCE_MICROS);
        let begin = into.len();
        into.extend_from_slice(&[0x8f, TRANSPORT_FEEDBACK, 0, 0]);
        into.extend_from_slice(&own.to_be_bytes());
        into.extend_from_slice(&media.to_be_bytes());
        into.extend_from_slice(&(base as u16).to_be_bytes());
        let count = last.number - base + 1;
        into.extend_from_slice(&(count as u16).to_be_bytes());
        let [_, r0, r1, r2] = (reference as u32).to_be_bytes();
        into.extend_from_slice(&[r0, r1, r2, self.messages]);
        self.messages = self.messages.wrapping_add(1);
        debug_assert_eq!(into.len() - begin, 4 * (HEAD_WORDS + 1));
        let told = self.arrived.iter().filter(|arrival| arrival.number >= base);
        let mut deltas = [0u8; 2 * ARRIVALS_MAX];
        let length = write_chunks(base, count, reference, told, into, &mut deltas);
        into.extend_from_slice(deltas.get(..length).unwrap_or_default());
        self.arrived.clear();
        finish(begin, into);
    }
}

/// Pads a message to whole words, and writes its length.
fn finish(begin: usize, into: &mut Vec<u8>) {
    let unpadded = into.len() - begin;
    let padding = unpadded.next_multiple_of(4) - unpadded;
    into.resize(into.len() + padding, 0);
    if let Some(last) = into.last_mut().filter(|_| padding > 0) {
        *last = padding as u8;
    }
    let words = ((into.len() - begin) / 4 - 1) as u16;
    let head = into.get_mut(begin..).and_then(|message| message.first_chunk_mut::<4>());
    if let Some([first, _, high, low]) = head {
        *first |= if padding > 0 { 0x20 } else { 0 };
        [*high, *low] = words.to_be_bytes();
    }
}

/// Writes what has become of `count` packets from `base` on, seven to a chunk, or as runs (§3.1.3, §3.1.4), and the
/// deltas to their own place (§3.1.5). Says how many bytes those have.
fn write_chunks<'a>(
    base: u64,
    count: u64,
    reference: i64,
    told: impl Iterator<Item = &'a Arrival>,
    into: &mut Vec<u8>,
    deltas: &mut [u8],
) -> usize {
    let mut told = told.peekable();
    let mut before = reference * REFERENCE_MICROS;
    let mut length = 0;
    let mut chunks = Chunks::default();
    for number in base..base + count {
        let Some(arrival) = told.next_if(|arrival| arrival.number == number) else {
            chunks.push(0, into);
            continue;
        };
        // What has been rounded away is in the next delta.
        let delta = (arrival.micros - before).div_euclid(DELTA_MICROS);
        let delta = delta.clamp(i64::from(i16::MIN), i64::from(i16::MAX)) as i16;
        before += i64::from(delta) * DELTA_MICROS;
        let bytes = delta.to_be_bytes();
        let (symbol, bytes) = match bytes {
            [0, low] => (1, &[low][..]),
            _ => (2, &bytes[..]),
        };
        if let Some(to) = deltas.get_mut(length..length + bytes.len()) {
            to.copy_from_slice(bytes);
        }
        length += bytes.len();
        chunks.push(symbol, into);
    }
    chunks.flush(into);
    length
}

/// Symbols on their way into chunks: as a run while they are alike, else seven to a chunk.
#[derive(Default)]
struct Chunks {
    symbols: [u16; 7],
    count: usize,
    /// How many alike there are, once they do not fit the seven.
    run: u16,
}

impl Chunks {
    const RUN_MAX: u16 = 0x1fff;

    fn push(&mut self, symbol: u16, into: &mut Vec<u8>) {
        let [first, ..] = self.symbols;
        if self.run > 0 {
            if symbol == first && self.run < Chunks::RUN_MAX {
                self.run += 1;
                return;
            }
            self.flush(into);
        }
        if let Some(place) = self.symbols.get_mut(self.count) {
            *place = symbol;
            self.count += 1;
        }
        if self.count == self.symbols.len() {
            let [first, rest @ ..] = self.symbols;
            if rest.iter().all(|symbol| *symbol == first) {
                self.run = 7;
            } else {
                self.flush(into);
            }
        }
    }

    fn flush(&mut self, into: &mut Vec<u8>) {
        let [first, ..] = self.symbols;
        let chunk = if self.run > 0 {
            first << 13 | self.run
        } else if self.count > 0 {
            let taken = self.symbols.iter().take(self.count);
            taken.zip((0..7).rev()).fold(0xc000, |chunk, (symbol, place)| chunk | (symbol << (2 * place)))
        } else {
            return;
        };
        into.extend_from_slice(&chunk.to_be_bytes());
        *self = Chunks::default();
    }
}

#[cfg(test)]
mod tests;
