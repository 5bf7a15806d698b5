use super::*;

use crate::{Listener, Quota};
use rustls::{ClientConfig, RootCertStore};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

fn self_signed() -> Identity {
    Identity::SelfSigned { names: vec!["localhost".into()] }
}

#[tokio::test]
async fn a_client_that_trusts_the_certificate_talks_within_tls() {
    let folder = std::env::temp_dir().join(format!("headwater-net-tls-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (certificate, key) = (folder.join("chain.pem"), folder.join("key.pem"));
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let acceptor = TlsAcceptor::new(&Identity::Files { certificate, key }, &[b"h2", b"http/1.1"]).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();

    let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), &Quota::connections()).unwrap();
    let address = listener.local_address().unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let client = async {
        let tcp = TcpStream::connect(address).await.unwrap();
        let name = "localhost".try_into().unwrap();
        tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, tcp).await.unwrap()
    };
    let server = async { acceptor.accept(listener.accept().await).await.unwrap() };
    let (mut client, mut server) = tokio::join!(client, server);
    assert_eq!(server.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    client.write_all(b"ping").await.unwrap();
    let mut ping = [0; 4];
    server.read_exact(&mut ping).await.unwrap();
    assert_eq!(&ping, b"ping");
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
