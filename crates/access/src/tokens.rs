//! JSON web tokens (RFC 7519): who bears one may do what it says, as far as it is signed by a key of this server.
//!
//! | claim | meaning |
//! |---|---|
//! | `exp` | required: the token begins nothing after it |
//! | `nbf`, `iat` | if there: it begins nothing before them |
//! | `aud`, `iss` | as configured; a token for somebody else is refused (RFC 7519 §4.1.3) |
//! | `sub` | whom the log names |
//! | `publish`, `play` | names or patterns of streams |
//! | `role` | what it may do over REST, and with all streams |
//!
//! A key has one algorithm, and the header of a token only chooses among the keys (RFC 8725 §3.1).

mod claims;
mod keys;

use std::time::SystemTime;

use headwater_media::limits;
use jsonwebtoken::{Header, Validation, decode, decode_header};

use crate::caller::Caller;

pub(crate) use claims::{Claims, Terms};
pub(crate) use keys::{TokenKey, read_set};

/// Why a token is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TokenError {
    /// It is none, or of a kind that is not taken.
    #[error("the token is {0}")]
    Unreadable(&'static str),
    /// No key of this server has signed it.
    #[error("the token is not signed by a key of this server")]
    Signature,
    /// It names a key that is not known; others may have come since.
    #[error("the token is signed by a key that this server does not know")]
    UnknownKey,
    /// It is signed well, but does not hold here and now.
    #[error("the token {0}")]
    Claims(&'static str),
}

/// Whether a text is written as tokens are: three parts with dots between them.
pub(crate) fn looks_like_one(text: &str) -> bool {
    text.bytes().filter(|byte| *byte == b'.').count() == 2 && text.starts_with("ey")
}

/// What a token allows, if one of the keys has signed it and it holds now.
pub(crate) fn read<'a>(
    text: &str,
    keys: impl Iterator<Item = &'a TokenKey>,
    terms: &Terms,
    now: SystemTime,
) -> Result<Caller, TokenError> {
    if text.len() > limits::ACCESS_TOKEN_BYTES.get_usize() {
        limits::ACCESS_TOKEN_BYTES.hit();
        return Err(TokenError::Unreadable("too long"));
    }
    let header =
        decode_header(text).map_err(|_| TokenError::Unreadable("not readable, or its algorithm is not taken"))?;
    // RFC 7515 §4.1.11: what is critical must be understood, and no such thing is.
    if header.crit.is_some() {
        return Err(TokenError::Unreadable("of a kind that this server does not understand"));
    }
    let mut error = TokenError::Signature;
    let mut knows_id = false;
    for key in keys.filter(|key| key.algorithm == header.alg) {
        knows_id |= header.kid.is_none() || key.id == header.kid;
        if !key.may_have_signed(&header) {
            continue;
        }
        match verify(text, key) {
            Ok(claims) => return claims.check(terms, now).map_err(TokenError::Claims),
            Err(found) => error = found,
        }
    }
    Err(if knows_id { error } else { TokenError::UnknownKey })
}

/// Only the signature is left to the library; times and names are checked by [`Claims::check`], by the server's clock.
fn verify(text: &str, key: &TokenKey) -> Result<Claims, TokenError> {
    let mut validation = Validation::new(key.algorithm);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    decode::<Claims>(text, &key.key, &validation).map(|token| token.claims).map_err(|error| match error.kind() {
        jsonwebtoken::errors::ErrorKind::Json(_) => TokenError::Claims("holds claims of the wrong kind"),
        _ => TokenError::Signature,
    })
}

impl TokenKey {
    /// A key with an id signs what names that id; one without may have signed anything.
    fn may_have_signed(&self, header: &Header) -> bool {
        self.id.is_none() || header.kid.is_none() || self.id == header.kid
    }
}

#[cfg(test)]
pub(crate) mod tests;
