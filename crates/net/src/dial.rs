//! Connections to other servers: the name is looked up once, each address checked, and a checked one connected to.

use std::{io, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use headwater_media::limits;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::{
    net::{TcpStream, lookup_host},
    task::JoinSet,
};
use tokio_rustls::{TlsConnector, client};
use tokio_util::either::Either;

use crate::{
    reach::Reach,
    tls::{TlsAcceptor, TlsError, authorities_of},
};

/// How long the next address waits for the one before (RFC 8305 §5).
const TURN: Duration = Duration::from_millis(250);

/// A connection to another server, within TLS or not.
pub type Dialed = Either<TcpStream, client::TlsStream<TcpStream>>;

/// Whom a connection leads to.
///
/// # Errors
/// What the kernel says: it is not connected any more.
pub fn peer_of(dialed: &Dialed) -> io::Result<SocketAddr> {
    let tcp = match dialed {
        Either::Left(tcp) => tcp,
        Either::Right(tls) => tls.get_ref().0,
    };
    let peer = tcp.peer_addr()?;
    Ok(SocketAddr::new(peer.ip().to_canonical(), peer.port()))
}

/// Connects to other servers, as far as it may. Cloning is cheap.
#[derive(Clone)]
pub struct Dialer {
    reach: Arc<Reach>,
    tls: TlsConnector,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DialError {
    /// Request: the name has no address.
    #[error("the host {host} cannot be found: {source}")]
    NotFound {
        /// The host.
        host: String,
        /// What the operating system says.
        source: io::Error,
    },
    /// Request: all addresses of the host are out of bounds.
    #[error("the host {host} is not on the public internet, and this server may not connect to it")]
    Forbidden {
        /// The host.
        host: String,
    },
    /// Network or peer: nobody takes the connection.
    #[error("no connection to {address}: {source}")]
    Refused {
        /// The address tried last.
        address: SocketAddr,
        /// What the operating system says.
        source: io::Error,
    },
    /// Peer: its certificate is not valid for the host, or it speaks no TLS.
    #[error("TLS with {host} failed: {source}")]
    Tls {
        /// The host.
        host: String,
        /// What is wrong.
        source: io::Error,
    },
    /// Request: TLS needs a host name or an address.
    #[error("{0} is no name for TLS")]
    BadName(String),
    /// The limit `DIAL_MS`.
    #[error("{host} did not answer within {time:?}")]
    TimedOut {
        /// The host.
        host: String,
        /// The time it had.
        time: Duration,
    },
}

impl Dialer {
    /// A dialer for addresses within reach. TLS trusts the authorities that browsers trust, and those in the PEM file
    /// `authorities`.
    ///
    /// # Errors
    /// Says what is wrong with the file.
    pub fn new(reach: Reach, authorities: Option<&Path>) -> Result<Dialer, TlsError> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        if let Some(path) = authorities {
            let failed = |source| TlsError::File { path: path.to_owned(), source };
            for certificate in CertificateDer::pem_file_iter(path).map_err(failed)? {
                roots.add(certificate.map_err(failed)?)?;
            }
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Dialer { reach: Arc::new(reach), tls: Arc::new(config).into() })
    }

    /// The same where TLS trusts the authorities in a PEM file alone, and shows what an acceptor shows to those who ask
    /// for a certificate (RFC 8446 §4.4.2).
    ///
    /// # Errors
    /// Says what is wrong with the file.
    pub fn mutual(&self, authorities: &Path, acceptor: &TlsAcceptor) -> Result<Dialer, TlsError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(authorities_of(authorities)?)
            .with_client_cert_resolver(acceptor.shown.clone());
        Ok(Dialer { reach: self.reach.clone(), tls: Arc::new(config).into() })
    }

    /// The same for addresses within another reach.
    pub fn within(&self, reach: Reach) -> Dialer {
        Dialer { reach: Arc::new(reach), tls: self.tls.clone() }
    }

    /// The addresses of a host that may be connected to. IPv6 addresses may stand in brackets.
    ///
    /// # Errors
    /// There are none, or none that may.
    pub async fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, DialError> {
        self.in_time(host, self.look_up(host, port)).await
    }

    /// Connects to a host, within TLS if asked for.
    ///
    /// # Errors
    /// Says how far it came.
    pub async fn dial(&self, host: &str, port: u16, tls: bool) -> Result<Dialed, DialError> {
        self.in_time(host, async {
            let tcp = connect_in_turn(&self.look_up(host, port).await?).await?;
            let _ = tcp.set_nodelay(true);
            if !tls {
                return Ok(Either::Left(tcp));
            }
            let name = ServerName::try_from(bare(host).to_owned()).map_err(|_| DialError::BadName(host.to_owned()))?;
            let failed = |source| DialError::Tls { host: host.to_owned(), source };
            Ok(Either::Right(self.tls.connect(name, tcp).await.map_err(failed)?))
        })
        .await
    }

    /// Whether this server may send to an address that somebody at a host names.
    pub fn reaches(&self, host: &str, address: std::net::IpAddr) -> bool {
        self.reach.includes(bare(host), address)
    }

    async fn look_up(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, DialError> {
        let failed = |source| DialError::NotFound { host: host.to_owned(), source };
        let found: Vec<SocketAddr> = lookup_host((bare(host), port)).await.map_err(failed)?.collect();
        if found.is_empty() {
            return Err(failed(io::ErrorKind::NotFound.into()));
        }
        let allowed: Vec<_> =
            found.into_iter().filter(|address| self.reach.includes(bare(host), address.ip())).collect();
        if allowed.is_empty() {
            return Err(DialError::Forbidden { host: host.to_owned() });
        }
        Ok(allowed)
    }

    async fn in_time<T>(&self, host: &str, what: impl Future<Output = Result<T, DialError>>) -> Result<T, DialError> {
        let time = limits::DIAL_MS.get_duration();
        tokio::time::timeout(time, what).await.unwrap_or_else(|_| {
            limits::DIAL_MS.hit();
            Err(DialError::TimedOut { host: host.to_owned(), time })
        })
    }
}

impl std::fmt::Debug for Dialer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dialer").field("reach", &self.reach).finish_non_exhaustive()
    }
}

/// A host without the brackets that an IPv6 address has in a URL.
pub(crate) fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

async fn connect_in_turn(addresses: &[SocketAddr]) -> Result<TcpStream, DialError> {
    let mut last = None;
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(source) => last = Some(DialError::Refused { address: *address, source }),
        }
    }
    let unspecified =
        || DialError::Refused { address: ([0, 0, 0, 0], 0).into(), source: io::ErrorKind::NotFound.into() };
    Err(last.unwrap_or_else(unspecified))
}

/// Connects to one of several addresses of one peer: to the first, a moment later to the next as well, and so on, until
/// one takes the connection (RFC 8305 §5). Whether this server may connect there is the caller's to know. The
/// connection is on its way to whatever runtime it is to be used on.
///
/// # Errors
/// None of them takes it within [`limits::DIAL_MS`], or there are none.
pub async fn connect(addresses: &[SocketAddr]) -> Result<std::net::TcpStream, DialError> {
    let mut attempts = JoinSet::new();
    for (address, turn) in addresses.iter().copied().zip(0_u32..) {
        attempts.spawn(async move {
            tokio::time::sleep(TURN.saturating_mul(turn)).await;
            let stream = TcpStream::connect(address).await.and_then(|stream| {
                stream.set_nodelay(true)?;
                stream.into_std()
            });
            stream.map_err(|source| DialError::Refused { address, source })
        });
    }
    let first = async {
        let mut last = None;
        while let Some(attempt) = attempts.join_next().await {
            match attempt {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => last = Some(error),
                Err(_) => {}
            }
        }
        let nowhere =
            || DialError::Refused { address: ([0, 0, 0, 0], 0).into(), source: io::ErrorKind::NotFound.into() };
        Err(last.unwrap_or_else(nowhere))
    };
    let time = limits::DIAL_MS.get_duration();
    tokio::time::timeout(time, first).await.unwrap_or_else(|_| {
        limits::DIAL_MS.hit();
        let host = addresses.first().map(|address| address.ip().to_string()).unwrap_or_default();
        Err(DialError::TimedOut { host, time })
    })
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    fn dialer(allowed: &[&str]) -> Dialer {
        Dialer::new(Reach::new(allowed.iter().copied()).unwrap(), None).unwrap()
    }

    #[tokio::test]
    async fn no_spelling_of_an_address_inside_is_connected_to() {
        let dialer = dialer(&[]);
        for host in ["127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f000001", "127.1", "[::ffff:127.0.0.1]", "0"]
        {
            let refused = dialer.dial(host, 9, false).await.map(|_| ()).unwrap_err();
            assert!(matches!(refused, DialError::Forbidden { .. } | DialError::NotFound { .. }), "{host}: {refused}");
        }
    }

    #[tokio::test]
    async fn what_is_allowed_is_connected_to_and_tls_is_checked() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let dialer = dialer(&["127.0.0.0/8"]);
        let dialed = dialer.dial("127.0.0.1", port, false).await.unwrap();
        let (accepted, _) = listener.accept().await.unwrap();
        let Either::Left(dialed) = dialed else { panic!("TLS was not asked for") };
        assert_eq!(accepted.peer_addr().unwrap(), dialed.local_addr().unwrap());

        let talking = tokio::spawn(async move { drop(listener.accept().await) });
        let refused = dialer.dial("127.0.0.1", port, true).await.map(|_| ()).unwrap_err();
        assert!(matches!(refused, DialError::Tls { .. }), "{refused}");
        talking.await.unwrap();
        let refused = dialer.dial("127.0.0.1", port, false).await.map(|_| ()).unwrap_err();
        assert!(matches!(refused, DialError::Refused { .. }), "{refused}");
    }

    #[tokio::test]
    async fn the_next_address_is_tried_where_one_does_not_answer() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let there = listener.local_addr().unwrap();
        let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let stream = connect(&[gone, there]).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), there);
        assert!(stream.nodelay().unwrap());
        let refused = connect(&[gone]).await.unwrap_err();
        assert!(matches!(refused, DialError::Refused { address, .. } if address == gone), "{refused}");
        assert!(matches!(connect(&[]).await, Err(DialError::Refused { .. })));
    }
}
