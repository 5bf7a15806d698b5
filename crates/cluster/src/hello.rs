//! How two nodes that meet prove to each other that they know the secret.
//!
//! ```text
//! dialer                                        acceptor
//!    ◄── challenge: versions, a random number ───
//!    ─── greeting: who, a random number; proof over both ──►
//!    ◄── greeting: who; proof over both greetings ───
//! ```
//!
//! Who has not proved the secret learns a random number and nothing else. Each proof covers a number that the other
//! side has just made up, so none is good a second time.

use aws_lc_rs::rand::fill;
use futures_util::{SinkExt, StreamExt};
use headwater_net::PeerCertificate;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message,
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};

use crate::{NodeId, Role, certificate, cluster::Node, keys::Keys};

/// What is spoken here, and the oldest that is understood.
pub(crate) const VERSION: u32 = 1;
pub(crate) const OLDEST: u32 = 1;
/// The largest message before a link is open, in bytes.
const BYTES_MAX: usize = 4 << 10;

/// The longest reason for closing: a control frame has 125 bytes, and two of them are the code (RFC 6455 §5.5).
const REASON_BYTES_MAX: usize = 123;

const DIALER: &str = "dialer";
const ACCEPTOR: &str = "acceptor";

/// What the acceptor says first.
#[derive(Debug, Serialize, Deserialize)]
struct Challenge {
    version: u32,
    oldest: u32,
    nonce: String,
}

/// Who somebody is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Greeting {
    pub(crate) version: u32,
    pub(crate) oldest: u32,
    pub(crate) node: NodeId,
    pub(crate) role: Role,
    pub(crate) generation: u64,
    /// What time it is there, in milliseconds since 1970.
    pub(crate) now_ms: u64,
    pub(crate) nonce: String,
    /// [`crate::Settings::url`] of it. Nodes of older versions do not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) url: Option<String>,
}

/// A greeting, as it was written, and its proof.
#[derive(Debug, Serialize, Deserialize)]
struct Proven {
    greeting: String,
    proof: String,
}

/// Why two nodes do not become linked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// The other side does not know the secret, or a proof was used twice.
    #[error("it does not know the secret of this cluster")]
    Secret,
    /// No common version.
    #[error("it speaks version {0} of the protocol of clusters, and this node {OLDEST} to {VERSION}")]
    Version(u32),
    /// The other side is this node.
    #[error("this node has reached itself")]
    Myself,
    /// The other side has this node's name.
    #[error("it has the name of this node: one of the two must get another")]
    Namesake,
    /// Another node of that name is linked.
    #[error("another node of this name is in the cluster: one of the two must get another")]
    Taken,
    /// Its certificate is not for what it says that it is.
    #[error("its certificate does not prove who it is: {0}")]
    Certificate(String),
    /// There is a link already.
    #[error("there is a link already")]
    Doubled,
    /// What was said is none of the protocol.
    #[error("it does not speak the protocol of clusters")]
    Malformed,
    /// What the other side said when it closed.
    #[error("it has refused: {0}")]
    Refused(String),
    /// The connection broke.
    #[error("the connection has ended")]
    Gone,
}

impl Refusal {
    /// The status code of the close frame (RFC 6455 §7.4.2: those from 4000 on are private).
    fn code(&self) -> u16 {
        match self {
            Refusal::Secret => 4401,
            Refusal::Certificate(_) => 4403,
            Refusal::Version(_) => 4406,
            Refusal::Myself | Refusal::Namesake | Refusal::Taken | Refusal::Doubled => 4409,
            Refusal::Malformed | Refusal::Refused(_) | Refusal::Gone => 1002,
        }
    }
}

/// The acceptor's part up to the other side's proof.
pub(crate) async fn challenge<S>(node: &Node, socket: &mut WebSocketStream<S>) -> Result<Met, Refusal>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let challenge = write(&Challenge { version: VERSION, oldest: OLDEST, nonce: nonce() });
    say(socket, challenge.clone()).await?;
    let proven: Proven = hear(socket).await?.1;
    let greeting = check(&node.keys, DIALER, &challenge, &proven)?;
    Ok(Met { greeting, text: proven.greeting })
}

/// A dialer that has proved itself, and what it said.
pub(crate) struct Met {
    pub(crate) greeting: Greeting,
    text: String,
}

/// The acceptor's proof. It is given before this side looks who the other is, so that both find out what is wrong.
pub(crate) async fn answer<S>(
    node: &Node,
    socket: &mut WebSocketStream<S>,
    met: &Met,
    shown: Option<&PeerCertificate>,
) -> Result<(), Refusal>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    say(socket, prove(node, ACCEPTOR, &met.text)).await?;
    meet(node, &met.greeting, shown)
}

/// The dialer's part.
pub(crate) async fn greet<S>(
    node: &Node,
    socket: &mut WebSocketStream<S>,
    shown: Option<&PeerCertificate>,
) -> Result<Greeting, Refusal>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (challenge, versions): (String, Challenge) = hear(socket).await?;
    if !is_common(versions.version, versions.oldest) {
        return Err(Refusal::Version(versions.version));
    }
    let proven = prove(node, DIALER, &challenge);
    let own = serde_json::from_str::<Proven>(&proven).map_err(|_| Refusal::Malformed)?.greeting;
    say(socket, proven).await?;
    let answer: Proven = hear(socket).await?.1;
    let greeting = check(&node.keys, ACCEPTOR, &own, &answer)?;
    meet(node, &greeting, shown)?;
    Ok(greeting)
}

/// Closes in words.
pub(crate) async fn refuse<S>(socket: &mut WebSocketStream<S>, refusal: &Refusal)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut reason = refusal.to_string();
    reason.truncate(reason.floor_char_boundary(REASON_BYTES_MAX));
    let frame = CloseFrame { code: CloseCode::from(refusal.code()), reason: reason.into() };
    let _ = socket.close(Some(frame)).await;
}

/// Whether two nodes of these versions understand each other; they speak the older of the two newest.
fn is_common(version: u32, oldest: u32) -> bool {
    let spoken = version.min(VERSION);
    spoken >= OLDEST && spoken >= oldest
}

fn prove(node: &Node, side: &str, answered: &str) -> String {
    let greeting = write(&Greeting {
        version: VERSION,
        oldest: OLDEST,
        node: node.settings.node.clone(),
        role: node.settings.role,
        generation: node.generation(),
        now_ms: node.clock.now_ms(),
        nonce: nonce(),
        url: Some(node.settings.url.clone()),
    });
    let proof = node.keys.prove(side, answered, &greeting);
    write(&Proven { greeting, proof })
}

fn check(keys: &Keys, side: &str, answered: &str, proven: &Proven) -> Result<Greeting, Refusal> {
    if !keys.is_proof(&proven.proof, side, answered, &proven.greeting) {
        return Err(Refusal::Secret);
    }
    let greeting: Greeting = serde_json::from_str(&proven.greeting).map_err(|_| Refusal::Malformed)?;
    if is_common(greeting.version, greeting.oldest) { Ok(greeting) } else { Err(Refusal::Version(greeting.version)) }
}

/// Takes note of who has proved itself.
fn meet(node: &Node, greeting: &Greeting, shown: Option<&PeerCertificate>) -> Result<(), Refusal> {
    if greeting.node == node.settings.node {
        let is_same = greeting.generation == node.generation();
        return Err(if is_same { Refusal::Myself } else { Refusal::Namesake });
    }
    certificate::check(node, greeting, shown)?;
    node.clock.learn(&greeting.node, greeting.now_ms);
    Ok(())
}

fn nonce() -> String {
    let mut bytes = [0; 32];
    // Without random numbers nothing here could be kept secret; the proof over an empty number is refused.
    if fill(&mut bytes).is_err() {
        return String::new();
    }
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    URL_SAFE_NO_PAD.encode(bytes)
}

fn write(what: &impl Serialize) -> String {
    serde_json::to_string(what).unwrap_or_default()
}

async fn say<S>(socket: &mut WebSocketStream<S>, text: String) -> Result<(), Refusal>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    socket.send(Message::text(text)).await.map_err(|_| Refusal::Gone)
}

/// What the other side says next, as text and read.
async fn hear<S, T>(socket: &mut WebSocketStream<S>) -> Result<(String, T), Refusal>
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: DeserializeOwned,
{
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) if text.len() <= BYTES_MAX => {
                let read = serde_json::from_str(&text).map_err(|_| Refusal::Malformed)?;
                return Ok((text.to_string(), read));
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(Ok(Message::Close(frame))) => {
                let reason = frame.map(|frame| frame.reason.chars().take(200).collect::<String>()).unwrap_or_default();
                return Err(if reason.is_empty() { Refusal::Gone } else { Refusal::Refused(reason) });
            }
            Some(Ok(_) | Err(Error::Capacity(_) | Error::Protocol(_) | Error::Utf8(_))) => {
                return Err(Refusal::Malformed);
            }
            Some(Err(_)) | None => return Err(Refusal::Gone),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_that_overlap_are_common() {
        for (version, oldest, expected) in
            [(VERSION, OLDEST, true), (VERSION + 1, VERSION, true), (VERSION + 1, VERSION + 1, false), (0, 0, false)]
        {
            assert_eq!(is_common(version, oldest), expected, "{version} {oldest}");
        }
    }
}
