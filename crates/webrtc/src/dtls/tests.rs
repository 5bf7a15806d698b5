//! Handshakes with a client whose certificate is RSA, over the DTLS that str0m is given.
//!
//! The client is `dimpl` too: see [`client`]. That others' handshakes succeed is shown by the tests with whole clients.

pub(crate) mod client;

use std::time::Instant;

use dimpl::{Output, crypto::HashAlgorithm};
use str0m::crypto::{
    CryptoError,
    dtls::{DtlsInstance, DtlsVersion},
};

use super::{
    check_size, provider,
    request::{widen, widen_handshake},
};
use client::{Certificate, Client};

fn server(now: Instant) -> Result<Box<dyn DtlsInstance>, CryptoError> {
    let provider = provider(false).dtls_provider;
    let certificate = provider.generate_certificate().unwrap();
    let mut server = provider.new_dtls(&certificate, now, DtlsVersion::Dtls12, None)?;
    server.set_active(false);
    server.handle_timeout(now).unwrap();
    Ok(server)
}

/// What a server has got from a client: its certificate, and keys.
#[derive(Default)]
struct Got {
    certificate: Option<Vec<u8>>,
    keys: Option<Vec<u8>>,
}

/// Lets both talk until neither has anything to say.
fn converse(client: &mut Client, now: Instant) -> Result<Got, dimpl::Error> {
    let mut server = server(now).unwrap();
    let mut got = Got::default();
    let mut buffer = [0; 2_000];
    loop {
        let said = client.poll();
        if said.is_empty() {
            return Ok(got);
        }
        for datagram in said {
            server.handle_packet(&datagram)?;
        }
        loop {
            match server.poll_output(&mut buffer) {
                Output::Packet(datagram) => client.receive(datagram),
                Output::PeerCert(certificate) => got.certificate = Some(certificate.to_vec()),
                Output::KeyingMaterial(keys, _) => got.keys = Some(keys.to_vec()),
                Output::Timeout(_) => break,
                _ => {}
            }
        }
    }
}

#[test]
fn a_client_with_an_rsa_certificate_gets_the_same_keys() {
    for hash in [HashAlgorithm::SHA256, HashAlgorithm::SHA384] {
        let certificate = Certificate::rsa();
        let mut client = Client::new(&certificate, hash, Instant::now());
        let got = converse(&mut client, Instant::now()).unwrap();
        assert_eq!(got.certificate.unwrap(), certificate.der);
        assert!(got.keys.is_some());
        assert_eq!(got.keys, client.keys, "{hash:?}");
    }
}

#[test]
fn attack_w3_a_client_that_has_not_the_key_of_its_rsa_certificate_gets_no_keys() {
    let certificate = Certificate { key: Certificate::rsa().key, ..Certificate::rsa() };
    let mut client = Client::new(&certificate, HashAlgorithm::SHA256, Instant::now());
    assert!(converse(&mut client, Instant::now()).is_err());
    assert!(client.keys.is_none());
}

#[test]
fn attack_w3_an_rsa_signature_does_not_go_for_an_ecdsa_certificate() {
    let certificate = Certificate { der: Certificate::ecdsa().der, ..Certificate::rsa() };
    let mut client = Client::new(&certificate, HashAlgorithm::SHA256, Instant::now());
    assert!(converse(&mut client, Instant::now()).is_err());
    assert!(client.keys.is_none());
}

#[test]
fn a_certificate_that_is_too_large_is_refused() {
    let mut client = Client::new(&Certificate::rsa_of(2_100), HashAlgorithm::SHA256, Instant::now());
    assert!(converse(&mut client, Instant::now()).is_err());
    assert!(client.keys.is_none());
}

/// A message of this type, whole, with this body.
fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u8::try_from(body.len()).unwrap();
    [&[kind, 0, 0, length, 0, 3, 0, 0, 0, 0, 0, length], body].concat()
}

fn record(kind: u8, epoch: u8, fragment: &[u8]) -> Vec<u8> {
    let length = u8::try_from(fragment.len()).unwrap();
    [&[kind, 254, 253, 0, epoch, 0, 0, 0, 0, 0, 9, 0, length], fragment].concat()
}

#[test]
fn only_a_request_for_certificates_is_replaced() {
    let request = message(13, &[1, 64, 0, 2, 4, 3, 0, 0]);
    let wide = message(13, &[2, 64, 1, 0, 8, 4, 3, 5, 3, 4, 1, 5, 1, 0, 0]);
    let other = message(12, &[1, 64, 0, 2, 4, 3, 0, 0]);
    let datagram =
        |epoch, middle: &[u8]| [record(22, 0, &other), record(22, epoch, middle), record(22, 0, &other)].concat();
    assert_eq!(*widen(&datagram(0, &request)), datagram(0, &wide));
    for unchanged in [datagram(1, &request), datagram(0, &other), record(23, 0, &request)] {
        assert_eq!(*widen(&unchanged), unchanged);
    }
    assert_eq!(*widen_handshake(&[&other[..], &request, &other].concat()), [&other[..], &wide, &other].concat());
}

#[test]
fn datagrams_cut_anywhere_do_no_harm() {
    let request = message(13, &[1, 64, 0, 2, 4, 3, 0, 0]);
    let datagram = [record(22, 0, &request), record(22, 0, &message(11, &[0; 100]))].concat();
    for length in 0..datagram.len() {
        let _ = widen(&datagram[..length]);
        let _ = widen_handshake(&datagram[13..][..length.saturating_sub(13)]);
        check_size(&datagram[..length]).unwrap();
    }
}
