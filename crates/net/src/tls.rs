//! TLS for accepted connections.

mod identity;
mod peer;
#[cfg(test)]
mod tests;

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use headwater_media::limits;
use rustls::{
    AlertDescription, CertificateError, RootCertStore,
    pki_types::{CertificateDer, pem, pem::PemObject},
    server::WebPkiClientVerifier,
};
use tokio_rustls::server;

use crate::Connection;

pub use identity::Identity;
use identity::Shown;
pub use peer::PeerCertificate;

/// How often the files of a certificate are looked at. Those who renew it do so days before the old one ends.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// A connection within TLS.
pub type TlsStream = server::TlsStream<Connection>;

/// Why TLS cannot be offered, or a handshake failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// Configuration: a PEM file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: pem::Error,
    },
    /// Configuration: certificate and key do not make a server's identity.
    #[error("the certificate cannot be used: {0}")]
    Certificate(#[from] rustls::Error),
    /// Configuration: the self-signed certificate cannot be kept in its folder.
    #[error("cannot keep the self-signed certificate in {}: {source}", folder.display())]
    Keep {
        /// The folder.
        folder: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// Configuration: no certificate can be made for these names.
    #[error("no certificate can be made: {0}")]
    Generate(#[from] rcgen::Error),
    /// The peer did not finish the handshake within [`limits::TLS_HANDSHAKE_MS`].
    #[error("the TLS handshake took too long")]
    TimedOut,
    /// The peer: it has to show a certificate, and shows none.
    #[error("the other side shows no certificate")]
    NoPeerCertificate,
    /// The peer: its certificate is not from an authority that counts here, or is not valid now.
    #[error("the certificate of the other side is not taken: {0}")]
    PeerCertificate(CertificateError),
    /// The peer or the network broke the handshake.
    #[error("the TLS handshake failed: {0}")]
    Handshake(#[source] io::Error),
}

/// Does TLS handshakes under one identity. Cloning is cheap.
#[derive(Clone)]
pub struct TlsAcceptor {
    acceptor: tokio_rustls::TlsAcceptor,
    pub(crate) shown: Arc<Shown>,
}

impl TlsAcceptor {
    /// An acceptor that offers these application protocols (ALPN, RFC 7301), the preferred first.
    ///
    /// # Errors
    /// Says what is wrong with the identity.
    pub fn new(identity: &Identity, protocols: &[&[u8]]) -> Result<TlsAcceptor, TlsError> {
        TlsAcceptor::of(identity, protocols, None)
    }

    /// The same for clients alone that show a certificate of one of the authorities in a PEM file (RFC 8446 §4.3.2).
    ///
    /// # Errors
    /// Says what is wrong with the identity or the file.
    pub fn mutual(identity: &Identity, protocols: &[&[u8]], authorities: &Path) -> Result<TlsAcceptor, TlsError> {
        TlsAcceptor::of(identity, protocols, Some(authorities))
    }

    fn of(identity: &Identity, protocols: &[&[u8]], authorities: Option<&Path>) -> Result<TlsAcceptor, TlsError> {
        let shown = Arc::new(Shown::new(identity)?);
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder =
            rustls::ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions()?;
        let builder = match authorities {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let roots = Arc::new(authorities_of(path)?);
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider).build();
                let unusable = |error: rustls::server::VerifierBuilderError| rustls::Error::General(error.to_string());
                builder.with_client_cert_verifier(verifier.map_err(unusable)?)
            }
        };
        let mut config = builder.with_cert_resolver(shown.clone());
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        Ok(TlsAcceptor { acceptor: Arc::new(config).into(), shown })
    }

    /// Reads certificate and key again, for connections from now on. Says whether they have changed.
    ///
    /// # Errors
    /// Says why they cannot be used; those before stay in use then.
    pub fn reload(&self) -> Result<bool, TlsError> {
        self.shown.reload()
    }

    /// Takes up changed certificate files as long as it is polled. What is wrong with them is logged once.
    pub async fn keep_fresh(self) {
        let mut complaint = None;
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            match self.reload() {
                Ok(changed) => {
                    complaint = None;
                    if changed {
                        tracing::info!("a new certificate is in use");
                    }
                }
                Err(error) => {
                    let error = error.to_string();
                    if complaint.as_ref() != Some(&error) {
                        tracing::warn!(%error, "the changed certificate is not taken up; the one before stays in use");
                    }
                    complaint = Some(error);
                }
            }
        }
    }

    /// Does the handshake.
    ///
    /// # Errors
    /// Says why it failed; the connection is closed then.
    pub async fn accept(&self, connection: Connection) -> Result<TlsStream, TlsError> {
        match tokio::time::timeout(limits::TLS_HANDSHAKE_MS.get_duration(), self.acceptor.accept(connection)).await {
            Ok(result) => result.map_err(failed),
            Err(_) => {
                limits::TLS_HANDSHAKE_MS.hit();
                Err(TlsError::TimedOut)
            }
        }
    }
}

/// Tells what is wrong with a client's certificate from all else.
fn failed(error: io::Error) -> TlsError {
    match inner(&error) {
        Some(rustls::Error::NoCertificatesPresented) => TlsError::NoPeerCertificate,
        Some(rustls::Error::InvalidCertificate(reason)) => TlsError::PeerCertificate(reason.clone()),
        _ => TlsError::Handshake(error),
    }
}

fn inner(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

/// Whether a connection has ended since the other side does not take the certificate that was shown to it, or wants
/// one where none was shown. In TLS 1.3 a client hears of that only after the handshake (RFC 8446 §4.4.2.4).
pub fn refuses_certificate(error: &io::Error) -> bool {
    use AlertDescription::{
        AccessDenied, BadCertificate, CertificateExpired, CertificateRequired, CertificateRevoked, CertificateUnknown,
        DecryptError, UnknownCA, UnsupportedCertificate,
    };
    matches!(
        inner(error),
        Some(rustls::Error::AlertReceived(
            AccessDenied
                | BadCertificate
                | CertificateExpired
                | CertificateRequired
                | CertificateRevoked
                | CertificateUnknown
                | DecryptError
                | UnknownCA
                | UnsupportedCertificate
        ))
    )
}

/// The authorities in a PEM file, of which there has to be one.
pub(crate) fn authorities_of(path: &Path) -> Result<RootCertStore, TlsError> {
    let in_file = |source| TlsError::File { path: path.to_owned(), source };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(in_file)? {
        roots.add(certificate.map_err(in_file)?)?;
    }
    if roots.is_empty() {
        return Err(in_file(pem::Error::NoItemsFound));
    }
    Ok(roots)
}

impl std::fmt::Debug for TlsAcceptor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TlsAcceptor")
    }
}
