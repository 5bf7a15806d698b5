//! A peer that can say anything, made of the same parts as the session.

use std::{collections::VecDeque, sync::Arc, time::Instant};

use dimpl::{Dtls, Output};
use is::stun::{StunMessageBuilder, TransId};

use super::credentials;
use crate::{
    egress::ice,
    srtp::{Master, Profile, Sealer},
};

/// The other side.
pub(super) struct Peer {
    pub(super) dtls: Dtls,
    is_client: bool,
    /// What seals its reports, once it has connected.
    pub(super) sealer: Option<Sealer>,
}

impl Peer {
    pub(super) fn new(is_client: bool, now: Instant) -> (Peer, Vec<u8>) {
        let certificate = dimpl::certificate::generate_self_signed_certificate().unwrap();
        let fingerprint = certificate.fingerprint();
        let config = dimpl::Config::builder().use_server_cookie(false).build().unwrap();
        let mut dtls = Dtls::new_12(Arc::new(config), certificate, now);
        dtls.set_active(is_client);
        dtls.handle_timeout(now).unwrap();
        (Peer { dtls, is_client, sealer: None }, fingerprint)
    }

    /// A check that nominates.
    pub(super) fn check(&self) -> Vec<u8> {
        let builder = StunMessageBuilder::new().binding().request().username("here:there").prio(1);
        let message = builder.ice_controlling(1).use_candidate().build(TransId::new());
        let mut bytes = vec![0; 200];
        let password = credentials("here").password;
        let length = message.to_bytes(Some(password.as_bytes()), &mut bytes, ice::sha1_hmac).unwrap();
        bytes.truncate(length);
        bytes
    }

    pub(super) fn poll(&mut self) -> VecDeque<Vec<u8>> {
        let mut sent = VecDeque::new();
        let mut buffer = [0; 2_048];
        loop {
            match self.dtls.poll_output(&mut buffer) {
                Output::Packet(datagram) => sent.push_back(datagram.to_vec()),
                Output::KeyingMaterial(material, profile) => {
                    assert_eq!(profile, dimpl::SrtpProfile::AEAD_AES_256_GCM);
                    let (client, server) = Master::split(Profile::Aes256Gcm, &material).unwrap();
                    let own = if self.is_client { client } else { server };
                    self.sealer = Sealer::new(Profile::Aes256Gcm, &own);
                }
                Output::Timeout(_) => return sent,
                _ => {}
            }
        }
    }

    /// Seals packets of reports and feedback.
    pub(super) fn reports(&mut self, compound: &[u8]) -> Vec<u8> {
        let sealer = self.sealer.as_mut().unwrap();
        let mut datagram = compound.to_vec();
        datagram.resize(compound.len() + sealer.report_overhead(), 0);
        assert!(sealer.seal_reports(&mut datagram));
        datagram
    }
}
