//! The numbers of a source's packets in its lane.

use std::collections::VecDeque;

/// Numbers packets without a gap for those that carry nothing.
///
/// A sender that measures the network may fill up with packets without media, which use up sequence numbers. A gap
/// in a lane means that something was lost, so they are taken out of the count.
#[derive(Debug)]
pub(crate) struct Numbers {
    /// Added to the source's numbers, so that packets older than the first have a number too.
    base: u64,
    /// Numbers of the newest packets without media.
    empty: VecDeque<u64>,
    /// How many there were before those.
    earlier: u64,
    first: Option<u64>,
    highest: u64,
    received: u64,
    missing_before: u64,
}

/// Packets without media that late ones are compared with.
const EMPTY_KEPT: usize = 64;
const CYCLE: u64 = 1 << 16;

impl Default for Numbers {
    fn default() -> Numbers {
        let empty = VecDeque::new();
        Numbers { base: CYCLE, empty, earlier: 0, first: None, highest: 0, received: 0, missing_before: 0 }
    }
}

impl Numbers {
    /// For what comes after a break: what was missing before it is still counted.
    pub(crate) fn after(before: &Numbers) -> Numbers {
        Numbers { missing_before: before.missing(), ..Numbers::default() }
    }

    /// The number in the lane of a packet with this one, extended; `None` if it carries nothing.
    pub(crate) fn number(&mut self, sequence: u64, is_empty: bool) -> Option<u64> {
        let first = *self.first.get_or_insert(sequence);
        self.first = Some(first.min(sequence));
        self.highest = self.highest.max(sequence);
        self.received += 1;
        if is_empty {
            self.empty.push_back(sequence);
            if self.empty.len() > EMPTY_KEPT {
                self.empty.pop_front();
                self.earlier += 1;
            }
            return None;
        }
        let before = self.empty.iter().filter(|empty| **empty < sequence).count() as u64;
        self.base.saturating_add(sequence).checked_sub(self.earlier + before)
    }

    /// How many numbers have not come.
    pub(crate) fn missing(&self) -> u64 {
        let Some(first) = self.first else { return self.missing_before };
        let expected = self.highest.saturating_sub(first).saturating_add(1);
        self.missing_before + expected.saturating_sub(self.received)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_without_media_leave_no_gap_and_losses_do() {
        let mut numbers = Numbers::default();
        let cases = [
            (10, false, Some(10)),
            (11, true, None),
            (12, true, None),
            (13, false, Some(11)),
            (15, false, Some(13)),
            (9, false, Some(9)),
            (14, false, Some(12)),
        ];
        for (sequence, is_empty, expected) in cases {
            let number = numbers.number(sequence, is_empty);
            assert_eq!(number, expected.map(|expected| expected + CYCLE), "{sequence}");
        }
        assert_eq!(numbers.missing(), 0);
        numbers.number(20, false);
        assert_eq!(numbers.missing(), 4);
        assert_eq!(Numbers::after(&numbers).missing(), 4);
    }
}
