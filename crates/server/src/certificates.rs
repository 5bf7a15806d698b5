//! The certificate that all listeners share, unless their section has another.

use std::{
    env,
    path::{Path, PathBuf},
};

use headwater_net::{Identity, TlsAcceptor, TlsError};

use crate::config::Config;

/// Where the certificate of `[tls]` comes from.
pub(crate) struct Certificates {
    identity: Identity,
}

impl Certificates {
    pub(crate) fn new(config: &Config) -> Certificates {
        let identity = match (&config.tls.certificate, &config.tls.key) {
            (Some(certificate), Some(key)) => Identity::Files { certificate: certificate.clone(), key: key.clone() },
            _ => Identity::SelfSigned { names: names(config), folder: state(config) },
        };
        Certificates { identity }
    }

    /// An acceptor; a self-signed certificate that cannot be kept is made for this run alone.
    pub(crate) fn acceptor(&self, protocols: &[&[u8]]) -> Result<TlsAcceptor, TlsError> {
        let acceptor = TlsAcceptor::new(&self.identity, protocols);
        let (Err(error), Identity::SelfSigned { names, folder: Some(_) }) = (&acceptor, &self.identity) else {
            return acceptor;
        };
        tracing::warn!(%error, "the self-signed certificate will be another one after a restart; set `state` in [process]");
        TlsAcceptor::new(&Identity::SelfSigned { names: names.clone(), folder: None }, protocols)
    }

    /// An acceptor for clients alone that show a certificate of one of the authorities in a PEM file.
    pub(crate) fn mutual(&self, protocols: &[&[u8]], authorities: &Path) -> Result<TlsAcceptor, TlsError> {
        TlsAcceptor::mutual(&self.identity, protocols, authorities)
    }
}

/// The names and addresses that a self-signed certificate is for.
fn names(config: &Config) -> Vec<String> {
    let own = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into_iter();
    let addresses = [Some(config.listen.address), config.https.address].into_iter().flatten();
    let addresses = addresses.filter(|address| !address.is_unspecified()).map(|address| address.to_string());
    let mut names: Vec<String> = own.chain(addresses).chain(config.http.hosts.iter().cloned()).collect();
    names.sort();
    names.dedup();
    names
}

/// The folder for what the server keeps for itself.
fn state(config: &Config) -> Option<PathBuf> {
    let given = config.process.state.clone();
    let of_service = || env::var_os("STATE_DIRECTORY").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    given.or_else(of_service).or_else(|| Some(dirs::state_dir()?.join("headwater")))
}
