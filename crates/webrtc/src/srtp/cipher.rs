//! The ciphers of the profiles, and where a packet's number goes in each.

use aws_lc_rs::{cipher::EncryptingKey, constant_time, hmac};

use crate::prefetch::prefetch;

use super::{
    ENCRYPTED, INDEX_BYTES, REPORT_HEADER_BYTES,
    gcm::{self, Nonce},
    keys::{self, Labels, Master, Profile},
    patch::Patch,
};

/// HMAC-SHA1, cut to 80 bits (RFC 3711 §5.2).
const SHA1_TAG_BYTES: usize = 10;
/// The highest number that a packet can have: 16 bits of sequence number and 32 of rollovers (RFC 3711 §3.3.1). More
/// packets must not be sealed under one key (§9.2).
const INDEX_MAX: u64 = (1 << 48) - 1;

/// One cipher with its session keys, for media or for reports.
#[derive(Debug)]
pub(super) enum Cipher {
    Gcm {
        key: gcm::Key,
        salt: [u8; 12],
    },
    /// Apart, as it is large and seldom used.
    Counter(Box<Counter>),
}

#[derive(Debug)]
pub(super) struct Counter {
    key: EncryptingKey,
    salt: [u8; 14],
    authentication: hmac::Key,
}

impl Cipher {
    pub(super) fn new(profile: Profile, master: &Master, labels: Labels) -> Option<Cipher> {
        let mut key = vec![0; profile.key_bytes()];
        keys::derive(profile, master, labels.encryption, &mut key)?;
        if profile == Profile::Aes128CounterSha1 {
            let (mut salt, mut authentication) = ([0; 14], [0; 20]);
            keys::derive(profile, master, labels.salt, &mut salt)?;
            keys::derive(profile, master, labels.authentication, &mut authentication)?;
            return Some(Cipher::Counter(Box::new(Counter {
                key: keys::counter_mode(profile, &key)?,
                salt,
                authentication: hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &authentication),
            })));
        }
        let mut salt = [0; 12];
        keys::derive(profile, master, labels.salt, &mut salt)?;
        Some(Cipher::Gcm { key: gcm::Key::new(&key)?, salt })
    }

    /// Has the processor fetch the key.
    #[inline]
    pub(super) fn prefetch(&self) {
        match self {
            Cipher::Gcm { key, .. } => key.prefetch(),
            Cipher::Counter(counter) => prefetch(&**counter),
        }
    }

    pub(super) fn tag_bytes(&self) -> usize {
        match self {
            Cipher::Gcm { .. } => gcm::TAG_BYTES,
            Cipher::Counter(_) => SHA1_TAG_BYTES,
        }
    }

    /// `out` is the header, room for the payload, and room for the tag.
    #[inline]
    pub(super) fn seal_media(
        &self,
        source: u32,
        sequence: u64,
        payload: (&[u8], Option<Patch>),
        out: &mut [u8],
    ) -> bool {
        self.try_seal_media(source, sequence, payload, out).is_some()
    }

    #[inline]
    fn try_seal_media(
        &self,
        source: u32,
        sequence: u64,
        (payload, patch): (&[u8], Option<Patch>),
        out: &mut [u8],
    ) -> Option<()> {
        if sequence > INDEX_MAX {
            return None;
        }
        let header = out.len().checked_sub(payload.len())?.checked_sub(self.tag_bytes())?;
        match self {
            Cipher::Gcm { key, salt } => {
                let (header, rest) = out.split_at_mut_checked(header)?;
                let (sealed, tag) = rest.split_at_mut_checked(payload.len())?;
                let nonce = gcm_nonce(salt, source, sequence);
                let Some(patch) = patch else {
                    return key.seal(&nonce, header, payload, sealed, tag);
                };
                sealed.copy_from_slice(payload);
                patch.apply(sealed);
                key.seal_in_place(&nonce, header, sealed, tag)
            }
            Cipher::Counter(counter) => {
                let Counter { key, salt, authentication } = &**counter;
                let (packet, tag) = out.split_at_mut_checked(header + payload.len())?;
                let sealed = packet.get_mut(header..)?;
                sealed.copy_from_slice(payload);
                if let Some(patch) = patch {
                    patch.apply(sealed);
                }
                keys::apply_counter_mode(key, counter_block(salt, source, sequence), sealed)?;
                let rollovers = ((sequence >> 16) as u32).to_be_bytes();
                copy_front(tag, authenticate(authentication, packet, &rollovers).as_ref())
            }
        }
    }

    /// Opens a media packet where it stands; its header has `header` bytes. Yields the payload.
    #[inline]
    pub(super) fn open_media<'a>(
        &self,
        source: u32,
        sequence: u64,
        header: usize,
        datagram: &'a mut [u8],
    ) -> Option<&'a mut [u8]> {
        match self {
            Cipher::Gcm { key, salt } => {
                let (header, sealed) = datagram.split_at_mut_checked(header)?;
                let nonce = gcm_nonce(salt, source, sequence);
                key.open_in_place(&nonce, header, sealed)
            }
            Cipher::Counter(counter) => {
                let Counter { key, salt, authentication } = &**counter;
                let (packet, tag) = datagram.split_last_chunk_mut::<SHA1_TAG_BYTES>()?;
                let rollovers = ((sequence >> 16) as u32).to_be_bytes();
                let made = authenticate(authentication, packet, &rollovers);
                constant_time::verify_slices_are_equal(made.as_ref().get(..SHA1_TAG_BYTES)?, tag).ok()?;
                let payload = packet.get_mut(header..)?;
                keys::apply_counter_mode(key, counter_block(salt, source, sequence), payload)?;
                Some(payload)
            }
        }
    }

    /// `out` is the compound packet, and room for what [`Sealer::report_overhead`](super::Sealer::report_overhead)
    /// counts.
    pub(super) fn seal_reports(&self, index: u32, out: &mut [u8]) -> bool {
        self.try_seal_reports(index, out).is_some()
    }

    fn try_seal_reports(&self, index: u32, out: &mut [u8]) -> Option<()> {
        let plain = out.len().checked_sub(self.tag_bytes())?.checked_sub(INDEX_BYTES)?;
        let source = report_source(out)?;
        let word = (index | ENCRYPTED).to_be_bytes();
        match self {
            Cipher::Gcm { key, salt } => {
                let (header, rest) = out.split_at_mut_checked(REPORT_HEADER_BYTES)?;
                let (body, rest) = rest.split_at_mut_checked(plain.checked_sub(REPORT_HEADER_BYTES)?)?;
                let (tag, last) = rest.split_at_mut_checked(gcm::TAG_BYTES)?;
                let aad = report_aad(header, word)?;
                let nonce = gcm_nonce(salt, source, u64::from(index));
                key.seal_in_place(&nonce, &aad, body, tag)?;
                copy_front(last, &word)
            }
            Cipher::Counter(counter) => {
                let Counter { key, salt, authentication } = &**counter;
                let (packet, rest) = out.split_at_mut_checked(plain)?;
                let (last, tag) = rest.split_at_mut_checked(INDEX_BYTES)?;
                let body = packet.get_mut(REPORT_HEADER_BYTES..)?;
                keys::apply_counter_mode(key, counter_block(salt, source, u64::from(index)), body)?;
                copy_front(last, &word)?;
                copy_front(tag, authenticate(authentication, packet, &word).as_ref())
            }
        }
    }

    /// Yields the number of the report, and the compound packet in `into`.
    pub(super) fn open_reports(&self, datagram: &[u8], into: &mut Vec<u8>) -> Option<u32> {
        into.clear();
        let source = report_source(datagram)?;
        match self {
            Cipher::Gcm { key, salt } => {
                let (rest, word) = datagram.split_last_chunk::<INDEX_BYTES>()?;
                let index = encrypted_index(*word)?;
                let (header, body) = rest.split_at_checked(REPORT_HEADER_BYTES)?;
                let aad = report_aad(header, *word)?;
                into.extend_from_slice(header);
                into.extend_from_slice(body);
                let nonce = gcm_nonce(salt, source, u64::from(index));
                let body = into.get_mut(REPORT_HEADER_BYTES..)?;
                let length = key.open_in_place(&nonce, &aad, body)?.len();
                into.truncate(REPORT_HEADER_BYTES + length);
                Some(index)
            }
            Cipher::Counter(counter) => {
                let Counter { key, salt, authentication } = &**counter;
                let (rest, tag) = datagram.split_last_chunk::<SHA1_TAG_BYTES>()?;
                let (packet, word) = rest.split_last_chunk::<INDEX_BYTES>()?;
                let index = encrypted_index(*word)?;
                let made = authenticate(authentication, packet, word);
                constant_time::verify_slices_are_equal(made.as_ref().get(..SHA1_TAG_BYTES)?, tag).ok()?;
                into.extend_from_slice(packet);
                let body = into.get_mut(REPORT_HEADER_BYTES..)?;
                keys::apply_counter_mode(key, counter_block(salt, source, u64::from(index)), body)?;
                Some(index)
            }
        }
    }
}

/// Source and number of a packet, mixed with the salt: RFC 7714 §8.1 for media, §9.1 for reports.
fn gcm_nonce(salt: &[u8; 12], source: u32, number: u64) -> Nonce {
    let mixed = (u128::from(source) << 48) | u128::from(number & 0xffff_ffff_ffff);
    let mut nonce = *salt;
    for (to, from) in nonce.iter_mut().zip(mixed.to_be_bytes().into_iter().skip(4)) {
        *to ^= from;
    }
    nonce
}

/// RFC 3711 §4.1.1: the salt, the source and the number, each in its place, before a counter of 16 bits.
fn counter_block(salt: &[u8; 14], source: u32, number: u64) -> [u8; 16] {
    let mixed = (u128::from(source) << 64) | (u128::from(number & 0xffff_ffff_ffff) << 16);
    let mut block = mixed.to_be_bytes();
    for (to, from) in block.iter_mut().zip(salt) {
        *to ^= from;
    }
    block
}

fn authenticate(key: &hmac::Key, packet: &[u8], rest: &[u8]) -> hmac::Tag {
    let mut context = hmac::Context::with_key(key);
    context.update(packet);
    context.update(rest);
    context.sign()
}

/// Header and index of a report are authenticated and not encrypted (RFC 7714 §9.2).
fn report_aad(header: &[u8], word: [u8; INDEX_BYTES]) -> Option<[u8; REPORT_HEADER_BYTES + INDEX_BYTES]> {
    let mut aad = [0; REPORT_HEADER_BYTES + INDEX_BYTES];
    let (front, back) = aad.split_at_mut_checked(REPORT_HEADER_BYTES)?;
    copy_front(front, header)?;
    copy_front(back, &word)?;
    Some(aad)
}

fn report_source(datagram: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(*datagram.get(4..)?.first_chunk()?))
}

/// The number of an encrypted report; one that is not encrypted is refused.
fn encrypted_index(word: [u8; INDEX_BYTES]) -> Option<u32> {
    let word = u32::from_be_bytes(word);
    (word & ENCRYPTED != 0).then_some(word & !ENCRYPTED)
}

/// Fills `to` with the first bytes of `from`.
fn copy_front(to: &mut [u8], from: &[u8]) -> Option<()> {
    to.copy_from_slice(from.get(..to.len())?);
    Some(())
}
