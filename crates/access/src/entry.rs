//! Entries of the configuration in three parts with colons between them; the last part may hold more of them.

/// What is wrong with an entry, to end the sentence "entry 2 …". It tells nothing of the entry, which holds a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadEntry(pub String);

pub(crate) fn bad(what: impl Into<String>) -> BadEntry {
    BadEntry(what.into())
}

pub(crate) struct Entry<'a> {
    pub(crate) first: &'a str,
    pub(crate) second: &'a str,
    pub(crate) rest: &'a str,
}

impl<'a> Entry<'a> {
    pub(crate) fn parse(text: &'a str) -> Result<Entry<'a>, BadEntry> {
        let mut parts = text.splitn(3, ':');
        match (parts.next(), parts.next(), parts.next()) {
            (Some(first), Some(second), Some(rest)) if !first.is_empty() && !rest.is_empty() => {
                Ok(Entry { first, second, rest })
            }
            _ => Err(bad("does not have three parts with colons between them")),
        }
    }
}
