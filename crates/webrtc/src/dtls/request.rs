//! The message that says which certificates a server takes.

use std::borrow::Cow;

use super::wire::{Message, Record};

/// Type of the CertificateRequest (RFC 5246 §7.4).
const CERTIFICATE_REQUEST: u8 = 13;

/// What the peer is asked for (RFC 5246 §7.4.4): two types of certificates, `ecdsa_sign` and `rsa_sign`, and four
/// signatures, ECDSA and RSA (PKCS #1) over SHA-256 and SHA-384; of any authority.
const ASKED: [u8; 15] = [2, 64, 1, 0, 8, 4, 3, 5, 3, 4, 1, 5, 1, 0, 0];
const ASKED_BYTES: u8 = ASKED.len() as u8;

/// Gives the datagram as it is to be sent: with [`ASKED`], where it holds a whole CertificateRequest.
///
/// A part of one would stay as it is, and the handshake fail; but what a server sends with it is far from filling a
/// datagram.
pub(crate) fn widen(datagram: &[u8]) -> Cow<'_, [u8]> {
    replace_in_records(datagram).map_or(Cow::Borrowed(datagram), Cow::Owned)
}

/// Gives the handshake messages, one after the other, as they were on the wire.
pub(super) fn widen_handshake(messages: &[u8]) -> Cow<'_, [u8]> {
    replace_in_messages(messages).map_or(Cow::Borrowed(messages), Cow::Owned)
}

fn replace_in_records(datagram: &[u8]) -> Option<Vec<u8>> {
    let mut left = datagram;
    loop {
        let record = Record::split(left)?;
        let widened = if record.is_plain_handshake() { replace_in_messages(record.fragment) } else { None };
        if let Some(widened) = widened {
            let before = datagram.len() - left.len();
            let mut out = datagram.get(..before)?.to_vec();
            out.extend_from_slice(record.header.get(..11)?);
            out.extend_from_slice(&u16::try_from(widened.len()).ok()?.to_be_bytes());
            out.extend_from_slice(&widened);
            out.extend_from_slice(record.rest);
            return Some(out);
        }
        left = record.rest;
    }
}

fn replace_in_messages(messages: &[u8]) -> Option<Vec<u8>> {
    let mut left = messages;
    loop {
        let message = Message::split(left).filter(|message| message.is_whole)?;
        let rest = message.rest?;
        if message.kind == CERTIFICATE_REQUEST {
            let [kind, _, _, _, s0, s1, ..] = *message.header;
            let mut out = messages.get(..messages.len() - left.len())?.to_vec();
            out.extend_from_slice(&[kind, 0, 0, ASKED_BYTES, s0, s1, 0, 0, 0, 0, 0, ASKED_BYTES]);
            out.extend_from_slice(&ASKED);
            out.extend_from_slice(rest);
            return Some(out);
        }
        left = rest;
    }
}
