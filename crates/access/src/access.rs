//! The users, tokens and keys of this server, and what is asked of whom.

mod build;
mod check;
mod gate;
mod known;
#[cfg(test)]
mod tests;

use std::{net::IpAddr, sync::Arc};

use arc_swap::ArcSwap;
use headwater_media::StreamName;

use crate::{
    asking::{Action, Credentials},
    caller::Caller,
    refused::Refused,
};

pub use build::AccessBuilder;

use known::Known;

/// Whom the server asks for credentials.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Asked {
    /// Nobody.
    #[default]
    Anyone,
    /// Everybody.
    Authenticated,
}

/// The users, tokens and keys of one server, which may be others later. Clones share them.
///
/// A question is answered by those that were in force when it was asked; what was allowed before stays so.
#[derive(Clone)]
pub struct Access(Arc<ArcSwap<Known>>);

impl Access {
    /// Whether there are credentials at all. Where there are none, nobody is asked.
    pub fn has_credentials(&self) -> bool {
        self.0.load().has_credentials()
    }

    /// Whether somebody can have a role at all, as REST asks for.
    pub fn has_roles(&self) -> bool {
        self.0.load().has_roles()
    }

    /// Whether this takes credentials.
    pub fn asks(&self, action: Action) -> bool {
        self.0.load().asks(action)
    }

    /// Who brings these; nobody if there are none.
    ///
    /// # Errors
    /// They are not good, or cannot be looked at now.
    pub async fn identify(&self, remote: Option<IpAddr>, credentials: &Credentials) -> Result<Option<Caller>, Refused> {
        self.0.load_full().identify(remote, credentials).await
    }

    /// Whether who brings these may do this with a stream; says who it is, if anybody is asked.
    ///
    /// # Errors
    /// They may not, or it cannot be found out now.
    pub async fn admit(
        &self,
        remote: Option<IpAddr>,
        credentials: &[&Credentials],
        action: Action,
        stream: &StreamName,
    ) -> Result<Option<Caller>, Refused> {
        self.0.load_full().admit(remote, credentials, action, stream).await
    }

    /// Whether there is a set of keys that is fetched.
    pub fn fetches_keys(&self) -> bool {
        self.0.load().fetch.is_some()
    }

    /// Fetches the set of keys anew, unless that was done a short while ago (`ACCESS_KEY_SET_MS`). Says whether it did.
    ///
    /// # Errors
    /// A sentence for the log; the keys of before stay in force.
    pub async fn fetch_keys(&self) -> Result<bool, String> {
        self.0.load_full().fetch_keys().await
    }

    /// Puts others in force. What is remembered of those who guess stays, and so do keys that were fetched from the
    /// same place.
    pub fn replace(&self, successor: Successor) {
        self.0.store(Arc::new(successor.0.after(&self.0.load())));
    }
}

/// Users, tokens and keys that can be put in force.
pub struct Successor(Known);

impl std::fmt::Debug for Successor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Successor")
    }
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let known = self.0.load();
        let mut f = f.debug_struct("Access");
        f.field("publish", &known.publish).field("play", &known.play);
        f.field("users", &known.users.len()).field("tokens", &known.tokens.len()).finish_non_exhaustive()
    }
}
