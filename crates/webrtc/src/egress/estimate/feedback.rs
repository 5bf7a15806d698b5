//! Reads transport-wide feedback: which packets have arrived, and when.
//!
//! ```text
//! sender's SSRC | media's SSRC | base number | count | reference time | feedback count | chunks … | deltas … | padding
//!      32             32            16          16          24               8            16 each    0, 8 or 16
//! ```
//!
//! Source: draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1.

/// Length of what stands before the chunks.
const HEAD_BYTES: usize = 16;
/// What one step of the reference time is, and of a delta.
pub(super) const REFERENCE_MICROS: i64 = 64_000;
pub(super) const DELTA_MICROS: i64 = 250;
/// The reference time wraps here.
pub(super) const REFERENCE_BITS: u32 = 24;

/// A feedback packet that holds what it promises.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Report<'a> {
    base: u16,
    count: u16,
    /// In steps of 64 ms on the peer's clock, 24 bits.
    pub(crate) reference: u32,
    chunks: &'a [u8],
    deltas: &'a [u8],
}

/// What a report says of packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// So many packets from this number on have not arrived.
    Missing { first: u16, count: u16 },
    /// A packet has arrived, so many microseconds after the reference time (or before).
    Arrived { number: u16, micros: i64 },
}

impl<'a> Report<'a> {
    /// Reads a packet behind its first word. `None` if it does not hold as many chunks and deltas as it says, tells
    /// of no packet, or uses a symbol that means nothing.
    pub(crate) fn parse(body: &'a [u8]) -> Option<Report<'a>> {
        let (head, rest) = body.split_at_checked(HEAD_BYTES)?;
        let [_, _, _, _, _, _, _, _, b0, b1, c0, c1, r0, r1, r2, _] = *head.first_chunk::<HEAD_BYTES>()?;
        let base = u16::from_be_bytes([b0, b1]);
        let count = u16::from_be_bytes([c0, c1]);
        if count == 0 {
            return None;
        }
        let (chunks, delta_bytes) = measure(rest, count)?;
        let (chunks, deltas) = rest.split_at_checked(chunks)?;
        let deltas = deltas.get(..delta_bytes)?;
        Some(Report { base, count, reference: u32::from_be_bytes([0, r0, r1, r2]), chunks, deltas })
    }

    /// How many bytes of the packet it takes, without padding.
    #[cfg(test)]
    pub(crate) fn length(&self) -> usize {
        HEAD_BYTES + self.chunks.len() + self.deltas.len()
    }

    /// What it says, in the order of numbers.
    pub(crate) fn statuses(&self) -> Statuses<'a> {
        Statuses {
            chunks: self.chunks,
            deltas: self.deltas,
            number: self.base,
            left: self.count,
            chunk: Chunk(0),
            place: 0,
            micros: 0,
        }
    }
}

/// How many bytes of chunks tell of `count` packets, and how many bytes of deltas belong to them.
fn measure(chunks: &[u8], count: u16) -> Option<(usize, usize)> {
    let mut left = count;
    let (mut chunk_bytes, mut delta_bytes) = (0, 0);
    for chunk in chunks.as_chunks::<2>().0 {
        let chunk = Chunk(u16::from_be_bytes(*chunk));
        let told = chunk.length().min(left);
        delta_bytes += chunk.delta_bytes(told)?;
        chunk_bytes += 2;
        left -= told;
        if left == 0 {
            return Some((chunk_bytes, delta_bytes));
        }
    }
    None
}

/// Statuses of some packets in a row (§3.1.3, §3.1.4).
#[derive(Clone, Copy, Debug)]
struct Chunk(u16);

impl Chunk {
    fn is_run(self) -> bool {
        self.0 & 0x8000 == 0
    }

    /// Of how many packets it tells.
    fn length(self) -> u16 {
        match self.0 >> 14 {
            0 | 1 => self.0 & 0x1fff,
            2 => 14,
            _ => 7,
        }
    }

    /// 0: not arrived; 1, 2: arrived, with a delta of so many bytes; 3: nothing that is known.
    fn symbol(self, place: u16) -> u16 {
        match self.0 >> 14 {
            0 | 1 => self.0 >> 13 & 3,
            2 => self.0.checked_shr(u32::from(13u16.saturating_sub(place))).unwrap_or(0) & 1,
            _ => self.0.checked_shr(u32::from(6u16.saturating_sub(place)) * 2).unwrap_or(0) & 3,
        }
    }

    /// Bytes of the deltas of its first packets. `None` for a symbol that is not known.
    fn delta_bytes(self, told: u16) -> Option<usize> {
        if self.is_run() {
            let symbol = usize::from(self.symbol(0));
            return (symbol < 3 || told == 0).then(|| symbol.saturating_mul(usize::from(told)));
        }
        (0..told).try_fold(0, |bytes, place| match self.symbol(place) {
            3 => None,
            symbol => Some(bytes + usize::from(symbol)),
        })
    }
}

/// What a report says, one after the other. The absence of many in a row is told at once, so that a few bytes cannot
/// cause much work.
#[derive(Clone, Debug)]
pub(crate) struct Statuses<'a> {
    chunks: &'a [u8],
    deltas: &'a [u8],
    number: u16,
    left: u16,
    chunk: Chunk,
    /// How many packets of the chunk have been told of.
    place: u16,
    micros: i64,
}

impl Iterator for Statuses<'_> {
    type Item = Status;

    fn next(&mut self) -> Option<Status> {
        if self.left == 0 {
            return None;
        }
        while self.place >= self.chunk.length() {
            let (chunk, rest) = self.chunks.split_first_chunk::<2>()?;
            self.chunk = Chunk(u16::from_be_bytes(*chunk));
            self.chunks = rest;
            self.place = 0;
        }
        let first = self.number;
        let symbol = self.chunk.symbol(self.place);
        let count = match symbol {
            0 if self.chunk.is_run() => self.chunk.length().min(self.left),
            _ => 1,
        };
        self.place = self.place.saturating_add(count);
        self.left = self.left.saturating_sub(count);
        self.number = first.wrapping_add(count);
        if symbol == 0 {
            return Some(Status::Missing { first, count });
        }
        self.micros = self.micros.saturating_add(self.delta(symbol)?.saturating_mul(DELTA_MICROS));
        Some(Status::Arrived { number: first, micros: self.micros })
    }
}

impl Statuses<'_> {
    /// The next delta, in steps (§3.1.5).
    fn delta(&mut self, bytes: u16) -> Option<i64> {
        if bytes == 1 {
            let (delta, rest) = self.deltas.split_first()?;
            self.deltas = rest;
            return Some(i64::from(*delta));
        }
        let (delta, rest) = self.deltas.split_first_chunk::<2>()?;
        self.deltas = rest;
        Some(i64::from(i16::from_be_bytes(*delta)))
    }
}
