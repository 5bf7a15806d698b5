//! TLS for accepted connections.

mod identity;
#[cfg(test)]
mod tests;

use std::{io, path::PathBuf, sync::Arc, time::Duration};

use headwater_media::limits;
use rustls::pki_types::pem;
use tokio_rustls::server;

use crate::Connection;

pub use identity::Identity;
use identity::Shown;

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
    /// The peer or the network broke the handshake.
    #[error("the TLS handshake failed: {0}")]
    Handshake(#[source] io::Error),
}

/// Does TLS handshakes under one identity. Cloning is cheap.
#[derive(Clone)]
pub struct TlsAcceptor {
    acceptor: tokio_rustls::TlsAcceptor,
    shown: Arc<Shown>,
}

impl TlsAcceptor {
    /// An acceptor that offers these application protocols (ALPN, RFC 7301), the preferred first.
    ///
    /// # Errors
    /// Says what is wrong with the identity.
    pub fn new(identity: &Identity, protocols: &[&[u8]]) -> Result<TlsAcceptor, TlsError> {
        let shown = Arc::new(Shown::new(identity)?);
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(shown.clone());
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
