//! Who waits for changes of one thing of many, and is woken by these alone.

use std::{collections::HashMap, hash::Hash};

use tokio::sync::watch;

/// How many names are kept before those are looked for that nobody follows any more.
const KEPT: usize = 64;

/// Those who follow things, by the things' names. A change costs one look, however many others are followed.
pub(crate) struct Followers<K> {
    senders: HashMap<K, watch::Sender<u64>>,
    /// At so many names, those that nobody follows any more are left out.
    sweep_at: usize,
}

impl<K> Default for Followers<K> {
    fn default() -> Followers<K> {
        Followers { senders: HashMap::new(), sweep_at: KEPT }
    }
}

impl<K: Clone + Eq + Hash> Followers<K> {
    /// Counts the changes of one from now on.
    pub(crate) fn follow(&mut self, key: &K) -> watch::Receiver<u64> {
        if self.senders.len() >= self.sweep_at {
            self.senders.retain(|_, sender| sender.receiver_count() > 0);
            self.sweep_at = self.senders.len().saturating_mul(2).max(KEPT);
        }
        self.senders.entry(key.clone()).or_default().subscribe()
    }

    /// It has changed.
    pub(crate) fn tell(&self, key: &K) {
        if let Some(sender) = self.senders.get(key) {
            sender.send_modify(|count| *count = count.wrapping_add(1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_follows_any_more_is_not_kept() {
        let mut followers = Followers::default();
        let kept = followers.follow(&0);
        for key in 1..10_000_u32 {
            drop(followers.follow(&key));
        }
        assert!(followers.senders.len() <= KEPT + 1, "{}", followers.senders.len());
        followers.tell(&0);
        assert_eq!((*kept.borrow(), kept.has_changed().unwrap()), (1, true));
    }
}
