//! A DTLS client that shows an RSA certificate.
//!
//! It is made of `dimpl`, with a key that signs by RSA but calls itself ECDSA. So its CertificateVerify has to be
//! relabelled, on the wire and in what the client hashes.

use std::{sync::Arc, time::Instant};

use aws_lc_rs::{
    rand::SystemRandom,
    rsa,
    signature::{RSA_PKCS1_SHA256, RSA_PKCS1_SHA384},
};
use dimpl::{
    Config, CryptoError, Dtls, DtlsCertificate, Output,
    crypto::{
        Buf, CryptoProvider, HashAlgorithm, HashContext, HashProvider, KeyProvider, SignatureAlgorithm, SigningKey,
        aws_lc_rs as own,
    },
};
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256};

/// A certificate and a key, which need not belong together.
pub(crate) struct Certificate {
    pub(crate) der: Vec<u8>,
    pub(crate) key: Vec<u8>,
}

impl Certificate {
    pub(crate) fn rsa() -> Certificate {
        Certificate::rsa_of(0)
    }

    /// With so many bytes more in it.
    pub(crate) fn rsa_of(more: usize) -> Certificate {
        Certificate::of(&KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap(), more)
    }

    pub(crate) fn ecdsa() -> Certificate {
        Certificate::of(&KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap(), 0)
    }

    fn of(key: &KeyPair, more: usize) -> Certificate {
        let names = vec!["a".repeat(50); more.div_ceil(50)];
        let certificate = CertificateParams::new(names).unwrap().self_signed(key).unwrap();
        Certificate { der: certificate.der().to_vec(), key: key.serialize_der() }
    }
}

pub(crate) struct Client {
    dtls: Dtls,
    pub(crate) keys: Option<Vec<u8>>,
    now: Instant,
}

impl Client {
    pub(crate) fn new(certificate: &Certificate, hash: HashAlgorithm, now: Instant) -> Client {
        let key_provider: &dyn KeyProvider = if hash == HashAlgorithm::SHA384 { &Sha384 } else { &Sha256 };
        let provider = CryptoProvider { hash_provider: &Relabelled, key_provider, ..own::default_provider() };
        let config = Config::builder().with_crypto_provider(provider).build().unwrap();
        let certificate =
            DtlsCertificate { certificate: certificate.der.clone(), private_key: certificate.key.clone() };
        let mut dtls = Dtls::new_12(Arc::new(config), certificate, now);
        dtls.set_active(true);
        dtls.handle_timeout(now).unwrap();
        Client { dtls, keys: None, now }
    }

    pub(crate) fn receive(&mut self, datagram: &[u8]) {
        self.dtls.handle_packet(datagram).unwrap();
        self.dtls.handle_timeout(self.now).unwrap();
    }

    pub(crate) fn poll(&mut self) -> Vec<Vec<u8>> {
        let mut sent = Vec::new();
        let mut buffer = [0; 2_048];
        loop {
            match self.dtls.poll_output(&mut buffer) {
                Output::Packet(datagram) => sent.push(relabel_records(datagram.to_vec())),
                Output::KeyingMaterial(keys, _) => self.keys = Some(keys.to_vec()),
                Output::Timeout(_) => return sent,
                _ => {}
            }
        }
    }
}

/// Says in records that are not sealed that what is signed is signed by RSA.
fn relabel_records(mut datagram: Vec<u8>) -> Vec<u8> {
    let mut at = 0;
    while let Some([kind, _, _, _, epoch, .., high, low]) = datagram.get(at..).and_then(|rest| rest.first_chunk::<13>())
    {
        let (is_plain, length) = (*kind == 22 && *epoch == 0, usize::from(u16::from_be_bytes([*high, *low])));
        at += 13;
        if is_plain {
            relabel(&mut datagram[at..at + length]);
        }
        at += length;
    }
    datagram
}

/// The same in messages or parts of them.
fn relabel(messages: &mut [u8]) {
    let mut at = 0;
    while let Some([kind, _, _, _, _, _, o0, o1, o2, _, high, low]) =
        messages.get(at..).and_then(|rest| rest.first_chunk::<12>())
    {
        let (is_start, length) = (*kind == 15 && [*o0, *o1, *o2] == [0; 3], u16::from_be_bytes([*high, *low]));
        at += 12;
        if is_start {
            messages[at + 1] = SignatureAlgorithm::RSA.as_u8();
        }
        at += usize::from(length);
    }
}

#[derive(Debug)]
struct Relabelled;

impl HashProvider for Relabelled {
    fn create_hash(&self, algorithm: HashAlgorithm) -> Box<dyn HashContext> {
        Box::new(Hash(own::default_provider().hash_provider.create_hash(algorithm)))
    }
}

#[derive(Debug)]
struct Hash(Box<dyn HashContext>);

impl HashContext for Hash {
    fn update(&mut self, handshake: &[u8]) {
        let mut handshake = handshake.to_vec();
        relabel(&mut handshake);
        self.0.update(&handshake);
    }

    fn clone_and_finalize(&self, out: &mut Buf) {
        self.0.clone_and_finalize(out);
    }
}

#[derive(Debug)]
struct Sha256;

#[derive(Debug)]
struct Sha384;

impl KeyProvider for Sha256 {
    fn load_private_key(&self, key: &[u8]) -> Result<Box<dyn SigningKey>, CryptoError> {
        Ok(Box::new(Key(rsa::KeyPair::from_pkcs8(key).unwrap(), [HashAlgorithm::SHA256])))
    }
}

impl KeyProvider for Sha384 {
    fn load_private_key(&self, key: &[u8]) -> Result<Box<dyn SigningKey>, CryptoError> {
        Ok(Box::new(Key(rsa::KeyPair::from_pkcs8(key).unwrap(), [HashAlgorithm::SHA384])))
    }
}

#[derive(Debug)]
struct Key(rsa::KeyPair, [HashAlgorithm; 1]);

impl SigningKey for Key {
    fn sign(&mut self, data: &[u8], hash: HashAlgorithm, out: &mut Buf) -> Result<(), CryptoError> {
        let scheme = if hash == HashAlgorithm::SHA384 { &RSA_PKCS1_SHA384 } else { &RSA_PKCS1_SHA256 };
        let mut signature = vec![0; self.0.public_modulus_len()];
        self.0.sign(scheme, &SystemRandom::new(), data, &mut signature).unwrap();
        out.clear();
        out.extend_from_slice(&signature);
        Ok(())
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ECDSA
    }

    fn hash_algorithm(&self) -> HashAlgorithm {
        self.1[0]
    }

    fn supported_hash_algorithms(&self) -> &[HashAlgorithm] {
        &self.1
    }
}
