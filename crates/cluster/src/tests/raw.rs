//! Clients that speak the protocol of clusters on their own.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use headwater_access::Secret;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite::Message};

use crate::keys::Keys;

pub(super) struct Raw(WebSocketStream<TcpStream>);

impl Raw {
    pub(super) async fn connect(to: SocketAddr) -> Raw {
        let tcp = TcpStream::connect(to).await.unwrap();
        Raw(client_async(format!("ws://{to}/cluster"), tcp).await.unwrap().0)
    }

    /// A client that has proved itself under this name and been answered.
    pub(super) async fn linked(to: SocketAddr, node: &str) -> Raw {
        let mut raw = Raw::connect(to).await;
        raw.prove(super::ground::SECRET, greeting(node)).await;
        let answer = raw.hear_text().await;
        assert!(answer.contains("proof"), "{answer}");
        raw
    }

    /// Answers the challenge; yields what was said.
    pub(super) async fn prove(&mut self, secret: &str, greeting: Value) -> String {
        let challenge = self.hear_text().await;
        let greeting = greeting.to_string();
        let proof = Keys::new(&Secret::new(secret)).prove("dialer", &challenge, &greeting);
        let said = json!({ "greeting": greeting, "proof": proof }).to_string();
        self.say(Message::text(said.clone())).await;
        said
    }

    pub(super) async fn say(&mut self, message: Message) {
        // Whether it is still heard is for the other side to decide.
        let _ = self.0.send(message).await;
    }

    pub(super) async fn hear_text(&mut self) -> String {
        match self.0.next().await {
            Some(Ok(Message::Text(text))) => text.to_string(),
            other => panic!("no text came: {other:?}"),
        }
    }

    /// The code with which the other side closes.
    pub(super) async fn hear_close(&mut self) -> u16 {
        loop {
            match self.0.next().await {
                Some(Ok(Message::Close(Some(frame)))) => return frame.code.into(),
                Some(Ok(_)) => {}
                _ => return 0,
            }
        }
    }

    /// The next message of the gossip.
    pub(super) async fn hear_gossip(&mut self) -> Vec<u8> {
        loop {
            match self.0.next().await {
                Some(Ok(Message::Binary(bytes))) => return bytes.to_vec(),
                Some(Ok(_)) => {}
                other => panic!("no gossip came: {other:?}"),
            }
        }
    }
}

pub(super) fn greeting(node: &str) -> Value {
    json!({
        "version": 1, "oldest": 1, "node": node, "role": "edge", "generation": 1, "now_ms": 1, "nonce": "made up",
    })
}
