//! A server that takes all renditions of a picture at once: what the network carries of them.

use std::time::Instant;

use headwater_media::TrackKind;
use smallvec::SmallVec;

use super::{
    Surroundings, Viewer,
    choice::{INTERVAL, INTERVAL_IDLE, Move},
    probe,
    rungs::Rung,
};

/// Which of the renditions are held back, by their labels.
#[derive(Debug, Default)]
pub(super) struct Held(SmallVec<[String; 2]>);

impl Held {
    fn holds(&self, label: &str) -> bool {
        self.0.iter().any(|held| held == label)
    }

    fn set(&mut self, label: &str, is_held: bool) {
        self.0.retain(|held| held != label);
        if is_held {
            self.0.push(label.to_owned());
        }
    }
}

impl Viewer {
    /// Whether the peer takes several renditions at once.
    pub(super) fn takes_renditions(&self) -> bool {
        self.outlets.iter().any(|outlet| outlet.label().is_some())
    }

    /// Looks at the renditions that come, and at what the network carries: what it does not carry is held back, the
    /// largest first. One that comes anew is sent.
    ///
    /// Where the source sends none of them any more but one picture alone, that is sent in the place of the first.
    #[cold]
    pub(super) fn select_all(&mut self, around: &mut Surroundings<'_>) {
        let now = around.now;
        self.look_at = now + INTERVAL_IDLE;
        let Some(track) = self.subscription.stream().track(TrackKind::Video) else {
            return;
        };
        let known = track.labels();
        let is_known = |label: &str| known.iter().any(|known| known == label);
        let mut with_label = self.outlets.iter_mut().filter(|outlet| outlet.label().is_some());
        if !with_label.any(|outlet| outlet.label().is_some_and(is_known)) {
            self.egress.forget_estimate();
            let first = self.outlets.iter_mut().find(|outlet| outlet.label().is_some());
            return first.into_iter().for_each(|outlet| outlet.go_over_to_best(&track, &self.subscription, &self.bell));
        }
        self.look_at = now + INTERVAL;
        let mut rungs = self.selection.rungs.look(&track, now);
        rungs.retain(|rung| self.outlets.iter().any(|outlet| outlet.label() == rung.rendition.label()));
        self.hold_what_is_too_much(&rungs, around);
        let Viewer { outlets, selection, subscription, bell, .. } = self;
        for outlet in outlets {
            match outlet.label() {
                Some(label) if selection.held.holds(label) => outlet.hold(),
                Some(_) => outlet.follow(&track, subscription, bell),
                None => {}
            }
        }
    }

    fn hold_what_is_too_much(&mut self, rungs: &[Rung], around: &mut Surroundings<'_>) {
        let Some(carried) = self.egress.estimator(around.now).and_then(|estimator| estimator.rate()) else {
            return;
        };
        let labels: SmallVec<[&str; 4]> = rungs.iter().filter_map(|rung| rung.rendition.label()).collect();
        let held = &self.selection.held;
        let Some(current) = labels.iter().rposition(|label| !held.holds(label)).or(labels.len().checked_sub(1)) else {
            return;
        };
        let top = match self.selection.chooser.decide(&sums(rungs), current, carried, around.now) {
            Move::Stay => current,
            Move::Go(to) => {
                tracing::debug!(carried, to, of = labels.len(), "a server is sent other renditions than before");
                to
            }
            Move::Probe(wanted) => {
                self.find_out(wanted, labels.get(current).copied(), around);
                current
            }
        };
        for (place, label) in labels.into_iter().enumerate() {
            self.selection.held.set(label, place > top);
        }
    }

    /// Finds out whether the network carries this many bits per second.
    fn find_out(&mut self, wanted: u64, label: Option<&str>, around: &mut Surroundings<'_>) {
        let now: Instant = around.now;
        let bytes = self.egress.estimator(now).map_or(0, |estimator| estimator.probe(wanted, now));
        let outlet = self.outlets.iter().find(|outlet| outlet.label().is_some() && outlet.label() == label);
        if let (1.., Some(outlet)) = (bytes, outlet) {
            probe(&mut self.egress, outlet, bytes, around);
        }
    }
}

/// What each rendition takes of the network together with all smaller ones, in bits per second.
fn sums(rungs: &[Rung]) -> SmallVec<[u64; 4]> {
    let sum = |sum: &mut u64, rung: &Rung| {
        *sum = sum.saturating_add(rung.rate);
        Some(*sum)
    };
    rungs.iter().scan(0, sum).collect()
}
