//! The relays of a server, found by what they are asked for by, and shown in the order in which they began.

use std::{
    borrow::Borrow,
    collections::{BTreeMap, HashMap},
    hash::Hash,
    sync::Arc,
};

use headwater_media::{StreamName, limits};

use crate::{error::RelayError, pull::Pull, push::Push, source::Source};

/// All relays.
#[derive(Default)]
pub(crate) struct List {
    /// By their ids.
    pub(crate) pushes: Listed<String, Push>,
    /// By the names of their streams here.
    pub(crate) pulls: Listed<StreamName, Pull>,
    /// How many of the pulls come by routes.
    routed: u64,
}

impl List {
    pub(crate) fn add_push(&mut self, push: &Arc<Push>) {
        self.pushes.insert(push.id().to_owned(), push.clone());
    }

    pub(crate) fn add_pull(&mut self, pull: &Arc<Pull>) {
        self.routed += u64::from(pull.is_routed());
        self.pulls.insert(pull.name().clone(), pull.clone());
    }

    pub(crate) fn remove_pull(&mut self, pull: &Arc<Pull>) {
        if self.pulls.remove(pull.name()).is_some() {
            self.routed = self.routed.saturating_sub(u64::from(pull.is_routed()));
        }
    }

    /// The pull from a source; there is none of what routes find, which is asked for by name.
    pub(crate) fn pull_from(&self, source: &Source) -> Option<&Arc<Pull>> {
        match source {
            Source::Routed(_) => None,
            source => self.pulls.iter().find(|pull| pull.is_same(source)),
        }
    }

    /// Whether there is room for one pull more.
    pub(crate) fn check_pulls(&self, source: &Source) -> Result<(), RelayError> {
        let Source::Routed(_) = source else { return self.check_room() };
        let limit = limits::ROUTES.get();
        if self.routed >= limit {
            limits::ROUTES.hit();
            return Err(RelayError::TooMany { limit });
        }
        Ok(())
    }

    /// Whether there is room for one relay more that somebody asks for by its URL.
    pub(crate) fn check_room(&self) -> Result<(), RelayError> {
        let limit = limits::RELAYS.get();
        let all = (self.pushes.len() + self.pulls.len()) as u64;
        if all.saturating_sub(self.routed) >= limit {
            limits::RELAYS.hit();
            return Err(RelayError::TooMany { limit });
        }
        Ok(())
    }
}

/// Things that are found by a key, in the order in which they came.
pub(crate) struct Listed<K, T> {
    places: HashMap<K, u64>,
    in_order: BTreeMap<u64, Arc<T>>,
    next: u64,
}

impl<K, T> Default for Listed<K, T> {
    fn default() -> Listed<K, T> {
        Listed { places: HashMap::new(), in_order: BTreeMap::new(), next: 0 }
    }
}

impl<K: Hash + Eq, T> Listed<K, T> {
    /// Adds one at the end; it takes the place of another of its key.
    pub(crate) fn insert(&mut self, key: K, thing: Arc<T>) {
        self.remove(&key);
        self.places.insert(key, self.next);
        self.in_order.insert(self.next, thing);
        self.next += 1;
    }

    pub(crate) fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<&Arc<T>>
    where
        K: Borrow<Q>,
    {
        self.in_order.get(self.places.get(key)?)
    }

    pub(crate) fn remove<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<Arc<T>>
    where
        K: Borrow<Q>,
    {
        self.in_order.remove(&self.places.remove(key)?)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<T>> {
        self.in_order.values()
    }

    pub(crate) fn len(&self) -> usize {
        self.in_order.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_found_by_its_key_is_shown_in_the_order_in_which_it_came() {
        let mut listed = Listed::<String, &str>::default();
        for key in ["z", "a", "m"] {
            listed.insert(key.to_owned(), Arc::new(key));
        }
        let all = |listed: &Listed<String, &'static str>| listed.iter().map(|thing| **thing).collect::<Vec<_>>();
        assert_eq!(all(&listed), ["z", "a", "m"]);
        assert_eq!((listed.get("a").map(|thing| **thing), listed.get("b").is_none()), (Some("a"), true));
        assert!(listed.remove("a").is_some() && listed.remove("a").is_none());
        listed.insert("z".to_owned(), Arc::new("again"));
        assert_eq!((all(&listed), listed.len()), (vec!["m", "again"], 2));
    }
}
