//! Which of the latest numbers have been seen.

/// Numbers that a window remembers.
const WIDTH: u64 = 128;

/// The highest number seen, and which of the 128 up to it.
///
/// Source: RFC 3711 §3.3.2.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ReplayWindow {
    highest: u64,
    /// Bit `n` stands for `highest - n`. 0 while nothing has been seen.
    seen: u128,
}

impl ReplayWindow {
    /// Whether a number is new; it is not from then on. Numbers older than the window are never new.
    #[inline]
    pub(crate) fn accept(&mut self, number: u64) -> bool {
        if self.seen == 0 || number > self.highest {
            let ahead = number.wrapping_sub(self.highest);
            let kept = if self.seen != 0 && ahead < WIDTH { self.seen << ahead } else { 0 };
            *self = ReplayWindow { highest: number, seen: kept | 1 };
            return true;
        }
        let behind = self.highest - number;
        if behind >= WIDTH {
            return false;
        }
        let bit = 1u128 << behind;
        let is_new = self.seen & bit == 0;
        self.seen |= bit;
        is_new
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn nothing_is_new_twice_whatever_the_order() {
        let mut window = ReplayWindow::default();
        let mut accepted = HashSet::new();
        let mut number = 1u64;
        for turn in 0..(1u64 << 20) {
            // A walk that goes forward on the whole, with steps back of up to 300.
            number = (number + turn.wrapping_mul(0x9e37_79b9_7f4a_7c15) % 7).saturating_sub(turn % 300 / 299 * 300);
            if window.accept(number) {
                assert!(accepted.insert(number), "{number} is taken twice");
            }
        }
        assert!(accepted.len() > 100_000);
    }

    #[test]
    fn late_numbers_are_taken_once_and_old_ones_never() {
        let mut window = ReplayWindow::default();
        let taken: Vec<bool> =
            [5, 5, 7, 6, 6, 135, 7, 8, 9, 1_000, 872, 873].into_iter().map(|number| window.accept(number)).collect();
        let expected = [true, false, true, true, false, true, false, true, true, true, false, true];
        assert_eq!(taken, expected);
    }

    #[test]
    fn zero_is_a_number_like_any_other() {
        let mut window = ReplayWindow::default();
        assert!(window.accept(0));
        assert!(!window.accept(0));
        assert!(window.accept(1));
    }
}
