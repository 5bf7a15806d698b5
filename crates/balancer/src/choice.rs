//! Which of several servers the next viewer is sent to.

use std::collections::HashMap;

use crate::candidate::Candidate;

/// By what a server is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// One after the other.
    RoundRobin,
    /// The one with the fewest viewers.
    #[default]
    FewestViewers,
    /// The one whose processors are used least.
    LeastLoaded,
    /// Any.
    Random,
}

impl Mode {
    /// All of them.
    pub const ALL: [Mode; 4] = [Mode::RoundRobin, Mode::FewestViewers, Mode::LeastLoaded, Mode::Random];

    /// Its name in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Mode::RoundRobin => "round_robin",
            Mode::FewestViewers => "fewest_viewers",
            Mode::LeastLoaded => "least_loaded",
            Mode::Random => "random",
        }
    }

    /// The mode of that name.
    pub fn named(name: &str) -> Option<Mode> {
        Mode::ALL.into_iter().find(|mode| mode.name() == name)
    }
}

/// Chooses servers, and remembers whom it has sent where since their load was measured.
#[derive(Debug, Default)]
pub(crate) struct Chooser {
    turn: usize,
    sent: HashMap<String, Sent>,
}

/// Viewers sent to a server that its figures may lack. A viewer takes a moment to arrive, so the figures of the next
/// measurement may lack it still, and only those after it are taken to have it.
#[derive(Debug, Default)]
struct Sent {
    measured: u64,
    before: u64,
    since: u64,
}

impl Sent {
    fn take_up(&mut self, measured: u64) {
        if measured != self.measured {
            self.before = if measured == self.measured.wrapping_add(1) { self.since } else { 0 };
            self.since = 0;
            self.measured = measured;
        }
    }

    fn count(&self) -> u64 {
        self.before.saturating_add(self.since)
    }
}

impl Chooser {
    /// The server for the next viewer; none if no server is open. `random` gives a number below the one it gets.
    pub(crate) fn choose(
        &mut self,
        mode: Mode,
        candidates: &[Candidate],
        random: impl FnOnce(usize) -> usize,
    ) -> Option<Candidate> {
        self.sent.retain(|id, _| candidates.iter().any(|candidate| candidate.id == *id));
        for candidate in candidates {
            if let Some(sent) = self.sent.get_mut(&candidate.id) {
                sent.take_up(candidate.measured);
            }
        }
        let open: Vec<&Candidate> = candidates.iter().filter(|candidate| candidate.is_open()).collect();
        let first = match mode {
            Mode::Random => random(open.len().max(1)),
            _ => self.turn,
        };
        // Servers that are equal take turns.
        let mut turns = open.iter().cycle().skip(first.checked_rem(open.len())?).take(open.len());
        let chosen = match mode {
            Mode::RoundRobin | Mode::Random => turns.next(),
            Mode::FewestViewers => turns.min_by_key(|candidate| self.viewers(candidate)),
            Mode::LeastLoaded => turns.min_by(|a, b| self.load(a).total_cmp(&self.load(b))),
        }?;
        self.turn = self.turn.wrapping_add(1);
        let fresh = || Sent { measured: chosen.measured, ..Sent::default() };
        let sent = self.sent.entry(chosen.id.clone()).or_insert_with(fresh);
        sent.since = sent.since.saturating_add(1);
        Some((*chosen).clone())
    }

    fn sent(&self, candidate: &Candidate) -> u64 {
        self.sent.get(&candidate.id).map_or(0, Sent::count)
    }

    /// Viewers there and on their way; one that does not say comes last.
    fn viewers(&self, candidate: &Candidate) -> u64 {
        candidate.viewers.map_or(u64::MAX / 2, |viewers| viewers).saturating_add(self.sent(candidate))
    }

    /// Processor time in percent; a viewer on its way counts as one percent, so that many who come at once are spread.
    fn load(&self, candidate: &Candidate) -> f64 {
        const UNKNOWN: f64 = 1e6;
        candidate.cpu.filter(|cpu| cpu.is_finite()).unwrap_or(UNKNOWN) + self.sent(candidate) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(id: &str, viewers: u64, cpu: f64) -> Candidate {
        Candidate {
            id: id.to_owned(),
            host: format!("{id}.example"),
            ws: None,
            wss: Some(8443),
            viewers: Some(viewers),
            cpu: Some(cpu),
            is_alive: true,
            accepts: true,
            measured: 1,
        }
    }

    /// The servers that so many viewers are sent to, one after the other.
    fn chosen(chooser: &mut Chooser, mode: Mode, edges: &[Candidate], viewers: usize) -> String {
        let mut next = 0;
        let mut one = || {
            next += 2;
            chooser.choose(mode, edges, |below| next % below).map_or("-".to_owned(), |edge| edge.id)
        };
        (0..viewers).map(|_| one()).collect()
    }

    #[test]
    fn each_mode_goes_by_what_its_name_says() {
        let edges = [edge("a", 9, 10.0), edge("b", 2, 50.0), edge("c", 5, 5.0)];
        let cases = [
            (Mode::RoundRobin, 6, "abcabc"),
            (Mode::FewestViewers, 4, "bbbb"),
            (Mode::LeastLoaded, 4, "cccc"),
            (Mode::Random, 3, "cba"),
        ];
        for (mode, viewers, expected) in cases {
            assert_eq!(chosen(&mut Chooser::default(), mode, &edges, viewers), expected, "{mode:?}");
            assert_eq!(Mode::named(mode.name()), Some(mode));
        }
    }

    #[test]
    fn viewers_that_come_at_once_are_spread_before_the_figures_show_them() {
        let edges = [edge("a", 3, 2.0), edge("b", 1, 0.0), edge("c", 3, 2.0)];
        for mode in [Mode::FewestViewers, Mode::LeastLoaded] {
            let sent = chosen(&mut Chooser::default(), mode, &edges, 8);
            assert_eq!(["a", "b", "c"].map(|id| sent.matches(id).count()), [2, 4, 2], "{mode:?}: {sent}");
        }
    }

    #[test]
    fn a_viewer_is_counted_until_the_figures_have_had_time_to_show_it() {
        let chooser = &mut Chooser::default();
        let mut edges = [edge("a", 0, 0.0), edge("b", 2, 0.0)];
        assert_eq!(chosen(chooser, Mode::FewestViewers, &edges, 2), "aa");
        for (measured, expected) in [(2, 2), (3, 0)] {
            edges[0].measured = measured;
            let mode = Mode::Random;
            chooser.choose(mode, &edges, |_| 1);
            assert_eq!(chooser.viewers(&edges[0]), expected, "after {measured} measurements");
        }
    }

    #[test]
    fn nobody_is_sent_to_the_dead_nor_to_those_that_stop() {
        let mut edges = [edge("a", 1, 1.0), edge("b", 2, 2.0), edge("c", 3, 3.0)];
        edges[0].is_alive = false;
        edges[1].accepts = false;
        for mode in Mode::ALL {
            assert_eq!(chosen(&mut Chooser::default(), mode, &edges, 3), "ccc", "{mode:?}");
            assert_eq!(chosen(&mut Chooser::default(), mode, &edges[..2], 1), "-", "{mode:?}");
            assert_eq!(chosen(&mut Chooser::default(), mode, &[], 1), "-", "{mode:?}");
        }
    }

    #[test]
    fn a_server_that_does_not_say_how_busy_it_is_comes_last() {
        let mut edges = [edge("a", 0, 0.0), edge("b", 900, 99.0)];
        (edges[0].viewers, edges[0].cpu) = (None, None);
        for mode in [Mode::FewestViewers, Mode::LeastLoaded] {
            assert_eq!(chosen(&mut Chooser::default(), mode, &edges, 3), "bbb", "{mode:?}");
            assert_eq!(chosen(&mut Chooser::default(), mode, &edges[..1], 3), "aaa", "{mode:?}");
        }
    }
}
