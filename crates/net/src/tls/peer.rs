//! The certificate that the other side of a connection has shown.

use rustls::{
    client::verify_server_name,
    pki_types::{CertificateDer, ServerName},
    server::ParsedCertificate,
};

use super::TlsStream;
use crate::dial::{Dialed, bare};

/// A certificate that the other side of a connection has shown, and whose key it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerCertificate(CertificateDer<'static>);

impl PeerCertificate {
    /// What a client has shown; `None` where it was not asked for one.
    pub fn of_client(stream: &TlsStream) -> Option<PeerCertificate> {
        PeerCertificate::first(stream.get_ref().1.peer_certificates())
    }

    /// What a server has shown; `None` without TLS.
    pub fn of_server(dialed: &Dialed) -> Option<PeerCertificate> {
        match dialed {
            tokio_util::either::Either::Left(_) => None,
            tokio_util::either::Either::Right(tls) => PeerCertificate::first(tls.get_ref().1.peer_certificates()),
        }
    }

    fn first(chain: Option<&[CertificateDer<'_>]>) -> Option<PeerCertificate> {
        Some(PeerCertificate(chain?.first()?.clone().into_owned()))
    }

    /// Whether it is one for this host, a name or an address: one of its names (subjectAltName, RFC 9525 §6) says so.
    pub fn is_for(&self, host: &str) -> bool {
        let Ok(name) = ServerName::try_from(bare(host).to_owned()) else { return false };
        ParsedCertificate::try_from(&self.0).is_ok_and(|parsed| verify_server_name(&parsed, &name).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_for_the_hosts_that_it_names_alone() {
        let names = ["edge1.example", "*.eu.example", "192.0.2.7", "2001:db8::7"];
        let made = rcgen::generate_simple_self_signed(names.map(str::to_owned)).unwrap();
        let certificate = PeerCertificate(made.cert.der().clone());
        for (host, expected) in [
            ("edge1.example", true),
            ("EDGE1.example", true),
            ("edge2.example", false),
            ("example", false),
            ("a.eu.example", true),
            ("a.b.eu.example", false),
            ("192.0.2.7", true),
            ("192.0.2.8", false),
            ("[2001:db8::7]", true),
            ("2001:db8::8", false),
            ("", false),
            ("a b", false),
        ] {
            assert_eq!(certificate.is_for(host), expected, "{host}");
        }
        assert!(!PeerCertificate(CertificateDer::from(vec![1, 2, 3])).is_for("edge1.example"));
    }
}
