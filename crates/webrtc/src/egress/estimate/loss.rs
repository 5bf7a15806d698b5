//! How many packets are lost, and whether that is more than chance.

/// How long one period of counting is, in microseconds, and how many packets it needs.
const PERIOD_MICROS: i64 = 1_000_000;
const PACKETS_MIN: u32 = 20;
/// More than this share of lost packets is congestion, less than the other is none.
const MANY: f64 = 0.10;
const FEW: f64 = 0.02;

/// Counts the packets of the period that goes on, and of the one before it.
#[derive(Debug, Default)]
pub(super) struct Loss {
    current: Counts,
    previous: Counts,
    began: i64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    reported: u32,
    lost: u32,
}

impl Loss {
    pub(super) fn arrived(&mut self, was_lost: bool) {
        if was_lost {
            let Counts { lost, .. } = if self.current.lost > 0 { &mut self.current } else { &mut self.previous };
            *lost = lost.saturating_sub(1);
        } else {
            self.current.reported = self.current.reported.saturating_add(1);
        }
    }

    pub(super) fn lost(&mut self) {
        self.current.reported = self.current.reported.saturating_add(1);
        self.current.lost = self.current.lost.saturating_add(1);
    }

    /// Share of the packets lost in this period and the last, 0.0 to 1.0.
    pub(super) fn share(&self) -> f64 {
        let reported = self.current.reported.saturating_add(self.previous.reported);
        let lost = self.current.lost.saturating_add(self.previous.lost);
        if reported == 0 { 0.0 } else { f64::from(lost) / f64::from(reported) }
    }

    /// So little that the rate may rise by itself.
    pub(super) fn is_low(&self) -> bool {
        self.share() < FEW
    }

    /// Not so much that more would make it worse.
    pub(super) fn allows_probe(&self) -> bool {
        self.share() < MANY
    }

    /// The share that is lost, if it is beyond doubt that it is more than what is put up with. Begins a new period by
    /// it, so that a loss is held against the network once.
    ///
    /// Of packets that are lost by chance, twice the root of their number more or less are lost in a period.
    pub(super) fn is_high(&mut self, now: i64) -> Option<f64> {
        let (reported, lost) = (f64::from(self.current.reported), f64::from(self.current.lost));
        let is_high = self.current.reported >= PACKETS_MIN && lost - 2.0 * lost.sqrt() > MANY * reported;
        if is_high || (now - self.began >= PERIOD_MICROS && self.current.reported >= PACKETS_MIN) {
            self.previous = std::mem::take(&mut self.current);
            self.began = now;
        }
        is_high.then(|| lost / reported)
    }
}
