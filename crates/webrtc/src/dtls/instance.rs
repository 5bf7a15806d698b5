//! DTLS for sessions that str0m carries, which bring it as one of their parts.

use std::{
    sync::{Arc, LazyLock},
    time::Instant,
};

use dimpl::{Config, Dtls};
use str0m::{
    config::CryptoProvider,
    crypto::{
        CryptoError,
        dtls::{DtlsCert, DtlsImplError, DtlsInstance, DtlsOutput, DtlsProvider, DtlsVersion, ProtocolVersion},
    },
};

use super::{CERTIFICATE_BYTES, check_size, client_config, server_config, widen};

/// What str0m is to use where this side is the DTLS client, or the server: all as ever but for this module.
pub(crate) fn provider(is_client: bool) -> Arc<CryptoProvider> {
    static CLIENT: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| with(&Client));
    static SERVER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| with(&Server));
    if is_client { CLIENT.clone() } else { SERVER.clone() }
}

fn with(dtls_provider: &'static dyn DtlsProvider) -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider { dtls_provider, ..str0m::crypto::from_feature_flags() })
}

#[derive(Debug)]
struct Client;

#[derive(Debug)]
struct Server;

// Settings are made once, as the library tries each of its algorithms before it takes them. The version is 1.2
// whatever is asked for, and datagrams have the library's own size: str0m asks for nothing else here.
impl DtlsProvider for Client {
    fn generate_certificate(&self) -> Option<DtlsCert> {
        dimpl::certificate::generate_self_signed_certificate().ok()
    }

    fn new_dtls(
        &self,
        certificate: &DtlsCert,
        now: Instant,
        _version: DtlsVersion,
        _mtu: Option<usize>,
    ) -> Result<Box<dyn DtlsInstance>, CryptoError> {
        static CONFIG: LazyLock<Result<Arc<Config>, DtlsImplError>> =
            LazyLock::new(|| client_config().build().map(Arc::new));
        Instance::make(&CONFIG, certificate, now)
    }
}

impl DtlsProvider for Server {
    fn generate_certificate(&self) -> Option<DtlsCert> {
        Client.generate_certificate()
    }

    fn new_dtls(
        &self,
        certificate: &DtlsCert,
        now: Instant,
        _version: DtlsVersion,
        _mtu: Option<usize>,
    ) -> Result<Box<dyn DtlsInstance>, CryptoError> {
        static CONFIG: LazyLock<Result<Arc<Config>, DtlsImplError>> =
            LazyLock::new(|| server_config().build().map(Arc::new));
        Instance::make(&CONFIG, certificate, now)
    }
}

#[derive(Debug)]
struct Instance {
    dtls: Dtls,
    /// A datagram, or the peer's certificate.
    output: Vec<u8>,
}

impl Instance {
    fn make(
        config: &Result<Arc<Config>, DtlsImplError>,
        certificate: &DtlsCert,
        now: Instant,
    ) -> Result<Box<dyn DtlsInstance>, CryptoError> {
        let config = config.clone().map_err(CryptoError::DtlsImpl)?;
        let dtls = Dtls::new_12(config, certificate.clone(), now);
        Ok(Box::new(Instance { dtls, output: vec![0; CERTIFICATE_BYTES] }))
    }
}

impl DtlsInstance for Instance {
    fn poll_output<'a>(&mut self, buffer: &'a mut [u8]) -> DtlsOutput<'a> {
        let is_client = self.dtls.is_active();
        let copy = |bytes: &[u8], buffer: &'a mut [u8], what: fn(&'a [u8]) -> DtlsOutput<'a>| {
            let Some(into) = buffer.get_mut(..bytes.len()) else {
                return DtlsOutput::BufferTooSmall { needed: bytes.len() };
            };
            into.copy_from_slice(bytes);
            what(into)
        };
        match self.dtls.poll_output(&mut self.output) {
            DtlsOutput::Packet(datagram) if is_client => copy(datagram, buffer, DtlsOutput::Packet),
            DtlsOutput::Packet(datagram) => copy(&widen(datagram), buffer, DtlsOutput::Packet),
            DtlsOutput::PeerCert(certificate) => copy(certificate, buffer, DtlsOutput::PeerCert),
            DtlsOutput::ApplicationData(data) => copy(data, buffer, DtlsOutput::ApplicationData),
            DtlsOutput::Timeout(at) => DtlsOutput::Timeout(at),
            DtlsOutput::Connected => DtlsOutput::Connected,
            DtlsOutput::KeyingMaterial(keys, profile) => DtlsOutput::KeyingMaterial(keys, profile),
            DtlsOutput::CloseNotify => DtlsOutput::CloseNotify,
            DtlsOutput::BufferTooSmall { needed } => DtlsOutput::BufferTooSmall { needed },
            // Something that this version of the library does not say. str0m ends the session.
            _ => DtlsOutput::BufferTooSmall { needed: usize::MAX },
        }
    }

    fn set_active(&mut self, is_active: bool) {
        self.dtls.set_active(is_active);
    }

    fn handle_packet(&mut self, packet: &[u8]) -> Result<(), DtlsImplError> {
        check_size(packet)?;
        self.dtls.handle_packet(packet)
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsImplError> {
        self.dtls.handle_timeout(now)
    }

    fn send_application_data(&mut self, data: &[u8]) -> Result<usize, DtlsImplError> {
        self.dtls.send_application_data(data)
    }

    fn is_active(&self) -> bool {
        self.dtls.is_active()
    }

    fn protocol_version(&self) -> Option<ProtocolVersion> {
        self.dtls.protocol_version()
    }

    fn is_closing(&self) -> bool {
        self.dtls.is_closing()
    }

    fn is_closed(&self) -> bool {
        self.dtls.is_closed()
    }

    fn close(&mut self) -> Result<(), DtlsImplError> {
        self.dtls.close()
    }
}
