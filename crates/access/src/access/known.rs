//! The users, tokens and keys that are in force for a while.

use std::{
    sync::{Arc, atomic::AtomicU64},
    time::Instant,
};

use aws_lc_rs::hmac;
use headwater_media::limits;
use parking_lot::{Mutex, RwLock};
use tokio::sync::Semaphore;

use super::Asked;
use crate::{
    asking::Action,
    failures::Failures,
    keys::{ApiToken, StreamKey},
    surroundings::Surroundings,
    tokens::{Terms, TokenKey},
    users::User,
};

/// Users, tokens and keys, and whom to ask for them.
pub(super) struct Known {
    pub(super) publish: Asked,
    pub(super) play: Asked,
    pub(super) users: Vec<User>,
    pub(super) tokens: Vec<ApiToken>,
    pub(super) stream_keys: Vec<StreamKey>,
    pub(super) token_keys: Vec<TokenKey>,
    /// Keys that were fetched.
    pub(super) fetched: RwLock<Arc<Vec<TokenKey>>>,
    pub(super) fetch: Option<Fetch>,
    pub(super) terms: Terms,
    pub(super) lasting: Arc<Lasting>,
    pub(super) surroundings: Arc<dyn Surroundings>,
}

/// What stays although others are put in force.
pub(super) struct Lasting {
    pub(super) failures: Failures,
    pub(super) passwords: Arc<Semaphore>,
    pub(super) waiting: AtomicU64,
    pub(super) cache: hmac::Key,
}

/// Where keys are fetched from, when they were last, and who does it now.
pub(super) struct Fetch {
    from: String,
    turn: tokio::sync::Mutex<()>,
    begun: Mutex<Option<Instant>>,
}

impl Fetch {
    pub(super) fn from(from: String) -> Fetch {
        Fetch { from, turn: tokio::sync::Mutex::default(), begun: Mutex::default() }
    }
}

impl Known {
    pub(super) fn has_credentials(&self) -> bool {
        !self.stream_keys.is_empty() || self.has_roles()
    }

    pub(super) fn has_roles(&self) -> bool {
        !self.users.is_empty() || !self.tokens.is_empty() || self.takes_tokens()
    }

    pub(super) fn asks(&self, action: Action) -> bool {
        let asked = match action {
            Action::Publish => self.publish,
            Action::Play => self.play,
        };
        asked == Asked::Authenticated
    }

    pub(super) fn takes_tokens(&self) -> bool {
        !self.token_keys.is_empty() || self.fetch.is_some()
    }

    /// The same with what outlives the one before it.
    pub(super) fn after(mut self, before: &Known) -> Known {
        self.lasting = before.lasting.clone();
        if let (Some(fetch), Some(earlier)) = (&self.fetch, &before.fetch)
            && fetch.from == earlier.from
            && self.fetched.get_mut().is_empty()
        {
            *self.fetched.get_mut() = before.fetched.read().clone();
        }
        self
    }

    pub(super) async fn fetch_keys(&self) -> Result<bool, String> {
        let Some(fetch) = &self.fetch else {
            return Ok(false);
        };
        let came = self.surroundings.now();
        let _turn = fetch.turn.lock().await;
        let now = self.surroundings.now();
        let begun = *fetch.begun.lock();
        if begun.is_some_and(|begun| begun >= came) {
            return Ok(true);
        }
        let pause = limits::ACCESS_KEY_SET_MS.get_duration();
        if begun.is_some_and(|begun| now.saturating_duration_since(begun) < pause) {
            return Ok(false);
        }
        *fetch.begun.lock() = Some(now);
        let bytes = self.surroundings.fetch_keys().await?;
        let keys = crate::tokens::read_set(&bytes).map_err(|error| format!("the answer {error}"))?;
        *self.fetched.write() = Arc::new(keys);
        Ok(true)
    }
}
