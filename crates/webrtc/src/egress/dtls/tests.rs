//! Handshakes with a client whose certificate is RSA. The others are in the tests of whole sessions.

use dimpl::crypto::HashAlgorithm;

use super::*;
use crate::dtls::tests::client::{Certificate, Client};

/// Lets a client and a session talk until neither has anything to say.
fn converse(certificate: &Certificate, fingerprint: &[u8]) -> Result<(Option<Keys>, Client), EgressError> {
    let now = Instant::now();
    let mut handshake = Handshake::new(&Settings::new().unwrap(), fingerprint, Role::Passive, now)?;
    let mut client = Client::new(certificate, HashAlgorithm::SHA256, now);
    let mut keys = None;
    loop {
        let said = client.poll();
        if said.is_empty() {
            return Ok((keys, client));
        }
        for datagram in said {
            handshake.receive(&datagram, now)?;
            if let Some(Said::Connected(got)) = handshake.poll(|datagram| client.receive(datagram))? {
                keys = Some(got);
            }
        }
    }
}

fn fingerprint(certificate: &Certificate) -> Vec<u8> {
    digest::digest(&digest::SHA256, &certificate.der).as_ref().to_vec()
}

#[test]
fn a_viewer_with_an_rsa_certificate_gets_keys() {
    let certificate = Certificate::rsa();
    let (keys, client) = converse(&certificate, &fingerprint(&certificate)).unwrap();
    assert_eq!(keys.unwrap().profile, Profile::Aes256Gcm);
    assert!(client.keys.is_some());
}

#[test]
fn attack_w3_an_rsa_certificate_that_the_offer_does_not_name_gets_no_keys() {
    let refused = converse(&Certificate::rsa(), &fingerprint(&Certificate::rsa()));
    assert!(matches!(refused, Err(EgressError::Fingerprint)));
}

#[test]
fn attack_w3_a_viewer_that_has_not_the_key_of_its_rsa_certificate_gets_no_keys() {
    let certificate = Certificate { key: Certificate::rsa().key, ..Certificate::rsa() };
    assert!(matches!(converse(&certificate, &fingerprint(&certificate)), Err(EgressError::Dtls(_))));
}

#[test]
fn a_certificate_that_is_too_large_is_refused() {
    let certificate = Certificate::rsa_of(2_100);
    assert!(matches!(converse(&certificate, &fingerprint(&certificate)), Err(EgressError::Dtls(_))));
}
