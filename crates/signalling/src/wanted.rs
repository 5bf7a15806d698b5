//! What publishers are asked for who do not say it themselves.

use std::sync::Arc;

use headwater_webrtc::PublishOptions;
use parking_lot::RwLock;

/// What publishers are asked for, by every protocol of signalling. Clones share it, and it may be something else for
/// those who come later.
#[derive(Clone, Debug, Default)]
pub struct Wanted(Arc<RwLock<PublishOptions>>);

impl Wanted {
    /// This.
    pub fn new(options: PublishOptions) -> Wanted {
        Wanted(Arc::new(RwLock::new(options)))
    }

    /// Something else takes its place for those who come from now on.
    pub fn replace(&self, options: PublishOptions) {
        *self.0.write() = options;
    }

    pub(crate) fn get(&self) -> PublishOptions {
        self.0.read().clone()
    }

    /// The same for a publisher with bounds of its own, in bits per second. They go before these, of which one that
    /// contradicts them is left out.
    pub(crate) fn within(&self, min: Option<u64>, max: Option<u64>) -> PublishOptions {
        let wanted = self.get();
        let fits = |least: Option<u64>, most: Option<u64>| least.zip(most).is_none_or(|(least, most)| least <= most);
        PublishOptions {
            min_bitrate: min.or_else(|| wanted.min_bitrate.filter(|least| fits(Some(*least), max))),
            max_bitrate: max.or_else(|| wanted.max_bitrate.filter(|most| fits(min, Some(*most)))),
            ..wanted
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_publisher_says_itself_goes_before_what_all_are_asked_for() {
        for (wanted, own, expected) in [
            ((None, None), (None, None), (None, None)),
            ((Some(300), Some(1_500)), (None, None), (Some(300), Some(1_500))),
            ((Some(300), Some(1_500)), (None, Some(800)), (Some(300), Some(800))),
            ((Some(300), Some(1_500)), (Some(500), None), (Some(500), Some(1_500))),
            ((Some(300), Some(1_500)), (None, Some(200)), (None, Some(200))),
            ((Some(300), Some(1_500)), (Some(2_000), None), (Some(2_000), None)),
            ((Some(300), Some(1_500)), (Some(100), Some(5_000)), (Some(100), Some(5_000))),
        ] {
            let options = PublishOptions { min_bitrate: wanted.0, max_bitrate: wanted.1, ..PublishOptions::default() };
            let found = Wanted::new(options).within(own.0, own.1);
            assert_eq!((found.min_bitrate, found.max_bitrate), expected, "{wanted:?} {own:?}");
        }
    }
}
