//! Certificates that are too large.

use dimpl::{CertificateError, Error};

use super::wire::{Message, Record};

/// Bytes of the largest certificate, which is what str0m has room for. One of an RSA key of 4,096 bits has about 1,300.
pub(crate) const CERTIFICATE_BYTES: usize = 2_000;
/// Two lengths of three bytes, of the list and of the certificate in it (RFC 5246 §7.4.2).
const LIST_BYTES: u32 = CERTIFICATE_BYTES as u32 + 6;
/// Type of a Certificate (RFC 5246 §7.4).
const CERTIFICATE: u8 = 11;

/// Refuses a datagram that begins or continues a larger one: `dimpl` has no error for that, but panics.
///
/// # Errors
/// The peer's fault, or that of whoever made its certificate.
pub(crate) fn check_size(datagram: &[u8]) -> Result<(), Error> {
    let mut left = datagram;
    while let Some(record) = Record::split(left) {
        if record.is_plain_handshake() {
            check_messages(record.fragment)?;
        }
        left = record.rest;
    }
    Ok(())
}

fn check_messages(mut left: &[u8]) -> Result<(), Error> {
    while let Some(message) = Message::split(left) {
        if message.kind == CERTIFICATE && message.length > LIST_BYTES {
            tracing::info!(bytes = message.length, most = LIST_BYTES, "a peer's DTLS certificate is too large");
            return Err(Error::CertificateError(CertificateError::ParseFailed));
        }
        let Some(rest) = message.rest else { break };
        left = rest;
    }
    Ok(())
}
