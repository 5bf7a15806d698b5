//! From the 16 and 32 bits of the wire to numbers that do not wrap.

use headwater_media::Ticks;

/// Extends sequence numbers to 64 bits (RFC 3550 appendix A.1).
///
/// Packets may come out of order by up to half the range. Numbers begin above 65,535, so that packets older than
/// the first one have a number too.
#[derive(Clone, Debug, Default)]
pub struct SequenceExtender {
    highest: Option<u64>,
}

impl SequenceExtender {
    /// The number of the packet, extended.
    pub fn extend(&mut self, sequence: u16) -> u64 {
        let Some(highest) = self.highest else {
            let first = (1 << 16) + u64::from(sequence);
            self.highest = Some(first);
            return first;
        };
        let ahead = sequence.wrapping_sub(highest as u16) as i16;
        let extended = highest.saturating_add_signed(i64::from(ahead));
        self.highest = Some(highest.max(extended));
        extended
    }
}

/// Extends timestamps to 64 bits.
///
/// They may go back and forth by up to half the range from the one before.
#[derive(Clone, Debug, Default)]
pub struct TimestampExtender {
    last: Option<Ticks>,
}

impl TimestampExtender {
    /// The time of the packet, extended; the first comes back as it is.
    pub fn extend(&mut self, timestamp: u32) -> Ticks {
        let extended = match self.last {
            None => Ticks::from(timestamp),
            Some(last) => {
                let ahead = timestamp.wrapping_sub(last as u32) as i32;
                last.saturating_add(Ticks::from(ahead))
            }
        };
        self.last = Some(extended);
        extended
    }
}
