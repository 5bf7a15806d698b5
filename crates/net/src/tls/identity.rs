//! The certificate and key that a server shows, and how they change while it runs.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use arc_swap::ArcSwap;
use rustls::{
    SignatureScheme,
    client::ResolvesClientCert,
    pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use super::TlsError;

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
        /// A folder that keeps it, so that a browser that was told to trust it still does after a restart.
        folder: Option<PathBuf>,
    },
}

const CERTIFICATE_FILE: &str = "self-signed.pem";
const KEY_FILE: &str = "self-signed.key";

/// Certificate and key, with the bytes that they were read from.
#[derive(Debug)]
struct Loaded {
    certified: Arc<CertifiedKey>,
    source: (Vec<u8>, Vec<u8>),
}

/// What is shown to clients now.
#[derive(Debug)]
pub(crate) struct Shown {
    identity: Identity,
    loaded: ArcSwap<Loaded>,
}

impl Shown {
    pub(super) fn new(identity: &Identity) -> Result<Shown, TlsError> {
        let loaded = ArcSwap::from_pointee(load(identity)?);
        Ok(Shown { identity: identity.clone(), loaded })
    }

    /// Reads the files again; says whether they have changed. What is shown stays as it is when they cannot be used.
    pub(super) fn reload(&self) -> Result<bool, TlsError> {
        let Identity::Files { certificate, key } = &self.identity else {
            return Ok(false);
        };
        let source = (read(certificate)?, read(key)?);
        if source == self.loaded.load().source {
            return Ok(false);
        }
        self.loaded.store(Arc::new(from_pem(certificate, key, source)?));
        Ok(true)
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.loaded.load().certified.clone())
    }
}

/// Shown to whoever asks: it is the server's one certificate.
impl ResolvesClientCert for Shown {
    fn resolve(&self, _authorities: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.loaded.load().certified.clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

fn load(identity: &Identity) -> Result<Loaded, TlsError> {
    match identity {
        Identity::Files { certificate, key } => from_pem(certificate, key, (read(certificate)?, read(key)?)),
        Identity::SelfSigned { names, folder: None } => {
            let made = rcgen::generate_simple_self_signed(names.clone())?;
            let source = (made.cert.pem().into_bytes(), made.signing_key.serialize_pem().into_bytes());
            from_pem(Path::new(CERTIFICATE_FILE), Path::new(KEY_FILE), source)
        }
        Identity::SelfSigned { names, folder: Some(folder) } => {
            let (certificate, key) = (folder.join(CERTIFICATE_FILE), folder.join(KEY_FILE));
            if !certificate.exists() || !key.exists() {
                make(names, folder, &certificate, &key)?;
            }
            from_pem(&certificate, &key, (read(&certificate)?, read(&key)?))
        }
    }
}

/// Makes a certificate and keeps it; its key is for this user only.
fn make(names: &[String], folder: &Path, certificate: &Path, key: &Path) -> Result<(), TlsError> {
    let made = rcgen::generate_simple_self_signed(names)?;
    let kept = fs::create_dir_all(folder)
        .and_then(|()| write_private(key, made.signing_key.serialize_pem().as_bytes()))
        .and_then(|()| fs::write(certificate, made.cert.pem()));
    kept.map_err(|source| TlsError::Keep { folder: folder.to_owned(), source })
}

fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    use std::{io::Write, os::unix::fs::OpenOptionsExt};
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|source| TlsError::File { path: path.to_owned(), source: pem::Error::Io(source) })
}

fn from_pem(certificate: &Path, key: &Path, source: (Vec<u8>, Vec<u8>)) -> Result<Loaded, TlsError> {
    let in_certificate = |source| TlsError::File { path: certificate.to_owned(), source };
    let chain: Vec<CertificateDer<'static>> =
        CertificateDer::pem_slice_iter(&source.0).collect::<Result<_, _>>().map_err(in_certificate)?;
    if chain.is_empty() {
        return Err(in_certificate(pem::Error::NoItemsFound));
    }
    let in_key = |source| TlsError::File { path: key.to_owned(), source };
    let private = PrivateKeyDer::from_pem_slice(&source.1).map_err(in_key)?;
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let certified = CertifiedKey::from_der(chain, private, &provider)?;
    Ok(Loaded { certified: Arc::new(certified), source })
}
