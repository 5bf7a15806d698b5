//! `[access]`: users, tokens and keys of this server, read from the configuration.

mod fetch;
mod surroundings;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use headwater_access::{Access, AccessBuilder, Asked, BadEntry, NoRandomness};

use crate::{
    config::{
        Complaint, Config, Problem, Value,
        section::section,
        setting::{Setting, quote},
    },
    error::StartError,
    protocols::{Context, Spawner},
};

use fetch::{Place, read_file};
use surroundings::Process;

section! {
    /// Who may publish, play and use REST. Without any users, tokens or keys nobody is asked, and the server listens on loopback only; docs/guide/authorise-with-tokens.md leads through it. An environment variable takes a list as TOML, such as ["a", "b"].
    pub(crate) struct AccessSection, "access" {
        /// Who may publish: "anyone", or "authenticated" for those with a right to the stream. Without it everybody is asked as soon as there are users, tokens or keys.
        @live publish: Option<Whom> = None;
        /// Who may play: "anyone", or "authenticated" for those with a right to the stream. Playing is free unless said, because most streams are made to be seen, and players and pages have no credentials to send.
        @live play: Whom = Whom(Asked::Anyone);
        /// Users, each "NAME:ROLE:HASH", with a role of viewer, publisher, operator, admin and node, and a hash as `origin --hash-password` makes one.
        @live @secret users: Vec<String> = Vec::new();
        /// Tokens of programs, each "NAME:ROLE:sha256$HASH", as `origin --make-token` makes them.
        @live @secret tokens: Vec<String> = Vec::new();
        /// Keys for streams, each "publish:PATTERN:SECRET" or "play:PATTERN:SECRET". A pattern is the name of a stream, in which * stands for any letters within a part and ** for any parts.
        @live @secret stream_keys: Vec<String> = Vec::new();
        /// The parameter by which viewers bring the key of a stream that has an access list, set by the call /cdn/stream/access_list/add: in the address, as in `?aclAuth=KEY`, or in `custom` of a session. It is the same on all servers of a cluster.
        list_parameter: String = "aclAuth".into();
        /// Keys that sign JSON web tokens, each "HS256:SECRET", or "RS256:", "ES256:" or "EdDSA:" and a public key in PEM. "file:PATH" in place of secret or key reads it from a file.
        @live @secret token_keys: Vec<String> = Vec::new();
        /// A set of keys (JWKS) that sign JSON web tokens: the path of a file, or an https:// address. It is read again when a token names a key that is not in it.
        @live key_set: String = String::new();
        /// A file with certificates of authorities in PEM that the https:// address of `key_set` may show besides those that browsers trust.
        @live key_set_authorities: Option<PathBuf> = None;
        /// What a JSON web token has to name as its audience (`aud`). Without it, tokens that name any are refused.
        @live token_audience: String = String::new();
        /// What a JSON web token has to name as its issuer (`iss`), if anything.
        @live token_issuer: String = String::new();
        /// How far the clock of whoever makes tokens may be from that of this server, in seconds.
        @live token_leeway_s: u64 = 30, in 0..=600;
    }
}

/// Whom the server asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Whom(pub(crate) Asked);

impl Setting for Whom {
    fn read(value: &Value) -> Option<Whom> {
        match String::read(value)?.as_str() {
            "anyone" => Some(Whom(Asked::Anyone)),
            "authenticated" => Some(Whom(Asked::Authenticated)),
            _ => None,
        }
    }

    fn expects() -> String {
        "\"anyone\" or \"authenticated\"".into()
    }

    fn write(&self) -> String {
        quote(match self.0 {
            Asked::Anyone => "anyone",
            Asked::Authenticated => "authenticated",
        })
    }
}

impl AccessSection {
    /// Whether the server knows anybody.
    pub(crate) fn has_credentials(&self) -> bool {
        let lists = [&self.users, &self.tokens, &self.stream_keys, &self.token_keys];
        lists.iter().any(|list| !list.is_empty()) || !self.key_set.is_empty()
    }

    /// What is wrong with it, as far as that can be said without reading files. No complaint tells of a secret.
    pub(crate) fn complaints(&self) -> Vec<Complaint> {
        let mut builder = AccessBuilder::new();
        let mut complaints = self.read_entries(&mut builder, |_| None);
        let plays = self.stream_keys.iter().any(|entry| entry.starts_with("play:"));
        if plays && self.play.0 == Asked::Anyone {
            complaints.push(complaint(
                "stream_keys",
                "holds keys for playing, but nobody is asked for one".into(),
                "Write `play = \"authenticated\"` beside it, or remove these keys.",
            ));
        }
        let asking = [("publish", self.publish), ("play", Some(self.play))];
        for (key, _) in asking.into_iter().filter(|(_, whom)| *whom == Some(Whom(Asked::Authenticated))) {
            if !self.has_credentials() {
                let message = "is \"authenticated\", but there are no users, tokens or keys".into();
                complaints.push(complaint(key, message, "Set both, or nobody could do it."));
            }
        }
        if self.key_set.contains("://") && !self.key_set.starts_with("https://") {
            let message = "is an address of another kind than https://".into();
            complaints.push(complaint("key_set", message, "Write an https:// address or the path of a file."));
        }
        complaints
    }

    /// Hands all entries over; gives back what is wrong with them.
    fn read_entries(
        &self,
        builder: &mut AccessBuilder,
        read_key: impl Fn(&str) -> Option<Result<String, String>>,
    ) -> Vec<Complaint> {
        let mut complaints = Vec::new();
        let mut note = |key: &'static str, number: usize, result: Result<(), BadEntry>, remedy: &str| {
            if let Err(error) = result {
                complaints.push(complaint(key, format!("has a wrong entry: number {} {error}", number + 1), remedy));
            }
        };
        for (number, entry) in self.users.iter().enumerate() {
            let remedy = "Write entries such as \"anna:operator:HASH\", with a hash of `origin --hash-password`.";
            note("users", number, builder.user(entry), remedy);
        }
        for (number, entry) in self.tokens.iter().enumerate() {
            let remedy = "Write entries as `origin --make-token` shows them.";
            note("tokens", number, builder.token(entry), remedy);
        }
        for (number, entry) in self.stream_keys.iter().enumerate() {
            let remedy = "Write entries such as \"publish:live/camera:SECRET\", or \"play:**:SECRET\" for all streams.";
            note("stream_keys", number, builder.stream_key(entry), remedy);
        }
        for (number, entry) in self.token_keys.iter().enumerate() {
            let remedy = "Write entries such as \"HS256:SECRET\" or \"EdDSA:file:/etc/headwater/public.pem\".";
            note("token_keys", number, add_token_key(builder, entry, &read_key), remedy);
        }
        complaints
    }
}

/// `ALGORITHM:MATERIAL`, where the material may stand in a file. Without `read_key` to read it, a file is taken as good.
fn add_token_key(
    builder: &mut AccessBuilder,
    entry: &str,
    read_key: impl Fn(&str) -> Option<Result<String, String>>,
) -> Result<(), BadEntry> {
    let Some((algorithm, material)) = entry.split_once(':') else {
        return Err(BadEntry("does not have the name of an algorithm and a key with a colon between them".into()));
    };
    let Some(path) = material.strip_prefix("file:") else {
        return builder.token_key(algorithm, material);
    };
    match read_key(path) {
        Some(Ok(text)) => builder.token_key(algorithm, text.trim_end()),
        Some(Err(error)) => Err(BadEntry(format!("names a file that cannot be read: {error}"))),
        None => Ok(()),
    }
}

fn complaint(key: &'static str, message: String, remedy: &str) -> Complaint {
    Complaint { section: "access", key, message, remedy: remedy.into() }
}

/// The users, tokens and keys of the configuration, with their files. Has to be called on a tokio runtime.
pub(crate) fn open(config: &Config) -> Result<Access, StartError> {
    let build = || {
        let (builder, process) = read(&config.access)?;
        builder.build(process).map_err(no_randomness)
    };
    build().map_err(|fault: Fault| fault.at_start(config))
}

/// Has later configurations put in force.
pub(crate) fn take_up(context: &mut Context) {
    let (access, fetching) = (context.access.clone(), context.spawner());
    context.take_up(move |config| {
        let (builder, process) = read(&config.access).map_err(|fault| fault.later(config))?;
        let successor = builder.succeed(process).map_err(|error| no_randomness(error).later(config))?;
        let (access, fetching) = (access.clone(), fetching.clone());
        Ok(Box::new(move || {
            access.replace(successor);
            begin(&access, &fetching);
        }))
    });
}

/// What there is to do and to say once users, tokens and keys are in force.
pub(crate) fn begin(access: &Access, spawner: &Spawner) {
    if access.has_credentials() && !access.has_roles() {
        tracing::warn!("no user and no token has a role: nobody may use REST; add `users` or `tokens` below [access]");
    }
    if access.fetches_keys() {
        let access = access.clone();
        spawner.spawn(async move {
            if let Err(error) = access.fetch_keys().await {
                tracing::warn!(
                    error,
                    "the keys that sign tokens cannot be fetched; it is tried again when a token needs them"
                );
            }
        });
    }
}

/// A key that cannot be used, and why.
struct Fault {
    key: &'static str,
    reason: String,
}

impl Fault {
    fn at_start(self, config: &Config) -> StartError {
        let Fault { key, reason } = self;
        StartError::Protocol { what: "access", reason, section: "access", place: config.place("access", key) }
    }

    fn later(self, config: &Config) -> Problem {
        let Fault { key, reason } = self;
        let remedy = format!("Correct {key} below [access].");
        Problem { place: config.place("access", key), message: reason, remedy }
    }
}

fn no_randomness(error: NoRandomness) -> Fault {
    Fault { key: "users", reason: error.to_string() }
}

fn read(section: &AccessSection) -> Result<(AccessBuilder, Arc<Process>), Fault> {
    let failed = |key: &'static str, reason: String| Fault { key, reason };
    let mut builder = AccessBuilder::new();
    if let Some(Whom(asked)) = section.publish {
        builder.publish(asked);
    }
    builder.play(section.play.0);
    let read_key = |path: &str| {
        Some(read_file(Path::new(path)).and_then(|bytes| String::from_utf8(bytes).map_err(|_| "it is no text".into())))
    };
    let complaints = section.read_entries(&mut builder, read_key);
    if let Some(Complaint { key, message, remedy, .. }) = complaints.into_iter().next() {
        return Err(failed(key, format!("{key} {message}. {}", remedy.trim_end_matches('.'))));
    }
    let (key_set, place) = (&section.key_set, Place::parse(&section.key_set));
    let place = place.map_err(|error| failed("key_set", error))?;
    match &place {
        Some(Place::File(path)) => {
            let set = read_file(path).map_err(|error| failed("key_set", error))?;
            let taken = builder.key_set(key_set, Some(&set));
            taken.map_err(|error| failed("key_set", format!("the file of key_set {error}")))?;
        }
        Some(Place::Url(_)) => {
            builder.key_set(key_set, None).map_err(|error| failed("key_set", error.to_string()))?;
        }
        None => {}
    }
    let named = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    builder.token_terms(named(&section.token_audience), named(&section.token_issuer), section.token_leeway_s);
    let dialer = fetch::dialer(section.key_set_authorities.as_deref());
    let dialer = dialer.map_err(|error| failed("key_set_authorities", error))?;
    Ok((builder, Arc::new(Process::new(place, dialer))))
}

#[cfg(test)]
mod tests;
