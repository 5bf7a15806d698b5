//! From the key material of the DTLS handshake to the keys of the ciphers.

use aws_lc_rs::cipher::{AES_128, AES_256, Algorithm, EncryptingKey, EncryptionContext, UnboundCipherKey};

/// How media and reports are protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    /// `SRTP_AEAD_AES_128_GCM`.
    Aes128Gcm,
    /// `SRTP_AEAD_AES_256_GCM`.
    Aes256Gcm,
    /// `SRTP_AES128_CM_HMAC_SHA1_80`.
    Aes128CounterSha1,
}

impl Profile {
    pub(super) fn key_bytes(self) -> usize {
        match self {
            Profile::Aes256Gcm => 32,
            Profile::Aes128Gcm | Profile::Aes128CounterSha1 => 16,
        }
    }

    pub(super) fn salt_bytes(self) -> usize {
        match self {
            Profile::Aes128Gcm | Profile::Aes256Gcm => 12,
            Profile::Aes128CounterSha1 => 14,
        }
    }

    fn block_cipher(self) -> &'static Algorithm {
        match self {
            Profile::Aes256Gcm => &AES_256,
            Profile::Aes128Gcm | Profile::Aes128CounterSha1 => &AES_128,
        }
    }
}

/// The master key and salt of one direction.
pub(crate) struct Master {
    key: Vec<u8>,
    /// Followed by zeros where the profile's salt is shorter.
    salt: [u8; 14],
}

impl Master {
    /// Those of the client and of the server, from what DTLS exports: both keys, then both salts (RFC 5764 §4.2).
    pub(crate) fn split(profile: Profile, material: &[u8]) -> Option<(Master, Master)> {
        let (key, salt) = (profile.key_bytes(), profile.salt_bytes());
        let (client_key, rest) = material.split_at_checked(key)?;
        let (server_key, rest) = rest.split_at_checked(key)?;
        let (client_salt, rest) = rest.split_at_checked(salt)?;
        let (server_salt, _) = rest.split_at_checked(salt)?;
        Some((Master::new(client_key, client_salt), Master::new(server_key, server_salt)))
    }

    pub(super) fn new(key: &[u8], salt: &[u8]) -> Master {
        let mut padded = [0; 14];
        for (to, from) in padded.iter_mut().zip(salt) {
            *to = *from;
        }
        Master { key: key.to_vec(), salt: padded }
    }
}

/// The labels of the three keys of media, and of reports (RFC 3711 §4.3.2).
#[derive(Clone, Copy, Debug)]
pub(super) struct Labels {
    pub(super) encryption: u8,
    pub(super) authentication: u8,
    pub(super) salt: u8,
}

pub(super) const MEDIA: Labels = Labels { encryption: 0, authentication: 1, salt: 2 };
pub(super) const REPORTS: Labels = Labels { encryption: 3, authentication: 4, salt: 5 };

/// Derives a key: the key stream of AES in counter mode from a block that the salt and the label make.
///
/// Source: RFC 3711 §4.3.1 and §4.3.3; RFC 7714 §11 for shorter salts; RFC 6188 §3 for longer keys.
pub(super) fn derive(profile: Profile, master: &Master, label: u8, key: &mut [u8]) -> Option<()> {
    let mut block = [0; 16];
    for (to, from) in block.iter_mut().zip(master.salt) {
        *to = from;
    }
    *block.get_mut(7)? ^= label;
    key.fill(0);
    apply_counter_mode(&counter_mode(profile, &master.key)?, block, key)
}

/// AES in counter mode under a key of this profile.
pub(super) fn counter_mode(profile: Profile, key: &[u8]) -> Option<EncryptingKey> {
    EncryptingKey::ctr(UnboundCipherKey::new(profile.block_cipher(), key).ok()?).ok()
}

/// Encrypts, or decrypts, in place.
pub(super) fn apply_counter_mode(key: &EncryptingKey, block: [u8; 16], data: &mut [u8]) -> Option<()> {
    key.less_safe_encrypt(data, EncryptionContext::Iv128(block.into())).ok()?;
    Some(())
}
