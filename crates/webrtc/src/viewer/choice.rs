//! Which of several renditions a viewer's network carries, and when to go over to another.
//!
//! Going down is quick, as a picture that stands still is worse than a small one. Going up is slow, and slower each
//! time that it proved to be too early.

use std::time::{Duration, Instant};

/// What a viewer wants to see of a source that sends its picture in several renditions at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum RenditionChoice {
    /// What its network carries.
    #[default]
    Auto,
    /// The one of this label, whatever its network carries.
    Only(String),
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Move {
    Stay,
    /// Go to the rendition of this number.
    Go(usize),
    /// Find out whether the network carries this many bits per second.
    Probe(u64),
}

/// Time between two looks at the renditions of a source that has several.
pub(super) const INTERVAL: Duration = Duration::from_millis(250);
/// The same for a source that has one.
pub(super) const INTERVAL_IDLE: Duration = Duration::from_secs(1);

/// A network has to carry this much more, in hundredths, than the rendition that is gone up to.
const MARGIN_UP: u64 = 120;
/// It is gone down when the network carries less, in hundredths, than the present one, twice in a row,
const MARGIN_DOWN: u64 = 95;
/// or once when it carries far less.
const MARGIN_DOWN_AT_ONCE: u64 = 60;
/// The rendition gone down to has to fit with something to spare, in hundredths.
const MARGIN_FITS: u64 = 90;
/// How long it stays after a move before it goes up,
const PATIENCE_MIN: Duration = Duration::from_secs(2);
/// and the most that this grows to when going up proves to be wrong.
const PATIENCE_MAX: Duration = Duration::from_secs(60);
/// Going up was wrong if it is gone down again within this time, and right otherwise.
const PROOF: Duration = Duration::from_secs(15);

/// Chooses for one viewer.
#[derive(Debug)]
pub(super) struct Chooser {
    moved: Instant,
    went_up: bool,
    patience: Duration,
    /// The network carried too little when last looked at.
    is_short: bool,
}

impl Chooser {
    pub(super) fn new(now: Instant) -> Chooser {
        Chooser { moved: now, went_up: false, patience: PATIENCE_MIN, is_short: false }
    }

    /// Decides. `rates` are what the renditions that come now take, in bits per second, the smallest first; `current`
    /// is the one that the viewer gets; `carried` is what its network carries.
    pub(super) fn decide(&mut self, rates: &[u64], current: usize, carried: u64, now: Instant) -> Move {
        let Some(&rate) = rates.get(current) else {
            return Move::Go(rates.len().saturating_sub(1));
        };
        let is_below = |hundredths: u64| carried < rate.saturating_mul(hundredths) / 100;
        let was_short = std::mem::replace(&mut self.is_short, is_below(MARGIN_DOWN));
        if current > 0 && (is_below(MARGIN_DOWN_AT_ONCE) || (was_short && self.is_short)) {
            let fits = |rate: &u64| *rate <= carried.saturating_mul(MARGIN_FITS) / 100;
            let to = rates.iter().take(current).rposition(fits).unwrap_or(0);
            return self.go(to, false, now);
        }
        let settled = now.saturating_duration_since(self.moved);
        if self.went_up && settled >= PROOF {
            (self.went_up, self.patience) = (false, PATIENCE_MIN);
        }
        let above = current.saturating_add(1);
        let Some(&next) = rates.get(above).filter(|_| settled >= self.patience) else {
            return Move::Stay;
        };
        let wanted = next.saturating_mul(MARGIN_UP) / 100;
        if carried < wanted {
            return Move::Probe(wanted);
        }
        let fits = |rate: &u64| rate.saturating_mul(MARGIN_UP) / 100 <= carried;
        self.go(rates.iter().rposition(fits).unwrap_or(above).max(above), true, now)
    }

    fn go(&mut self, to: usize, up: bool, now: Instant) -> Move {
        let was_wrong = !up && self.went_up && now.saturating_duration_since(self.moved) < PROOF;
        if was_wrong {
            self.patience = (self.patience * 2).min(PATIENCE_MAX);
        }
        (self.moved, self.went_up, self.is_short) = (now, up, false);
        Move::Go(to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATES: [u64; 3] = [150_000, 500_000, 1_700_000];

    /// The rendition at each look, when the network carries this much at that time. Probes find out the truth.
    fn run(seconds: u64, carried: impl Fn(f64) -> u64) -> Vec<usize> {
        let start = Instant::now();
        let mut chooser = Chooser::new(start);
        let (mut current, mut known) = (2, u64::MAX);
        let looks = seconds * 1_000 / INTERVAL.as_millis() as u64;
        (1..=looks)
            .map(|look| {
                let passed = INTERVAL * look as u32;
                let truth = carried(passed.as_secs_f64());
                // Without a probe nobody knows of more than twice what is sent.
                known = truth.min(known.max(RATES[current] * 3 / 2));
                match chooser.decide(&RATES, current, known, start + passed) {
                    Move::Stay => {}
                    Move::Go(to) => current = to,
                    Move::Probe(wanted) => known = known.max(truth.min(wanted)),
                }
                current
            })
            .collect()
    }

    fn moves(currents: &[usize]) -> Vec<usize> {
        let mut moves = currents.to_vec();
        moves.dedup();
        moves
    }

    #[test]
    fn a_network_that_carries_the_best_gets_the_best() {
        assert_eq!(moves(&run(60, |_| 5_000_000)), [2]);
    }

    #[test]
    fn what_does_not_fit_is_left_within_half_a_second_and_come_back_to() {
        let narrow = |seconds: f64| if (10.0..20.0).contains(&seconds) { 700_000 } else { 5_000_000 };
        let currents = run(40, narrow);
        assert_eq!(moves(&currents), [2, 1, 2]);
        let at = |seconds: usize| currents[seconds * 4 - 1];
        assert_eq!((currents[38], currents[41], at(24)), (2, 1, 2));
    }

    #[test]
    fn the_smallest_is_kept_when_nothing_fits() {
        assert_eq!(moves(&run(60, |_| 50_000)), [0]);
    }

    #[test]
    fn a_network_between_two_renditions_is_not_swung_upon() {
        let currents = run(300, |_| 1_800_000);
        assert_eq!(moves(&currents), [2], "it carries the best, if barely");
        let currents = run(300, |seconds| if seconds as u64 % 20 < 10 { 450_000 } else { 900_000 });
        let count = moves(&currents).len();
        assert!(count <= 24, "{count} moves in five minutes");
        assert!(moves(&currents[..400]).len() > moves(&currents[800..]).len(), "it learns to wait");
    }

    #[test]
    fn a_rendition_that_is_gone_is_left() {
        let now = Instant::now();
        assert_eq!(Chooser::new(now).decide(&RATES[..2], 2, 5_000_000, now), Move::Go(1));
    }
}
