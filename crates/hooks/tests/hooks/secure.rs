use std::{net::SocketAddr, sync::Arc};

use headwater_access::Why;
use headwater_hooks::{Settings, read_application};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, pki_types::PrivateKeyDer},
    server::TlsStream,
};

use crate::{back_end::*, clients::*};

/// Speaks TLS with a certificate of its own making.
struct Secure {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl axum::serve::Listener for Secure {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        loop {
            let (stream, address) = self.listener.accept().await.unwrap();
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

#[tokio::test]
async fn the_certificate_of_an_application_is_checked() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let back_end = BackEnd::serve(Secure { listener, acceptor }, |_| Box::pin(async { status(200) }));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("authority.pem");
    std::fs::write(&file, made.cert.pem()).unwrap();
    let port = back_end.address.port();
    for (host, authorities, expected) in [
        ("localhost", None, Some(Why::Unavailable)),
        ("127.0.0.1", Some(file.clone()), Some(Why::Unavailable)),
        ("localhost", Some(file), None),
    ] {
        let url = read_application(&format!("defaultApp=https://{host}:{port}/hooks"), false).unwrap();
        let (_, gates) = with(Settings { applications: vec![url], authorities, ..Settings::default() });
        let refused = play_once(&gates).await.err().map(|refused| refused.why);
        assert_eq!(refused, expected, "{host}");
    }
    assert_eq!(back_end.wait_for("stopStream", 1).await.len(), 1);
}
