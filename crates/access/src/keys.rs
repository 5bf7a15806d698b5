//! Secrets that stand for a right by themselves: keys of streams, and tokens of programs.

use crate::{
    asking::Action,
    entry::{BadEntry, Entry, bad},
    fingerprint::Fingerprint,
    rules::{Pattern, Role},
};

/// A key for streams, as people write it into encoders: `publish:live/camera:SECRET`.
pub(crate) struct StreamKey {
    action: Action,
    pattern: Pattern,
    secret: Fingerprint,
}

/// Shorter keys are too easily guessed.
const KEY_BYTES_MIN: usize = 8;

impl StreamKey {
    pub(crate) fn parse(text: &str) -> Result<StreamKey, BadEntry> {
        let Entry { first, second, rest } = Entry::parse(text)?;
        let action = match first {
            "publish" => Action::Publish,
            "play" => Action::Play,
            _ => return Err(bad("begins with neither publish nor play")),
        };
        if rest.len() < KEY_BYTES_MIN {
            return Err(bad("has a secret of less than 8 letters"));
        }
        let pattern = second.parse().map_err(|_| bad("names no stream and no pattern of streams"))?;
        Ok(StreamKey { action, pattern, secret: Fingerprint::of(rest) })
    }

    pub(crate) fn action(&self) -> Action {
        self.action
    }

    pub(crate) fn pattern(&self) -> &Pattern {
        &self.pattern
    }

    pub(crate) fn is(&self, given: &Fingerprint) -> bool {
        self.secret.is(given.bytes())
    }
}

/// A random token that a program has, of which the configuration knows the SHA-256: `grafana:viewer:sha256$HEX`.
pub(crate) struct ApiToken {
    pub(crate) name: String,
    pub(crate) role: Role,
    hash: Vec<u8>,
}

const HASH_PREFIX: &str = "sha256$";

impl ApiToken {
    pub(crate) fn parse(text: &str) -> Result<ApiToken, BadEntry> {
        let Entry { first, second, rest } = Entry::parse(text)?;
        let role = second.parse().map_err(|_| bad("names no role"))?;
        let hash = rest.strip_prefix(HASH_PREFIX).and_then(|hash| hex::decode(hash).ok());
        let hash = hash.filter(|hash| hash.len() == aws_lc_rs::digest::SHA256_OUTPUT_LEN);
        let hash = hash.ok_or_else(|| bad("does not end in sha256$ and 64 hexadecimal digits"))?;
        Ok(ApiToken { name: first.to_owned(), role, hash })
    }

    pub(crate) fn is(&self, given: &Fingerprint) -> bool {
        given.is(&self.hash)
    }
}

/// A new random token of 256 bits, and what the configuration is to hold of it.
///
/// # Errors
/// The operating system gives no random numbers.
pub fn make_token() -> Result<(String, String), NoRandomness> {
    let mut bytes = [0; 32];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| NoRandomness)?;
    let token = hex::encode(bytes);
    let hash = format!("{HASH_PREFIX}{}", hex::encode(Fingerprint::of(&token).bytes()));
    Ok((token, hash))
}

/// The operating system gives no random numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gives no random numbers")]
pub struct NoRandomness;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_with_what_it_is_for_and_may_hold_colons() {
        let key = StreamKey::parse("publish:live/*:se:cr:et:key").unwrap();
        assert!(key.is(&Fingerprint::of("se:cr:et:key")) && !key.is(&Fingerprint::of("se:cr:et:kez")));
        assert_eq!((key.action(), key.pattern()), (Action::Publish, &"live/*".parse().unwrap()));
        for bad in ["", "publish:live", "watch:live:12345678", "play:a b:12345678", "play:live:1234567"] {
            assert!(StreamKey::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_token_that_was_made_is_known_by_its_hash() {
        let (token, hash) = make_token().unwrap();
        let known = ApiToken::parse(&format!("grafana:viewer:{hash}")).unwrap();
        assert_eq!((known.name.as_str(), known.role), ("grafana", Role::Viewer));
        assert!(known.is(&Fingerprint::of(&token)) && !known.is(&Fingerprint::of(&hash)));
        assert_ne!(make_token().unwrap().0, token);
        for bad in ["a:viewer", "a:boss:sha256$00", "a:viewer:sha256$00", "a:viewer:sha256$zz", ":viewer:x"] {
            assert!(ApiToken::parse(bad).is_err(), "{bad}");
        }
    }
}
