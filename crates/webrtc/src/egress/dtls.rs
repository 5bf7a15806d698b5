//! The DTLS handshake, which proves that the peer is who its offer says, and yields the keys of SRTP.

#[cfg(test)]
mod tests;

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use aws_lc_rs::{constant_time, digest};
use dimpl::{ConfigBuilder, Dtls, DtlsCertificate, NamedGroup, Output, SrtpProfile};
use headwater_media::limits;
use str0m::config::DtlsCert;

use crate::{
    dtls,
    sdp::Role,
    srtp::{Master, Profile},
};

use super::EgressError;

/// A datagram of the handshake, for which `dimpl` keeps to 1,150 bytes, or the peer's certificate.
const OUTPUT_BYTES: usize = dtls::CERTIFICATE_BYTES;
/// Time after which what got no answer is sent again; twice that the next time.
const FIRST_RESEND: Duration = Duration::from_millis(400);

/// What all sessions have in common.
pub(crate) struct Settings {
    client: Arc<dimpl::Config>,
    server: Arc<dimpl::Config>,
    certificate: DtlsCertificate,
}

impl Settings {
    /// Makes a certificate. `None` if the library cannot.
    pub(super) fn new() -> Option<Settings> {
        let build = |builder: ConfigBuilder| {
            let patience = limits::WEBRTC_FIRST_CHECK_MS.get_duration();
            let builder = builder.flight_start_rto(FIRST_RESEND).handshake_timeout(patience);
            builder.kx_groups(&[NamedGroup::X25519, NamedGroup::Secp256r1]).build().ok().map(Arc::new)
        };
        let (client, server) = (build(dtls::client_config())?, build(dtls::server_config())?);
        let certificate = dimpl::certificate::generate_self_signed_certificate().ok()?;
        Some(Settings { client, server, certificate })
    }

    /// The certificate, for sessions that str0m carries.
    pub(super) fn certificate(&self) -> DtlsCert {
        let DtlsCertificate { certificate, private_key } = self.certificate.clone();
        DtlsCert { certificate, private_key }
    }

    /// The SHA-256 of the certificate.
    pub(super) fn fingerprint(&self) -> Vec<u8> {
        digest::digest(&digest::SHA256, &self.certificate.certificate).as_ref().to_vec()
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Settings")
    }
}

/// What the handshake has to say.
pub(crate) enum Said {
    /// The peer is who its offer says.
    Connected(Keys),
    /// The peer has closed the session.
    Closed,
}

/// What protects media from here on.
pub(crate) struct Keys {
    pub(crate) profile: Profile,
    pub(crate) own: Master,
    pub(crate) peer: Master,
}

/// One side of a DTLS session.
pub(crate) struct Handshake {
    dtls: Box<Dtls>,
    /// SHA-256 of the peer's certificate, by its offer.
    fingerprint: Vec<u8>,
    is_client: bool,
    is_peer_proved: bool,
    is_connected: bool,
    due: Instant,
}

impl Handshake {
    pub(crate) fn new(
        settings: &Settings,
        fingerprint: &[u8],
        role: Role,
        now: Instant,
    ) -> Result<Handshake, EgressError> {
        // Version 1.2: there the server chooses the SRTP profile, and takes an authenticated cipher where offered.
        let is_client = role == Role::Active;
        let config = if is_client { &settings.client } else { &settings.server };
        let mut dtls = Dtls::new_12(config.clone(), settings.certificate.clone(), now);
        dtls.set_active(is_client);
        dtls.handle_timeout(now)?;
        Ok(Handshake {
            dtls: Box::new(dtls),
            fingerprint: fingerprint.to_vec(),
            is_client,
            is_peer_proved: false,
            is_connected: false,
            due: now,
        })
    }

    /// When to call [`Handshake::advance`].
    pub(crate) fn due(&self) -> Instant {
        self.due
    }

    /// Takes a datagram; [`Handshake::poll`] says what follows from it.
    pub(crate) fn receive(&mut self, datagram: &[u8], now: Instant) -> Result<(), EgressError> {
        dtls::check_size(datagram)?;
        self.dtls.handle_timeout(now)?;
        Ok(self.dtls.handle_packet(datagram)?)
    }

    pub(crate) fn advance(&mut self, now: Instant) -> Result<(), EgressError> {
        Ok(self.dtls.handle_timeout(now)?)
    }

    /// Sends what is to be sent.
    pub(crate) fn poll(&mut self, mut send: impl FnMut(&[u8])) -> Result<Option<Said>, EgressError> {
        let mut buffer = [0; OUTPUT_BYTES];
        let mut keys = None;
        let mut said = None;
        loop {
            match self.dtls.poll_output(&mut buffer) {
                Output::Packet(datagram) if self.is_client => send(datagram),
                Output::Packet(datagram) => send(&dtls::widen(datagram)),
                Output::PeerCert(certificate) => self.prove_peer(certificate)?,
                Output::KeyingMaterial(material, profile) => {
                    let profile = profile_of(profile).ok_or(EgressError::NoProfile)?;
                    let (client, server) = Master::split(profile, &material).ok_or(EgressError::Keys)?;
                    let (own, peer) = if self.is_client { (client, server) } else { (server, client) };
                    keys = Some(Keys { profile, own, peer });
                }
                Output::Connected => self.is_connected = true,
                Output::CloseNotify => said = Some(Said::Closed),
                Output::Timeout(at) => {
                    self.due = at;
                    break;
                }
                Output::BufferTooSmall { .. } => return Err(EgressError::Record),
                // There are no data channels, so nothing that the peer says this way is of use.
                _ => {}
            }
        }
        match keys {
            // Whoever has not shown the certificate of the offer gets no key.
            Some(_) if !self.is_peer_proved => Err(EgressError::Fingerprint),
            Some(keys) if said.is_none() => Ok(Some(Said::Connected(keys))),
            _ => Ok(said),
        }
    }

    /// Whether the handshake has ended without keys for SRTP, so that it is of no use.
    pub(crate) fn is_connected(&self) -> bool {
        self.is_connected
    }

    fn prove_peer(&mut self, certificate: &[u8]) -> Result<(), EgressError> {
        let own = digest::digest(&digest::SHA256, certificate);
        if constant_time::verify_slices_are_equal(own.as_ref(), &self.fingerprint).is_err() {
            return Err(EgressError::Fingerprint);
        }
        self.is_peer_proved = true;
        Ok(())
    }

    /// Says farewell with the next [`Handshake::poll`].
    pub(crate) fn close(&mut self) {
        if let Err(error) = self.dtls.close() {
            tracing::debug!(%error, "a DTLS session could not be closed");
        }
    }
}

fn profile_of(profile: SrtpProfile) -> Option<Profile> {
    match profile {
        SrtpProfile::AEAD_AES_128_GCM => Some(Profile::Aes128Gcm),
        SrtpProfile::AEAD_AES_256_GCM => Some(Profile::Aes256Gcm),
        SrtpProfile::AES128_CM_SHA1_80 => Some(Profile::Aes128CounterSha1),
        _ => None,
    }
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake").field("is_connected", &self.is_connected).finish_non_exhaustive()
    }
}
