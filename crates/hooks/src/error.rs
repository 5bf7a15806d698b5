//! Why a hook came to nothing.

use std::time::Duration;

use headwater_access::{Refused, Why};
use thiserror::Error;

/// Why a hook came to nothing. The application's sentence begins with "it": its back end.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum HookError {
    /// Application: it answered, and not with 200.
    #[error("it answered {0}{remark}", remark = remark(*.0))]
    Status(u16),
    /// Application: what it answered is no JSON object.
    #[error("its answer is no JSON object")]
    NotJson,
    /// Application: its answer is longer than the limit `HOOK_ANSWER_BYTES`.
    #[error("its answer has more than {0} bytes")]
    TooLong(u64),
    /// Application: it put a name in place of the one asked for that is none.
    #[error("the stream name in its answer cannot be used: {0}")]
    BadName(String),
    /// Application or network: there was no answer in time.
    #[error("it did not answer within {0:?}")]
    TimedOut(Duration),
    /// Application or network: there is no connection, or it broke.
    #[error("it cannot be reached: {0}")]
    Unreachable(String),
    /// This server: the application's share of `HOOK_DECISIONS` was taken for as long as there was time.
    #[error("too many hooks were under way")]
    Crowded,
}

impl HookError {
    /// What stands against whoever waits for the decision.
    pub fn why(&self) -> Why {
        match self {
            HookError::Status(401) => Why::Unknown,
            HookError::Status(403) => Why::Forbidden,
            HookError::Status(429) => Why::TooMany,
            _ => Why::Unavailable,
        }
    }

    /// The same for who asked, who need not know how the application is built.
    pub fn refused(&self) -> Refused {
        let why = self.why();
        let sentence = match why {
            Why::Unknown => "the application asks for other credentials",
            Why::Forbidden => "the application does not allow it",
            Why::TooMany => "the application has too many requests; try again later",
            _ => "the application that decides about it did not; try again later",
        };
        Refused::new(why, sentence)
    }

    /// Whether the same may go well later.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            HookError::Status(status) => matches!(status, 408 | 425 | 429 | 500..),
            HookError::TimedOut(_) | HookError::Unreachable(_) | HookError::Crowded => true,
            HookError::NotJson | HookError::TooLong(_) | HookError::BadName(_) => false,
        }
    }
}

fn remark(status: u16) -> &'static str {
    match status {
        201..=299 => ", where 200 is needed",
        300..=399 => ", and redirects are not followed",
        404 => ", so the address of the application may be wrong",
        _ => "",
    }
}
