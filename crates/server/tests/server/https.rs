//! The web server over TLS, and the certificate that it shows.

use std::{net::SocketAddr, path::Path, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use crate::support::{start, try_start, until_load};

const LINES: &str = "[https]\nports = [0, 0]\n[rtmps]\nport = 0\n";

/// Asks for a page over TLS, trusting one certificate alone.
async fn get(address: SocketAddr, certificate: &Path, path: &str) -> std::io::Result<String> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = versions.with_root_certificates(roots).with_no_client_auth();
    let tcp = TcpStream::connect(address).await?;
    let mut tls = TlsConnector::from(Arc::new(config)).connect("localhost".try_into().unwrap(), tcp).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    tls.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    let read = tls.read_to_end(&mut answer).await;
    if answer.is_empty() {
        read?;
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[tokio::test]
async fn every_secure_port_serves_everything_with_a_certificate_that_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let lines = format!("{LINES}[process]\nstate = {:?}\n", folder.path().join("state"));
    let server = start(&lines).await;
    let baseline = server.load();
    let made = folder.path().join("state/self-signed.pem");
    let secure: Vec<_> = server.listening().iter().filter(|listening| listening.what == "HTTPS").collect();
    assert_eq!(secure.len(), 2);
    for listening in secure {
        for (path, text) in [("/", "Headwater"), ("/healthz", "alive"), ("/rest-api/stream/find_all", "not_found")] {
            let answer = get(listening.address, &made, path).await.unwrap();
            assert!(answer.contains(text), "{path}: {answer}");
        }
    }
    until_load(&server, baseline).await;
    assert!(server.stop().await);

    let kept = std::fs::read(&made).unwrap();
    let again = start(&lines).await;
    assert_eq!(std::fs::read(&made).unwrap(), kept);
    assert!(get(again.address("HTTPS").unwrap(), &made, "/").await.is_ok());
    assert!(again.stop().await);
}

#[tokio::test]
async fn speaking_plainly_to_a_secure_port_does_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(&format!("{LINES}[process]\nstate = {:?}\n", folder.path())).await;
    let baseline = server.load();
    let address = server.address("HTTPS").unwrap();
    for bytes in [&b""[..], b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", b"\x16\x03\x01\xff\xff", &[0xff; 1_000]] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
    }
    until_load(&server, baseline).await;
    assert!(get(address, &folder.path().join("self-signed.pem"), "/readyz").await.unwrap().contains("ready"));
    assert!(server.stop().await);
}

#[tokio::test]
async fn a_certificate_that_cannot_be_used_is_named_with_its_place() {
    for (lines, names) in [
        ("[tls]\ncertificate = \"/nowhere/chain.pem\"\nkey = \"/nowhere/key.pem\"\n", "/nowhere/chain.pem"),
        ("[tls]\ncertificate = \"Cargo.toml\"\nkey = \"Cargo.toml\"\n", "Cargo.toml"),
    ] {
        let error = match try_start(&format!("{LINES}{lines}")).await {
            Ok(_) => panic!("it has started with {lines}"),
            Err(error) => error.to_string(),
        };
        assert!(error.contains(names) && error.contains("[tls]") && error.contains("test.toml:"), "{error}");
    }
}
