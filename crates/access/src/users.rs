//! People with a name and a password.

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use aws_lc_rs::hmac;
use parking_lot::Mutex;

use crate::{
    entry::{BadEntry, Entry, bad},
    keys::NoRandomness,
    rules::Role,
};

/// A user of the configuration: `anna:operator:$argon2id$...`.
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) role: Role,
    hash: PasswordHash,
    /// The password that was right last, under a key that only this process has, so that a program that sends it with
    /// every call costs the slow check once.
    known: Mutex<Option<hmac::Tag>>,
}

impl User {
    pub(crate) fn parse(text: &str) -> Result<User, BadEntry> {
        let Entry { first, second, rest } = Entry::parse(text)?;
        let role = second.parse().map_err(|_| bad("names no role"))?;
        let is_name = first.len() <= NAME_BYTES_MAX && first.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_name {
            return Err(bad("has a name with blanks or letters that are not ASCII, or of more than 64 letters"));
        }
        Ok(User { name: first.to_owned(), role, hash: read_hash(rest)?, known: Mutex::new(None) })
    }

    /// Takes some ten milliseconds.
    pub(crate) fn is_password(&self, password: &str) -> bool {
        Argon2::default().verify_password(password.as_bytes(), &self.hash).is_ok()
    }

    /// Whether this is the password that was right last.
    pub(crate) fn is_known(&self, cache: &hmac::Key, password: &str) -> bool {
        let known = *self.known.lock();
        known.is_some_and(|known| hmac::verify(cache, password.as_bytes(), known.as_ref()).is_ok())
    }

    pub(crate) fn remember(&self, cache: &hmac::Key, password: &str) {
        *self.known.lock() = Some(hmac::sign(cache, password.as_bytes()));
    }
}

const NAME_BYTES_MAX: usize = 64;
/// So that a check does not take all memory or all day, whatever the hash says. In kibibytes.
const MEMORY_MAX: u32 = 256 << 10;
const ROUNDS_MAX: u32 = 16;

fn read_hash(text: &str) -> Result<PasswordHash, BadEntry> {
    let wrong = || bad("does not end in a password hash as `origin --hash-password` makes one ($argon2id$...)");
    let hash = PasswordHash::new(text).map_err(|_| wrong())?;
    let parameter = |name: &str| hash.params.get_decimal(name);
    let is_argon2 = hash.algorithm.as_str() == "argon2id" && hash.salt.is_some() && hash.hash.is_some();
    let is_bounded = parameter("m").is_some_and(|memory| memory <= MEMORY_MAX)
        && parameter("t").is_some_and(|rounds| rounds <= ROUNDS_MAX);
    (is_argon2 && is_bounded).then_some(hash).ok_or_else(wrong)
}

/// The hash of a password, as the configuration is to hold it (Argon2id, RFC 9106, as a PHC string).
///
/// # Errors
/// The operating system gives no random numbers.
pub fn hash_password(password: &str) -> Result<String, NoRandomness> {
    let hash: PasswordHash = Argon2::default().hash_password(password.as_bytes()).map_err(|_| NoRandomness)?;
    Ok(hash.to_string())
}

/// Takes as long as a check of a user's password, for names that nobody has.
pub(crate) fn check_nobody(password: &str) {
    let _ =
        Argon2::default().hash_password_with_salt(password.as_bytes(), b"nobody has it").map(|hash: PasswordHash| hash);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_known_by_the_hash_of_the_password() {
        let hash = hash_password("correct horse").unwrap();
        let user = User::parse(&format!("anna:operator:{hash}")).unwrap();
        assert_eq!((user.name.as_str(), user.role), ("anna", Role::Operator));
        assert!(user.is_password("correct horse") && !user.is_password("correct horsf") && !user.is_password(""));
        let cache = hmac::Key::generate(hmac::HMAC_SHA256, &aws_lc_rs::rand::SystemRandom::new()).unwrap();
        assert!(!user.is_known(&cache, "correct horse"));
        user.remember(&cache, "correct horse");
        assert!(user.is_known(&cache, "correct horse") && !user.is_known(&cache, "correct horsf"));
    }

    #[test]
    fn entries_that_are_no_users_are_refused_without_telling_them() {
        let hash = hash_password("x").unwrap();
        for entry in [
            "anna".to_owned(),
            "anna:operator:canary".to_owned(),
            format!("anna:boss:{hash}"),
            format!("an na:admin:{hash}"),
            format!("anna:admin:{}", hash.replace("argon2id", "argon2i")),
            format!("anna:admin:{}", hash.replace("m=19456", "m=4000000")),
            format!("anna:admin:{}", hash.replace("t=2", "t=2000")),
        ] {
            let error = User::parse(&entry).err().unwrap_or_else(|| panic!("{entry} is taken")).to_string();
            assert!(!error.contains("canary") && !error.contains("anna"), "{error}");
        }
    }
}
