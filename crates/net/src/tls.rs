//! TLS for accepted connections.

use std::{io, path::PathBuf, sync::Arc};

use headwater_media::limits;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem, pem::PemObject};
use tokio_rustls::server;

use crate::Connection;

/// A connection within TLS.
pub type TlsStream = server::TlsStream<Connection>;

/// Where the server's certificate comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// PEM files: the certificate chain, the server's own first, and its private key.
    Files {
        /// The certificate chain.
        certificate: PathBuf,
        /// The private key.
        key: PathBuf,
    },
    /// A certificate made and signed by this process for these host names or addresses; browsers will warn of it.
    SelfSigned {
        /// The names it is for.
        names: Vec<String>,
    },
}

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
    /// Configuration: no certificate can be made for these names.
    #[error("no certificate can be made: {0}")]
    Generate(#[from] rcgen::Error),
    /// The peer did not finish the handshake within [`limits::TLS_HANDSHAKE_MS`].
    #[error("the TLS handshake took too long")]
    TimedOut,
    /// The peer or the network broke the handshake.
    #[error("the TLS handshake failed: {0}")]
    Handshake(#[source] io::Error),
}

/// Does TLS handshakes under one identity. Cloning is cheap.
#[derive(Clone)]
pub struct TlsAcceptor(tokio_rustls::TlsAcceptor);

impl TlsAcceptor {
    /// An acceptor that offers these application protocols (ALPN, RFC 7301), the preferred first.
    ///
    /// # Errors
    /// Says what is wrong with the identity.
    pub fn new(identity: &Identity, protocols: &[&[u8]]) -> Result<TlsAcceptor, TlsError> {
        let (chain, key) = load(identity)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        Ok(TlsAcceptor(Arc::new(config).into()))
    }

    /// Does the handshake.
    ///
    /// # Errors
    /// Says why it failed; the connection is closed then.
    pub async fn accept(&self, connection: Connection) -> Result<TlsStream, TlsError> {
        match tokio::time::timeout(limits::TLS_HANDSHAKE_MS.get_duration(), self.0.accept(connection)).await {
            Ok(result) => result.map_err(TlsError::Handshake),
            Err(_) => {
                limits::TLS_HANDSHAKE_MS.hit();
                Err(TlsError::TimedOut)
            }
        }
    }
}

impl std::fmt::Debug for TlsAcceptor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TlsAcceptor")
    }
}

type Loaded = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn load(identity: &Identity) -> Result<Loaded, TlsError> {
    match identity {
        Identity::Files { certificate, key } => {
            let in_certificate = |source| TlsError::File { path: certificate.clone(), source };
            let chain = CertificateDer::pem_file_iter(certificate)
                .map_err(in_certificate)?
                .collect::<Result<Vec<_>, _>>()
                .map_err(in_certificate)?;
            let key =
                PrivateKeyDer::from_pem_file(key).map_err(|source| TlsError::File { path: key.clone(), source })?;
            Ok((chain, key))
        }
        Identity::SelfSigned { names } => {
            let made = rcgen::generate_simple_self_signed(names.clone())?;
            let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
            Ok((vec![made.cert.der().clone()], key.into()))
        }
    }
}

#[cfg(test)]
mod tests;
