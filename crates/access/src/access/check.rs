//! From what somebody brings to who they are.

use std::{
    net::IpAddr,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use headwater_media::{StreamName, limits};

use super::known::Known;
use crate::{
    asking::{Action, Credentials},
    caller::Caller,
    fingerprint::Fingerprint,
    refused::{Refused, Why},
    tokens::{self, TokenError},
    users,
};

/// One thing that somebody brings.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Proof<'a> {
    /// A token or a key.
    Word(&'a str),
    /// A name and a password.
    User(&'a str, &'a str),
}

impl Known {
    /// Who brings these; nobody if there are none.
    pub(super) async fn identify(
        self: &Arc<Self>,
        remote: Option<IpAddr>,
        credentials: &Credentials,
    ) -> Result<Option<Caller>, Refused> {
        let mut refused = None;
        for proof in proofs(&[credentials]) {
            match self.weigh(proof, remote).await {
                Ok(caller) => return Ok(Some(caller)),
                Err(found) => refused = Some(worse(refused, found)),
            }
        }
        refused.map_or(Ok(None), Err)
    }

    /// Whether who brings these may do this with a stream; says who it is, if anybody is asked.
    pub(super) async fn admit(
        self: &Arc<Self>,
        remote: Option<IpAddr>,
        credentials: &[&Credentials],
        action: Action,
        stream: &StreamName,
    ) -> Result<Option<Caller>, Refused> {
        if !self.asks(action) {
            return Ok(None);
        }
        let doing = if action == Action::Publish { "publishing" } else { "playing" };
        let mut refused = None;
        for proof in proofs(credentials) {
            match self.weigh(proof, remote).await {
                Ok(caller) if caller.may(action, stream) => return Ok(Some(caller)),
                Ok(_) => {
                    let sentence = format!("these credentials are good, but not for {doing} {stream}");
                    refused = Some(worse(refused, Refused::new(Why::Forbidden, sentence)));
                }
                Err(found) => refused = Some(worse(refused, found)),
            }
        }
        Err(refused.unwrap_or_else(|| {
            let sentence = format!("{doing} takes credentials here: a token, a key, or a user's name and password");
            Refused::new(Why::Unknown, sentence)
        }))
    }

    async fn weigh(self: &Arc<Self>, proof: Proof<'_>, remote: Option<IpAddr>) -> Result<Caller, Refused> {
        match proof {
            Proof::Word(text) | Proof::User(_, text) if text.len() > limits::ACCESS_TOKEN_BYTES.get_usize() => {
                limits::ACCESS_TOKEN_BYTES.hit();
                Err(Refused::new(Why::Unknown, "the token, key or password is too long"))
            }
            Proof::Word(text) => self.weigh_word(text, remote).await,
            Proof::User(name, password) => self.weigh_user(name, password, remote).await,
        }
    }

    async fn weigh_word(self: &Arc<Self>, text: &str, remote: Option<IpAddr>) -> Result<Caller, Refused> {
        if let Some(caller) = self.weigh_token(text).await? {
            return Ok(caller);
        }
        self.may_guess(remote)?;
        self.find_keys(text).ok_or_else(|| {
            self.lasting.failures.add(remote, self.surroundings.now());
            wrong()
        })
    }

    async fn weigh_user(
        self: &Arc<Self>,
        name: &str,
        password: &str,
        remote: Option<IpAddr>,
    ) -> Result<Caller, Refused> {
        let user = self.users.iter().position(|user| user.name == name);
        // Encoders that know only names and passwords send keys and tokens as passwords.
        if user.is_none()
            && let Some(caller) = self.weigh_token(password).await?
        {
            return Ok(caller);
        }
        self.may_guess(remote)?;
        if let Some(user) = user.and_then(|user| self.users.get(user))
            && user.is_known(&self.lasting.cache, password)
        {
            return Ok(Caller::with_role(&user.name, user.role));
        }
        if user.is_none()
            && let Some(caller) = self.find_keys(password)
        {
            return Ok(caller);
        }
        // Counted beforehand, so that many guesses at once are as many as one after the other.
        self.lasting.failures.add(remote, self.surroundings.now());
        let caller = self.check_password(user, password).await?.ok_or_else(wrong)?;
        self.lasting.failures.take_back(remote);
        Ok(caller)
    }

    /// What cannot be guessed, and is therefore looked at however often it is wrong.
    async fn weigh_token(&self, text: &str) -> Result<Option<Caller>, Refused> {
        let given = Fingerprint::of(text);
        if let Some(token) = self.tokens.iter().find(|token| token.is(&given)) {
            return Ok(Some(Caller::with_role(&token.name, token.role)));
        }
        if !self.takes_tokens() || !tokens::looks_like_one(text) {
            return Ok(None);
        }
        let unsigned = |error: TokenError| Refused::new(Why::Unknown, error.to_string());
        match self.read_token(text) {
            Err(TokenError::UnknownKey) if self.has_newer_keys().await => self.read_token(text),
            read => read,
        }
        .map(Some)
        .map_err(unsigned)
    }

    async fn has_newer_keys(&self) -> bool {
        self.fetch_keys().await.unwrap_or_else(|error| {
            tracing::warn!(error, "the keys that sign tokens cannot be fetched; those of before stay in force");
            false
        })
    }

    fn may_guess(&self, remote: Option<IpAddr>) -> Result<(), Refused> {
        if self.lasting.failures.may_try(remote, self.surroundings.now()) {
            return Ok(());
        }
        let sentence = "too many wrong passwords and keys came from this address; try again in a minute";
        Err(Refused::new(Why::TooMany, sentence))
    }

    /// The slow check, in its turn. Names that nobody has take as long as others.
    async fn check_password(self: &Arc<Self>, user: Option<usize>, password: &str) -> Result<Option<Caller>, Refused> {
        let _waiting = Waiting::enter(self)?;
        let closed = |_| Refused::new(Why::Unavailable, "the server is stopping");
        let permit = self.lasting.passwords.clone().acquire_owned().await.map_err(closed)?;
        let (known, password) = (self.clone(), password.to_owned());
        let (tell, told) = tokio::sync::oneshot::channel();
        self.surroundings.work(Box::new(move || {
            let user = user.and_then(|user| known.users.get(user));
            let found = match user {
                Some(user) => user.is_password(&password).then(|| {
                    user.remember(&known.lasting.cache, &password);
                    Caller::with_role(&user.name, user.role)
                }),
                None => {
                    users::check_nobody(&password);
                    None
                }
            };
            drop(permit);
            // Nobody waits any more when the peer has gone.
            let _ = tell.send(found);
        }));
        told.await.map_err(|_| Refused::new(Why::Unavailable, "the password could not be checked"))
    }
}

/// One of those who wait for the slow check.
struct Waiting<'a>(&'a Known);

impl Waiting<'_> {
    fn enter(known: &Known) -> Result<Waiting<'_>, Refused> {
        let waiting = Waiting(known);
        if known.lasting.waiting.fetch_add(1, Relaxed) >= limits::ACCESS_PASSWORDS.get() {
            limits::ACCESS_PASSWORDS.hit();
            return Err(Refused::new(Why::TooMany, "too many passwords wait to be checked; try again in a moment"));
        }
        Ok(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.lasting.waiting.fetch_sub(1, Relaxed);
    }
}

impl Known {
    fn read_token(&self, text: &str) -> Result<Caller, TokenError> {
        let fetched = Arc::clone(&self.fetched.read());
        let keys = self.token_keys.iter().chain(fetched.iter());
        tokens::read(text, keys, &self.terms, self.surroundings.wall_clock())
    }

    /// All that is open to who has this key: the same secret may stand in several entries.
    fn find_keys(&self, text: &str) -> Option<Caller> {
        let given = Fingerprint::of(text);
        let found: Vec<_> = self.stream_keys.iter().filter(|key| key.is(&given)).collect();
        if found.is_empty() {
            return None;
        }
        let of = |action| found.iter().filter(|key| key.action() == action).map(|key| key.pattern().clone()).collect();
        let (publish, play) = (of(Action::Publish), of(Action::Play));
        Some(Caller { name: "bearer of a stream key".to_owned(), role: None, publish, play })
    }
}

/// All that somebody brings, each once. There are few: each way of bringing something is looked at once.
fn proofs<'a>(credentials: &[&'a Credentials]) -> Vec<Proof<'a>> {
    let mut proofs = Vec::new();
    for brought in credentials {
        let parameter = |name| brought.parameter(name).map(|value| value.reveal());
        let words = [brought.token.as_ref().map(|token| token.reveal()), parameter("token"), parameter("key")];
        let user = brought.user.as_ref().map(|(name, password)| (name.as_str(), password.reveal()));
        let named = parameter("user").zip(parameter("pass").or(parameter("password")));
        let users = [user, named].into_iter().flatten().map(|(name, password)| Proof::User(name, password));
        for proof in words.into_iter().flatten().map(Proof::Word).chain(users) {
            if !proofs.contains(&proof) {
                proofs.push(proof);
            }
        }
    }
    proofs
}

/// Of several refusals the one that helps most: being known but not allowed, being too many, being unknown.
fn worse(before: Option<Refused>, found: Refused) -> Refused {
    let rank = |refused: &Refused| match refused.why {
        Why::Forbidden => 3,
        Why::TooMany => 2,
        Why::Unavailable => 1,
        Why::Unknown => 0,
    };
    match before {
        Some(before) if rank(&before) > rank(&found) => before,
        _ => found,
    }
}

fn wrong() -> Refused {
    Refused::new(Why::Unknown, "this token, key or password is not known here")
}
