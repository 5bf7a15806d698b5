//! Which of a source's packets have come.

/// Packets up to the newest whose coming is remembered: four seconds of 2 Mbit/s. A multiple of 64.
const WIDTH: u64 = 1_024;
const WORDS: usize = (WIDTH / 64) as usize;

/// How a packet's number stands to those that came before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The newest. So many between it and the newest before have not come.
    Newest { missing: u64 },
    /// One that was missing.
    Late,
    /// One from before the first, which nobody knew to be missing.
    Before,
    /// It has come before, or is too old to tell.
    Known,
}

/// Which of the latest numbers have come.
///
/// It is the replay list of SRTP as well (RFC 3711 §3.3.2): only numbers of packets that have been opened are given to
/// [`Window::accept`].
#[derive(Clone, Debug, Default)]
pub(super) struct Window {
    /// `None` before the first.
    newest: Option<u64>,
    /// Bit `n % WIDTH` stands for number `n`, of those not older than the window.
    seen: [u64; WORDS],
}

impl Window {
    pub(super) fn newest(&self) -> Option<u64> {
        self.newest
    }

    /// The extended form of a number: that closest to the newest. `None` if it would be before the first of all.
    ///
    /// Source: RFC 3711 §3.3.1. A source begins in cycle 0.
    #[inline]
    pub(super) fn extend(&self, sequence: u16) -> Option<u64> {
        let Some(newest) = self.newest else {
            return Some(u64::from(sequence));
        };
        let ahead = sequence.wrapping_sub(newest as u16) as i16;
        newest.checked_add_signed(i64::from(ahead))
    }

    /// Takes note of a number.
    #[inline]
    pub(super) fn accept(&mut self, number: u64) -> Place {
        let Some(newest) = self.newest else {
            self.newest = Some(number);
            self.set(number);
            return Place::Newest { missing: 0 };
        };
        if number > newest {
            let missing = number - newest - 1;
            (0..missing.min(WIDTH)).for_each(|behind| self.clear(number - 1 - behind));
            self.newest = Some(number);
            self.set(number);
            return Place::Newest { missing };
        }
        if newest - number >= WIDTH || self.is_set(number) {
            return Place::Known;
        }
        self.set(number);
        Place::Late
    }

    fn bit(number: u64) -> (usize, u64) {
        let place = number % WIDTH;
        ((place / 64) as usize, 1 << (place % 64))
    }

    fn set(&mut self, number: u64) {
        let (word, bit) = Window::bit(number);
        if let Some(word) = self.seen.get_mut(word) {
            *word |= bit;
        }
    }

    fn clear(&mut self, number: u64) {
        let (word, bit) = Window::bit(number);
        if let Some(word) = self.seen.get_mut(word) {
            *word &= !bit;
        }
    }

    fn is_set(&self, number: u64) -> bool {
        let (word, bit) = Window::bit(number);
        self.seen.get(word).is_some_and(|word| word & bit != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn numbers_are_extended_over_wraps_both_ways() {
        let mut window = Window::default();
        assert_eq!(window.extend(65_530), Some(65_530));
        window.accept(65_530);
        assert_eq!(window.extend(3), Some(65_539));
        window.accept(65_539);
        assert_eq!(window.extend(65_535), Some(65_535));
        let mut young = Window::default();
        young.accept(3);
        assert_eq!(young.extend(65_535), None, "before the first of all");
    }

    #[test]
    fn every_number_is_taken_once_whatever_the_order() {
        let (mut window, mut taken) = (Window::default(), HashSet::new());
        let (mut head, mut seed) = (5_000u64, 1u64);
        for _ in 0..200_000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let number = match seed >> 33 & 63 {
                0 => head + (seed >> 40) % 3_000,
                1..20 => head - (seed >> 40) % 1_500,
                _ => head + 1,
            };
            head = head.max(number);
            if window.accept(number) != Place::Known {
                assert!(taken.insert(number), "{number} is taken twice");
            }
        }
        assert!(taken.len() > 100_000);
    }

    #[test]
    fn places_say_what_is_missing_and_what_is_late() {
        let mut window = Window::default();
        let newest = |missing| Place::Newest { missing };
        let steps = [
            (10, newest(0)),
            (11, newest(0)),
            (11, Place::Known),
            (14, newest(2)),
            (12, Place::Late),
            (12, Place::Known),
            (9, Place::Late),
            (14 + WIDTH, newest(WIDTH - 1)),
            (14, Place::Known),
            (15, Place::Late),
            (10_000_000, newest(10_000_000 - 14 - WIDTH - 1)),
            (9_999_999, Place::Late),
        ];
        for (number, expected) in steps {
            assert_eq!(window.accept(number), expected, "{number}");
        }
    }
}
