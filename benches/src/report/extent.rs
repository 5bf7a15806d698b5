//! How much is measured.

/// How much is measured when several benches run in turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// Two minutes for all of them together: whether each works, and roughly what it says.
    Quick,
    /// So many seconds for each measurement of the server.
    Seconds(u64),
}

impl Extent {
    /// Whether it is about two minutes for everything.
    pub(crate) fn is_quick(self) -> bool {
        self == Extent::Quick
    }

    /// Seconds of each measurement of the server.
    pub(crate) fn seconds(self) -> u64 {
        match self {
            Extent::Quick => 3,
            Extent::Seconds(seconds) => seconds,
        }
    }

    /// Those who watch or publish, of so many in a whole run.
    pub(crate) fn people(self, whole: usize) -> usize {
        if self.is_quick() { whole.div_ceil(5) } else { whole }
    }
}
