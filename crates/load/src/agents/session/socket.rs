//! The WebSocket of a session, and what the server says over it.

use std::net::IpAddr;

use futures_util::{SinkExt, StreamExt};
use headwater_media::limits;
use headwater_net::{Dialed, Dialer};
use serde_json::{Value, json};
use tokio_tungstenite::{WebSocketStream, tungstenite::Message};

use crate::agents::websocket;
use crate::{Failure, failure::Reason, plan::Target};

pub(super) struct Socket {
    socket: WebSocketStream<Dialed>,
    peer: IpAddr,
}

/// What the server says, as far as it matters here.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// The connection is taken.
    UserData,
    /// The answer to the offer of a stream.
    Answer { id: String, sdp: String },
    /// A stream has failed or was stopped, and why.
    Over { id: String, words: String },
    /// Something could not be done.
    Fail(String),
    /// Anything else.
    Other,
}

impl Socket {
    pub(super) async fn open(dialer: &Dialer, target: &Target) -> Result<Socket, Failure> {
        let socket = websocket::open(dialer, target, limits::WCS_MESSAGE_BYTES.get_usize()).await?;
        let peer = headwater_net::peer_of(socket.get_ref()).map_err(|error| Failure::new(Reason::Lost, error))?.ip();
        Ok(Socket { socket, peer })
    }

    /// Whom it is connected to.
    pub(super) fn peer(&self) -> IpAddr {
        self.peer
    }

    pub(super) async fn say(&mut self, name: &str, data: Value) -> Result<(), Failure> {
        let text = json!({ "message": name, "data": [data] }).to_string();
        self.socket.send(Message::text(text)).await.map_err(|error| websocket::lost(&error))
    }

    /// Waits for what the server says next; pings are answered here. Nothing is lost if it is not waited for to the end.
    pub(super) async fn hear(&mut self) -> Result<Said, Failure> {
        match self.socket.next().await {
            Some(Ok(Message::Text(text))) => {
                let message: Value = serde_json::from_str(&text).unwrap_or_default();
                if message["message"] == "ping" {
                    self.say("pong", Value::Null).await?;
                }
                Ok(Said::read(&message))
            }
            Some(Ok(Message::Close(frame))) => {
                let words = frame.map(|frame| frame.reason.to_string()).filter(|words| !words.is_empty());
                Err(Failure::new(
                    Reason::Ended,
                    words.unwrap_or_else(|| "the server has closed the session".to_owned()),
                ))
            }
            Some(Ok(_)) => Ok(Said::Other),
            Some(Err(error)) => Err(websocket::lost(&error)),
            None => Err(Failure::new(Reason::Lost, "the server has closed the connection")),
        }
    }

    pub(super) async fn close(&mut self) {
        let _ = self.socket.close(None).await;
    }
}

impl Said {
    /// Reads `{"message": NAME, "data": [VALUE, …]}`.
    fn read(message: &Value) -> Said {
        let (first, second) = (&message["data"][0], &message["data"][1]);
        let field = |name: &str| first[name].as_str().unwrap_or_default().to_owned();
        match message["message"].as_str() {
            Some("getUserData") => Said::UserData,
            Some("setRemoteSDP") => match (first.as_str(), second.as_str()) {
                (Some(id), Some(sdp)) => Said::Answer { id: id.to_owned(), sdp: sdp.to_owned() },
                _ => Said::Other,
            },
            Some("notifyStreamStatusEvent")
                if matches!(field("status").as_str(), "FAILED" | "STOPPED" | "UNPUBLISHED") =>
            {
                let words = [field("info"), field("reason")].into_iter().filter(|words| !words.is_empty());
                Said::Over { id: field("mediaSessionId"), words: words.collect::<Vec<_>>().join(": ") }
            }
            Some("fail") => Said::Fail(field("info")),
            _ => Said::Other,
        }
    }
}
