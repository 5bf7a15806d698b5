//! Copying a packet into its datagram and sealing it, as SRTP does and with nothing else around it.

use anyhow::{Context, Result};
use aws_lc_rs::aead::{Aad, Algorithm, LessSafeKey, Nonce, UnboundKey};

/// An RTP header with the one extension that browsers want (RFC 3550 §5.1, RFC 8285 §4.2).
pub(crate) const HEADER_BYTES: usize = 20;
/// What GCM adds (RFC 7714 §6).
const TAG_BYTES: usize = 16;

/// Copies the payload and writes a header of this viewer before it.
#[inline]
pub(crate) fn write_packet(packet: &mut [u8], sequence: u16, payload: &[u8]) {
    let [high, low] = sequence.to_be_bytes();
    let header: [u8; HEADER_BYTES] = [0x90, 96, high, low, 0, 0, 0, 1, 0, 0, 0, 2, 0xbe, 0xde, 0, 1, 0x10, b'0', 0, 0];
    let (front, rest) = packet.split_at_mut(HEADER_BYTES);
    front.copy_from_slice(&header);
    rest[..payload.len()].copy_from_slice(payload);
}

/// Seals packets as SRTP with AEAD does.
pub(crate) struct Sealer {
    key: LessSafeKey,
}

impl Sealer {
    /// A sealer with a key of no consequence.
    pub(crate) fn new(algorithm: &'static Algorithm) -> Result<Sealer> {
        let key = UnboundKey::new(algorithm, &vec![0x5a; algorithm.key_len()]).ok().context("no such key")?;
        Ok(Sealer { key: LessSafeKey::new(key) })
    }

    /// How long a packet with this much payload becomes.
    pub(crate) fn sealed_bytes(&self, payload: usize) -> usize {
        HEADER_BYTES + payload + TAG_BYTES
    }

    /// Writes header, payload and tag; `packet` is exactly as long as that.
    #[inline]
    pub(crate) fn seal(&self, packet: &mut [u8], sequence: u16, payload: &[u8]) -> Result<()> {
        write_packet(packet, sequence, payload);
        let [high, low] = sequence.to_be_bytes();
        let nonce = Nonce::assume_unique_for_key([0x11, 0x22, 0, 0, 0, 2, 0x33, 0x44, 0x55, 0, high, low]);
        let (header, rest) = packet.split_at_mut(HEADER_BYTES);
        let (body, tag) = rest.split_at_mut(payload.len());
        let made =
            self.key.seal_in_place_separate_tag(nonce, Aad::from(&*header), body).ok().context("sealing fails")?;
        tag.copy_from_slice(made.as_ref());
        Ok(())
    }

    /// Opens what [`Sealer::seal`] has sealed, in place, and yields the payload.
    #[inline]
    pub(crate) fn open<'a>(&self, packet: &'a mut [u8]) -> Result<&'a [u8]> {
        let (header, body) = packet.split_at_mut_checked(HEADER_BYTES).context("the packet has no header")?;
        let nonce = Nonce::assume_unique_for_key([0x11, 0x22, 0, 0, 0, 2, 0x33, 0x44, 0x55, 0, header[2], header[3]]);
        let opened = self.key.open_in_place(nonce, Aad::from(&*header), body);
        Ok(opened.ok().context("opening fails")?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_opens_and_what_was_bent_does_not() {
        let sealer = Sealer::new(&aws_lc_rs::aead::AES_128_GCM).unwrap();
        let mut packet = vec![0; sealer.sealed_bytes(100)];
        sealer.seal(&mut packet, 700, &[7; 100]).unwrap();
        let mut bent = packet.clone();
        bent[3] ^= 1;
        assert_eq!(sealer.open(&mut packet).unwrap(), &[7; 100]);
        assert!(sealer.open(&mut bent).is_err());
    }
}
