//! What is kept of a secret in order to know it again: its SHA-256, compared in constant time.

use aws_lc_rs::{constant_time, digest};

/// The SHA-256 of a secret.
///
/// Enough for secrets that cannot be guessed; passwords, which people choose, want a slow hash.
#[derive(Clone)]
pub(crate) struct Fingerprint(digest::Digest);

impl Fingerprint {
    pub(crate) fn of(secret: &str) -> Fingerprint {
        Fingerprint(digest::digest(&digest::SHA256, secret.as_bytes()))
    }

    /// Whether these bytes are the same SHA-256. The time that it takes tells nothing of where they differ.
    pub(crate) fn is(&self, bytes: &[u8]) -> bool {
        constant_time::verify_slices_are_equal(self.0.as_ref(), bytes).is_ok()
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.as_ref()
    }
}
