use super::*;

use std::path::Path;

use crate::{Listener, Quota};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

fn self_signed() -> Identity {
    Identity::SelfSigned { names: vec!["localhost".into()], folder: None }
}

/// Puts a new certificate for localhost and its key into a folder.
fn issue(folder: &Path) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(folder.join("chain.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    made.cert.der().clone()
}

fn files(folder: &Path) -> Identity {
    Identity::Files { certificate: folder.join("chain.pem"), key: folder.join("key.pem") }
}

/// A connection whose client trusts `certificate` alone.
async fn connect(
    acceptor: &TlsAcceptor,
    certificate: &CertificateDer<'static>,
) -> std::io::Result<(tokio_rustls::client::TlsStream<TcpStream>, TlsStream)> {
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), &Quota::connections()).unwrap();
    let address = listener.local_address().unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let client = async {
        let tcp = TcpStream::connect(address).await?;
        let name = "localhost".try_into().unwrap();
        tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, tcp).await
    };
    let server = async { acceptor.accept(listener.accept().await).await };
    let (client, server) = tokio::join!(client, server);
    Ok((client?, server.map_err(std::io::Error::other)?))
}

#[tokio::test]
async fn a_client_that_trusts_the_certificate_talks_within_tls() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = issue(folder.path());
    let acceptor = TlsAcceptor::new(&files(folder.path()), &[b"h2", b"http/1.1"]).unwrap();
    let (mut client, mut server) = connect(&acceptor, &certificate).await.unwrap();
    assert_eq!(server.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    client.write_all(b"ping").await.unwrap();
    let mut ping = [0; 4];
    server.read_exact(&mut ping).await.unwrap();
    assert_eq!(&ping, b"ping");
}

#[tokio::test]
async fn a_renewed_certificate_is_taken_up_and_a_broken_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let first = issue(folder.path());
    let acceptor = TlsAcceptor::new(&files(folder.path()), &[]).unwrap();
    assert!(!acceptor.reload().unwrap(), "nothing has changed");

    let second = issue(folder.path());
    assert!(acceptor.reload().unwrap());
    assert!(connect(&acceptor, &second).await.is_ok());
    assert!(connect(&acceptor, &first).await.is_err());

    for (file, content) in [("key.pem", "no key"), ("chain.pem", ""), ("chain.pem", "-----BEGIN CERTIFICATE-----")] {
        let kept = std::fs::read(folder.path().join(file)).unwrap();
        std::fs::write(folder.path().join(file), content).unwrap();
        let error = acceptor.reload().unwrap_err().to_string();
        assert!(error.contains(file), "{error}");
        std::fs::write(folder.path().join(file), kept).unwrap();
    }
    issue(folder.path());
    std::fs::remove_file(folder.path().join("key.pem")).unwrap();
    assert!(acceptor.reload().is_err());
    assert!(connect(&acceptor, &second).await.is_ok(), "the one before stays in use");
}

#[tokio::test]
async fn a_self_signed_certificate_is_kept_for_its_user_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("state");
    let identity = Identity::SelfSigned { names: vec!["localhost".into()], folder: Some(place.clone()) };
    TlsAcceptor::new(&identity, &[]).unwrap();
    let made = CertificateDer::from_pem_file(place.join("self-signed.pem")).unwrap();
    let mode = std::fs::metadata(place.join("self-signed.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let again = TlsAcceptor::new(&identity, &[]).unwrap();
    assert!(connect(&again, &made).await.is_ok(), "a later start shows the same");
    let unwritable = Identity::SelfSigned { names: Vec::new(), folder: Some("/proc/nowhere".into()) };
    assert!(TlsAcceptor::new(&unwritable, &[]).unwrap_err().to_string().contains("/proc/nowhere"));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_says_nothing_is_given_up() {
    let acceptor = TlsAcceptor::new(&self_signed(), &[]).unwrap();
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), &Quota::connections()).unwrap();
    let address = listener.local_address().unwrap();
    let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
    let _client = client.unwrap();
    let hits = limits::TLS_HANDSHAKE_MS.hits();
    assert!(matches!(acceptor.accept(accepted).await, Err(TlsError::TimedOut)));
    assert_eq!(limits::TLS_HANDSHAKE_MS.hits(), hits + 1);
}

#[tokio::test]
async fn a_missing_file_is_named() {
    let identity = Identity::Files { certificate: "/nowhere/chain.pem".into(), key: "/nowhere/key.pem".into() };
    let error = TlsAcceptor::new(&identity, &[]).unwrap_err().to_string();
    assert!(error.contains("/nowhere/chain.pem"), "{error}");
}

/// A certificate for localhost with its key in a folder of its own, which is its own authority.
struct Party {
    folder: tempfile::TempDir,
    acceptor: TlsAcceptor,
}

impl Party {
    fn new(name: &str) -> Party {
        let folder = tempfile::tempdir().unwrap();
        let mut wanted = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
        wanted.distinguished_name.push(rcgen::DnType::CommonName, name);
        let key = rcgen::KeyPair::generate().unwrap();
        std::fs::write(folder.path().join("chain.pem"), wanted.self_signed(&key).unwrap().pem()).unwrap();
        std::fs::write(folder.path().join("key.pem"), key.serialize_pem()).unwrap();
        let acceptor = TlsAcceptor::new(&files(folder.path()), &[]).unwrap();
        Party { folder, acceptor }
    }

    fn certificate(&self) -> PathBuf {
        self.folder.path().join("chain.pem")
    }
}

/// Both certificates in one file.
fn both(one: &Party, other: &Party) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    let texts = [one, other].map(|party| std::fs::read_to_string(party.certificate()).unwrap());
    std::fs::write(file.path(), texts.concat()).unwrap();
    file
}

#[tokio::test]
async fn who_asks_for_certificates_takes_those_of_its_authorities_alone() {
    let (server, friend, stranger) = (Party::new("server"), Party::new("friend"), Party::new("stranger"));
    let known = both(&server, &friend);
    let acceptor = TlsAcceptor::mutual(&files(server.folder.path()), &[], known.path()).unwrap();
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), &Quota::connections()).unwrap();
    let port = listener.local_address().unwrap().port();
    let reach = || crate::Reach::new(["127.0.0.0/8", "::1"]).unwrap();
    let silent = crate::Dialer::new(reach(), Some(&server.certificate())).unwrap();
    let showing = |party: &Party| silent.mutual(&server.certificate(), &party.acceptor).unwrap();
    for (dialer, taken) in [
        (showing(&friend), Ok(())),
        (silent.clone(), Err("shows no certificate")),
        (showing(&stranger), Err("the certificate of the other side is not taken: UnknownIssuer")),
    ] {
        let client = async {
            let mut io = dialer.dial("localhost", port, true).await.unwrap();
            let mut answer = [0; 2];
            io.read_exact(&mut answer).await.map(|_| answer)
        };
        let server = async {
            let mut stream = acceptor.accept(listener.accept().await).await?;
            stream.write_all(b"ok").await.map_err(TlsError::Handshake)?;
            Ok::<_, TlsError>(stream)
        };
        let (heard, served) = tokio::join!(client, server);
        match taken {
            Ok(()) => assert_eq!((&heard.unwrap(), served.is_ok()), (b"ok", true)),
            Err(words) => {
                let refused = served.map(|_| ()).unwrap_err().to_string();
                assert!(refused.contains(words), "{refused}");
                let error = heard.unwrap_err();
                assert!(refuses_certificate(&error), "{error:?}");
            }
        }
    }

    // The other way round: who shows certificates trusts its own authorities alone.
    let refused = silent.mutual(&stranger.certificate(), &friend.acceptor).unwrap();
    let dial = async { refused.dial("localhost", port, true).await.map(|_| ()).unwrap_err().to_string() };
    let (told, _) = tokio::join!(dial, async { acceptor.accept(listener.accept().await).await });
    assert!(told.contains("UnknownIssuer"), "{told}");
    let empty = tempfile::NamedTempFile::new().unwrap();
    assert!(matches!(silent.mutual(empty.path(), &friend.acceptor), Err(TlsError::File { .. })));
}
