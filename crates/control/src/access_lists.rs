//! The keys of streams, set by whoever runs them.

use headwater_media::StreamName;

/// What is to become of the keys of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyChange {
    /// These are good from now on, besides those that are.
    Add(Vec<String>),
    /// These are no longer.
    Remove(Vec<String>),
    /// Everybody may watch again.
    Open,
}

/// Why the keys of a stream are not told or changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoKeys {
    /// Nobody publishes it.
    #[error("there is no such stream")]
    NoStream,
    /// It is published on another server, whose name this is, and its keys can be changed only there.
    #[error("the stream is published on the server {0}; make this call there")]
    Elsewhere(String),
    /// There would be too many keys, or a key is too long or no text that can be written into an address.
    #[error("{0}")]
    BadKeys(String),
}

/// Knows the keys that viewers of streams need.
pub trait AccessListing: Send + Sync + 'static {
    /// Changes the keys of a stream at once, on every server that has it.
    ///
    /// # Errors
    /// The stream is not published here, or the keys are not good.
    fn change(&self, stream: &StreamName, change: KeyChange) -> Result<(), NoKeys>;

    /// The keys of a stream; none of one that is open.
    ///
    /// # Errors
    /// There is no such stream.
    fn keys(&self, stream: &StreamName) -> Result<Vec<String>, NoKeys>;
}
