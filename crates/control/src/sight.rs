//! How much of others a caller is shown: whoever only looks is not told where people are.

use std::convert::Infallible;

use axum::{extract::FromRequestParts, http::request::Parts};
use headwater_access::{Caller, Role};

/// How much of others a caller is shown. Where the server knows no users, tokens or keys, it is all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sight {
    /// All there is.
    Full,
    /// No addresses, and nothing that pages said of their visitors.
    Anonymous,
}

impl Sight {
    /// Operators deal with single people; viewers, publishers and other servers do not.
    pub(crate) fn of(caller: &Caller) -> Sight {
        if caller.has(Role::Operator) { Sight::Full } else { Sight::Anonymous }
    }

    /// What may be shown of a field that is not for everybody.
    pub(crate) fn show<T>(self, field: Option<T>) -> Option<T> {
        field.filter(|_| self == Sight::Full)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Sight {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Sight, Infallible> {
        Ok(parts.extensions.get().copied().unwrap_or(Sight::Full))
    }
}
