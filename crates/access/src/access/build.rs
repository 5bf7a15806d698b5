//! Access as the configuration says it, entry by entry.

use std::sync::{Arc, atomic::AtomicU64};

use arc_swap::ArcSwap;
use aws_lc_rs::{hmac, rand::SystemRandom};
use parking_lot::RwLock;
use tokio::sync::Semaphore;

use super::{
    Access, Asked, Successor,
    known::{Fetch, Known, Lasting},
};
use crate::{
    entry::{BadEntry, bad},
    keys::{ApiToken, NoRandomness, StreamKey},
    surroundings::Surroundings,
    tokens::{Terms, TokenKey, read_set},
    users::User,
};

/// How many passwords are checked at a time. Each takes a processor and 19 MiB for some ten milliseconds.
const PASSWORDS_AT_ONCE: usize = 2;

/// Collects users, tokens and keys.
#[derive(Default)]
pub struct AccessBuilder {
    publish: Option<Asked>,
    play: Asked,
    users: Vec<User>,
    tokens: Vec<ApiToken>,
    stream_keys: Vec<StreamKey>,
    token_keys: Vec<TokenKey>,
    fetched: Vec<TokenKey>,
    fetches: Option<String>,
    terms: Terms,
}

impl AccessBuilder {
    /// Nobody and nothing.
    pub fn new() -> AccessBuilder {
        AccessBuilder::default()
    }

    /// Whom to ask before they publish; without it everybody as soon as there are any credentials.
    pub fn publish(&mut self, asked: Asked) {
        self.publish = Some(asked);
    }

    /// Whom to ask before they play; without it nobody.
    pub fn play(&mut self, asked: Asked) {
        self.play = asked;
    }

    /// A user, as `anna:operator:$argon2id$...`.
    ///
    /// # Errors
    /// Says what is wrong with the entry, without telling it.
    pub fn user(&mut self, entry: &str) -> Result<(), BadEntry> {
        let user = User::parse(entry)?;
        if self.users.iter().any(|other| other.name == user.name) {
            return Err(bad("has the name of a user before it"));
        }
        self.users.push(user);
        Ok(())
    }

    /// A token of a program, as `grafana:viewer:sha256$...`.
    ///
    /// # Errors
    /// Says what is wrong with the entry, without telling it.
    pub fn token(&mut self, entry: &str) -> Result<(), BadEntry> {
        self.tokens.push(ApiToken::parse(entry)?);
        Ok(())
    }

    /// A key for streams, as `publish:live/*:SECRET`.
    ///
    /// # Errors
    /// Says what is wrong with the entry, without telling it.
    pub fn stream_key(&mut self, entry: &str) -> Result<(), BadEntry> {
        self.stream_keys.push(StreamKey::parse(entry)?);
        Ok(())
    }

    /// A key that signs JSON web tokens: the name of its algorithm, and a secret or a public key in PEM.
    ///
    /// # Errors
    /// Says what is wrong with the entry, without telling it.
    pub fn token_key(&mut self, algorithm: &str, material: &str) -> Result<(), BadEntry> {
        self.token_keys.push(TokenKey::new(algorithm, material)?);
        Ok(())
    }

    /// Keys of a set (JWKS) that [`Surroundings::fetch_keys`] fetches from a place, of which the name is enough here;
    /// `first` is what is known of it already.
    ///
    /// # Errors
    /// Says what is wrong with the set.
    pub fn key_set(&mut self, from: &str, first: Option<&[u8]>) -> Result<(), BadEntry> {
        self.fetches = Some(from.to_owned());
        if let Some(bytes) = first {
            self.fetched = read_set(bytes)?;
        }
        Ok(())
    }

    /// What JSON web tokens have to say: audience, issuer, and how far clocks may be apart, in seconds.
    pub fn token_terms(&mut self, audience: Option<String>, issuer: Option<String>, leeway_s: u64) {
        self.terms = Terms { audience, issuer, leeway_s };
    }

    /// Whether there are any credentials.
    pub fn has_credentials(&self) -> bool {
        let lists = [self.users.len(), self.tokens.len(), self.stream_keys.len(), self.token_keys.len()];
        lists.iter().any(|count| *count > 0) || self.fetches.is_some()
    }

    /// All of it.
    ///
    /// # Errors
    /// The operating system gives no random numbers.
    pub fn build(self, surroundings: Arc<dyn Surroundings>) -> Result<Access, NoRandomness> {
        self.succeed(surroundings).map(|Successor(known)| Access(Arc::new(ArcSwap::from_pointee(known))))
    }

    /// All of it, to be put in force in place of what is: [`Access::replace`].
    ///
    /// # Errors
    /// The operating system gives no random numbers.
    pub fn succeed(self, surroundings: Arc<dyn Surroundings>) -> Result<Successor, NoRandomness> {
        let publish = match self.publish {
            Some(asked) => asked,
            None if self.has_credentials() => Asked::Authenticated,
            None => Asked::Anyone,
        };
        let lasting = Lasting {
            failures: Default::default(),
            passwords: Arc::new(Semaphore::new(PASSWORDS_AT_ONCE)),
            waiting: AtomicU64::new(0),
            cache: hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new()).map_err(|_| NoRandomness)?,
        };
        Ok(Successor(Known {
            publish,
            play: self.play,
            users: self.users,
            tokens: self.tokens,
            stream_keys: self.stream_keys,
            token_keys: self.token_keys,
            fetched: RwLock::new(Arc::new(self.fetched)),
            fetch: self.fetches.map(Fetch::from),
            terms: self.terms,
            lasting: Arc::new(lasting),
            surroundings,
        }))
    }
}
