//! Who publishes what over WebRTC.

use std::{collections::HashMap, sync::Arc};

use headwater_media::StreamName;
use parking_lot::Mutex;

use crate::Session;

/// The sessions of all publishers, by the names of their streams. Cloning is cheap.
#[derive(Clone, Debug, Default)]
pub(crate) struct Publishers(Arc<Mutex<HashMap<StreamName, Session>>>);

impl Publishers {
    /// Keeps a session until it ends.
    pub(crate) fn add(&self, name: StreamName, session: Session) {
        self.0.lock().insert(name.clone(), session.clone());
        let publishers = self.clone();
        tokio::spawn(async move {
            session.ended().await;
            let mut all = publishers.0.lock();
            // Another may have the name by now.
            if all.get(&name).is_some_and(|known| known.is_same(&session)) {
                all.remove(&name);
            }
        });
    }

    /// The session that publishes under a name.
    pub(crate) fn find(&self, name: &StreamName) -> Option<Session> {
        self.0.lock().get(name).cloned()
    }
}
