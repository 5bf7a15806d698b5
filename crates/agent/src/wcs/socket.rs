//! The WebSocket to the other server.

use std::net::IpAddr;

use futures_util::{SinkExt, StreamExt};
use headwater_access::SERVER_HEADER;
use headwater_media::limits;
use headwater_net::{Dialed, Dialer};
use serde_json::{Value, json};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{Error, Message, client::IntoClientRequest, protocol::WebSocketConfig},
};

use crate::{AgentError, Remote};

use super::wire::Said;

/// What a URL of `ws` or `wss` promises.
const PROTOCOL: &str = "the session protocol";

pub(super) struct Socket {
    socket: WebSocketStream<Dialed>,
    peer: IpAddr,
}

impl Socket {
    pub(super) async fn open(dialer: &Dialer, remote: &Remote) -> Result<Socket, AgentError> {
        let io = dialer.dial(remote.host(), remote.port(), remote.is_secure()).await?;
        let peer = headwater_net::peer_of(&io).map_err(|error| AgentError::Lost(error.to_string()))?.ip();
        let bytes = limits::WCS_MESSAGE_BYTES.get_usize();
        let config = WebSocketConfig::default().max_message_size(Some(bytes)).max_frame_size(Some(bytes));
        let wrong = |error| AgentError::protocol(PROTOCOL, error);
        let mut request = remote.url().as_str().into_client_request().map_err(wrong)?;
        if let Some(proof) = remote.proof() {
            request.headers_mut().insert(SERVER_HEADER, proof.clone());
        }
        let shaken = client_async_with_config(request, io, Some(config));
        let limit = limits::AGENT_ANSWER_MS.get_duration();
        let shaken = tokio::time::timeout(limit, shaken).await.map_err(|_| {
            limits::AGENT_ANSWER_MS.hit();
            AgentError::TimedOut("the WebSocket handshake")
        })?;
        let (socket, _) = shaken.map_err(|error| AgentError::protocol(PROTOCOL, error))?;
        Ok(Socket { socket, peer })
    }

    /// Whom it is connected to.
    pub(super) fn peer(&self) -> IpAddr {
        self.peer
    }

    pub(super) async fn say(&mut self, name: &str, data: Value) -> Result<(), AgentError> {
        let text = json!({ "message": name, "data": [data] }).to_string();
        self.socket.send(Message::text(text)).await.map_err(lost)
    }

    /// Waits for what the other server says next; pings are answered here. Nothing is lost if it is not waited for to
    /// the end.
    pub(super) async fn hear(&mut self) -> Result<Said, AgentError> {
        match self.socket.next().await {
            Some(Ok(Message::Text(text))) => match Said::read(&text) {
                Said::Ping => {
                    self.say("pong", Value::Null).await?;
                    Ok(Said::Ping)
                }
                said => Ok(said),
            },
            Some(Ok(Message::Close(frame))) => {
                let reason = frame.map(|frame| frame.reason.to_string()).filter(|reason| !reason.is_empty());
                let reason = reason.unwrap_or_else(|| "the other server has closed it".to_owned());
                Err(AgentError::Lost(reason.chars().take(200).collect()))
            }
            // Any sign of life counts; the library answers pings of WebSocket itself.
            Some(Ok(_)) => Ok(Said::Other),
            Some(Err(error)) => Err(lost(error)),
            None => Err(AgentError::Lost("the other server has closed it".to_owned())),
        }
    }

    pub(super) async fn close(&mut self) {
        let _ = self.socket.close(None).await;
    }
}

fn lost(error: Error) -> AgentError {
    match error {
        Error::Capacity(error) => AgentError::protocol(PROTOCOL, error),
        error => AgentError::Lost(error.to_string()),
    }
}
