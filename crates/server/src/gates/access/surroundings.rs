//! The process around the checks of credentials.

use std::time::{Instant, SystemTime};

use headwater_access::Surroundings;
use headwater_graph::BoxFuture;
use headwater_net::Dialer;
use tokio::runtime::Handle;

use super::fetch::{self, Place, read_file};

/// Clocks, threads for slow work, and the way to keys.
pub(super) struct Process {
    runtime: Handle,
    keys: Option<Place>,
    dialer: Dialer,
}

impl Process {
    /// The process, with the place where keys are. Has to be called on a tokio runtime.
    pub(super) fn new(keys: Option<Place>, dialer: Dialer) -> Process {
        Process { runtime: Handle::current(), keys, dialer }
    }
}

impl Surroundings for Process {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn wall_clock(&self) -> SystemTime {
        SystemTime::now()
    }

    fn work(&self, work: Box<dyn FnOnce() + Send>) {
        self.runtime.spawn_blocking(work);
    }

    fn fetch_keys(&self) -> BoxFuture<'_, Result<Vec<u8>, String>> {
        Box::pin(async {
            match &self.keys {
                Some(Place::Url(url)) => fetch::get(&self.dialer, url).await,
                Some(Place::File(path)) => {
                    let path = path.clone();
                    let read = self.runtime.spawn_blocking(move || read_file(&path)).await;
                    read.unwrap_or_else(|error| Err(error.to_string()))
                }
                None => Err("no place is configured".to_owned()),
            }
        })
    }
}
