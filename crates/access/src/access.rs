//! The users, tokens and keys of this server, and what is asked of whom.

mod build;
mod check;
mod gate;
#[cfg(test)]
mod tests;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};

use aws_lc_rs::hmac;
use parking_lot::{Mutex, RwLock};
use tokio::sync::Semaphore;

use crate::{
    asking::Action,
    failures::Failures,
    keys::{ApiToken, StreamKey},
    surroundings::Surroundings,
    tokens::{Terms, TokenKey},
    users::User,
};

pub use build::AccessBuilder;

/// Whom the server asks for credentials.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Asked {
    /// Nobody.
    #[default]
    Anyone,
    /// Everybody.
    Authenticated,
}

/// The users, tokens and keys of one server. Cloning is cheap.
#[derive(Clone)]
pub struct Access(Arc<Inner>);

struct Inner {
    publish: Asked,
    play: Asked,
    users: Vec<User>,
    tokens: Vec<ApiToken>,
    stream_keys: Vec<StreamKey>,
    token_keys: Vec<TokenKey>,
    /// Keys that were fetched.
    fetched: RwLock<Arc<Vec<TokenKey>>>,
    fetch: Option<Fetch>,
    terms: Terms,
    failures: Failures,
    passwords: Arc<Semaphore>,
    waiting: AtomicU64,
    cache: hmac::Key,
    surroundings: Arc<dyn Surroundings>,
}

/// When keys were fetched last, and who does it now.
#[derive(Default)]
struct Fetch {
    turn: tokio::sync::Mutex<()>,
    begun: Mutex<Option<Instant>>,
}

impl Access {
    /// Whether there are credentials at all. Where there are none, nobody is asked.
    pub fn has_credentials(&self) -> bool {
        let Inner { users, tokens, stream_keys, .. } = &*self.0;
        !users.is_empty() || !tokens.is_empty() || !stream_keys.is_empty() || self.takes_tokens()
    }

    /// Whether somebody can have a role at all, as REST asks for.
    pub fn has_roles(&self) -> bool {
        !self.0.users.is_empty() || !self.0.tokens.is_empty() || self.takes_tokens()
    }

    /// Whether this takes credentials.
    pub fn asks(&self, action: Action) -> bool {
        let asked = match action {
            Action::Publish => self.0.publish,
            Action::Play => self.0.play,
        };
        asked == Asked::Authenticated
    }

    fn takes_tokens(&self) -> bool {
        !self.0.token_keys.is_empty() || self.0.fetch.is_some()
    }

    /// Whether there is a set of keys that is fetched.
    pub fn fetches_keys(&self) -> bool {
        self.0.fetch.is_some()
    }

    /// Fetches the set of keys anew, unless that was done a short while ago (`ACCESS_KEY_SET_MS`). Says whether it did.
    ///
    /// # Errors
    /// A sentence for the log; the keys of before stay in force.
    pub async fn fetch_keys(&self) -> Result<bool, String> {
        let Some(fetch) = &self.0.fetch else {
            return Ok(false);
        };
        let came = self.0.surroundings.now();
        let _turn = fetch.turn.lock().await;
        let now = self.0.surroundings.now();
        let begun = *fetch.begun.lock();
        if begun.is_some_and(|begun| begun >= came) {
            return Ok(true);
        }
        let pause = headwater_media::limits::ACCESS_KEY_SET_MS.get_duration();
        if begun.is_some_and(|begun| now.saturating_duration_since(begun) < pause) {
            return Ok(false);
        }
        *fetch.begun.lock() = Some(now);
        let bytes = self.0.surroundings.fetch_keys().await?;
        self.0.take_set(&bytes)?;
        Ok(true)
    }
}

impl Inner {
    fn take_set(&self, bytes: &[u8]) -> Result<(), String> {
        let keys = crate::tokens::read_set(bytes).map_err(|error| format!("the answer {error}"))?;
        *self.fetched.write() = Arc::new(keys);
        Ok(())
    }
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Inner { publish, play, users, tokens, waiting, .. } = &*self.0;
        let mut f = f.debug_struct("Access");
        f.field("publish", publish).field("play", play).field("users", &users.len()).field("tokens", &tokens.len());
        f.field("waiting", &waiting.load(Relaxed)).finish_non_exhaustive()
    }
}
