//! What sessions of viewers and of publishers have in common in DTLS: `dimpl`, and peers whose certificate is RSA.
//!
//! `dimpl` asks its clients for an ECDSA certificate and knows no other, so a client that has an RSA one shows none.
//! Which certificates a server takes stands in one message, its CertificateRequest, and that is replaced here:
//!
//! ```text
//!   dimpl                                this module                         peer
//!   CertificateRequest (ECDSA)  ──────►  CertificateRequest (ECDSA, RSA)  ─────►
//!   hash of the handshake       ◄──────  with the message that was sent
//!   CertificateVerify           ◄──────  checked by the key of the certificate  ◄─────
//! ```
//!
//! Both sides of the handshake sign and hash what was on the wire; were the two to differ, no handshake would end.
//! This side's own certificate stays ECDSA, and so do the cipher suites.
//! Where this side is the client nothing of this applies: its suites are those of ECDSA servers.
//!
//! | file | what |
//! |---|---|
//! | `request` | the message, in datagrams and in what is hashed |
//! | `verify` | proof that the peer has the certificate's key |
//! | `size` | certificates that are too large |
//! | `wire` | records and the messages in them |
//! | `instance` | DTLS for sessions of str0m |

mod instance;
mod request;
mod size;
#[cfg(test)]
pub(crate) mod tests;
mod verify;
mod wire;

use dimpl::{
    Config, ConfigBuilder,
    crypto::{Buf, CryptoProvider, HashAlgorithm, HashContext, HashProvider, aws_lc_rs},
};

pub(crate) use instance::provider;
pub(crate) use request::widen;
pub(crate) use size::{CERTIFICATE_BYTES, check_size};

/// Settings of a DTLS client.
pub(crate) fn client_config() -> ConfigBuilder {
    // ICE has proved the address before DTLS begins, so no cookie is asked for.
    Config::builder().use_server_cookie(false)
}

/// Settings of a DTLS server that takes RSA certificates too. What it sends has to pass through [`widen`].
pub(crate) fn server_config() -> ConfigBuilder {
    let own = aws_lc_rs::default_provider();
    let provider = CryptoProvider { hash_provider: &Hashes, signature_verification: &verify::Verifier, ..own };
    client_config().with_crypto_provider(provider)
}

/// Hashes of the handshake as it was on the wire.
#[derive(Debug)]
struct Hashes;

impl HashProvider for Hashes {
    fn create_hash(&self, algorithm: HashAlgorithm) -> Box<dyn HashContext> {
        Box::new(Hash(aws_lc_rs::default_provider().hash_provider.create_hash(algorithm)))
    }
}

#[derive(Debug)]
struct Hash(Box<dyn HashContext>);

impl HashContext for Hash {
    /// `dimpl` gives the whole handshake at once.
    fn update(&mut self, handshake: &[u8]) {
        self.0.update(&request::widen_handshake(handshake));
    }

    fn clone_and_finalize(&self, out: &mut Buf) {
        self.0.clone_and_finalize(out);
    }
}
