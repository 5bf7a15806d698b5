//! WebSockets of viewers that are sent media: connection, messages, and what servers say at the end.

use std::cell::RefCell;

use headwater_media::limits;
use headwater_net::{Dialed, Dialer};
use http::StatusCode;
use serde_json::Value;
use tokio::time::timeout;
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{Bytes, Error, Message, protocol::WebSocketConfig},
};

use futures_util::StreamExt;

use super::{
    Seat,
    screen::{self, Screen},
};
use crate::{Failure, failure::Reason, plan::Target, worker::Worker};

/// A connection over which messages of up to so many bytes come.
///
/// # Errors
/// There is none to be had.
pub(super) async fn open(
    dialer: &Dialer,
    target: &Target,
    bytes_max: usize,
) -> Result<WebSocketStream<Dialed>, Failure> {
    let (host, port) = target.place();
    let io = dialer.dial(host, port, target.is_secure()).await?;
    let config = WebSocketConfig::default().max_message_size(Some(bytes_max)).max_frame_size(Some(bytes_max));
    let url = target.with_token();
    let shaken = client_async_with_config(url.as_str(), io, Some(config)).await;
    Ok(shaken.map_err(|error| not_opened(&error))?.0)
}

/// The same within the time that a server has to answer.
///
/// # Errors
/// There is none to be had.
async fn open_in_time(dialer: &Dialer, target: &Target, bytes_max: usize) -> Result<WebSocketStream<Dialed>, Failure> {
    let time = limits::LOAD_SETUP_MS.get_duration();
    timeout(time, open(dialer, target, bytes_max))
        .await
        .unwrap_or_else(|_| Err(Failure::new(Reason::NoAnswer, format!("the server has not answered within {time:?}"))))
}

/// Plays a stream until told to stop: `receive` takes what comes to the screen.
///
/// # Errors
/// Why it did not come about or did not stay.
pub(super) async fn play(
    seat: &Seat,
    worker: &Worker,
    receive: impl AsyncFnOnce(&mut WebSocketStream<Dialed>, &RefCell<Screen<'_>>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut socket = tokio::select! {
        () = seat.stop.cancelled() => return Ok(()),
        opened = open_in_time(&worker.dialer, &seat.target, limits::LOAD_MEDIA_BYTES.get_usize()) => opened?,
    };
    let screen = Screen::live(seat, worker);
    let watched = screen::watch(&screen, seat, receive(&mut socket, &screen)).await;
    let _ = timeout(screen::FAREWELL, socket.close(None)).await;
    watched
}

/// What comes over it: JSON, or media.
pub(super) enum Heard {
    Text(Value),
    Media(Bytes),
}

/// Waits for the next message of what is played. Nothing is lost if it is not waited for to the end.
///
/// # Errors
/// The server ends it, refuses the stream, or the connection is gone.
pub(super) async fn hear(socket: &mut WebSocketStream<Dialed>) -> Result<Heard, Failure> {
    loop {
        return match socket.next().await {
            Some(Ok(Message::Text(text))) => {
                let wrong = |error| Failure::new(Reason::Protocol, format!("a message that is no JSON: {error}"));
                let message: Value = serde_json::from_str(&text).map_err(wrong)?;
                over(&message).map_or(Ok(Heard::Text(message)), Err)
            }
            Some(Ok(Message::Binary(bytes))) => Ok(Heard::Media(bytes)),
            Some(Ok(Message::Close(frame))) => {
                let words = frame.map(|frame| frame.reason.to_string()).filter(|words| !words.is_empty());
                Err(Failure::new(
                    Reason::Ended,
                    words.unwrap_or_else(|| "the server has closed the WebSocket".to_owned()),
                ))
            }
            Some(Ok(_)) => continue,
            Some(Err(error)) => Err(lost(&error)),
            None => Err(Failure::new(Reason::Lost, "the server has closed the connection")),
        };
    }
}

/// What the server says where it ends: the messages `end` and `error` of MSE and of WSPlayer.
fn over(message: &Value) -> Option<Failure> {
    let text = |field: &str| message[field].as_str().unwrap_or_default();
    let reason = match (text("type"), text("code")) {
        ("end", _) => return Some(Failure::new(Reason::Ended, text("reason"))),
        ("error", "refused") => Reason::Denied,
        ("error", "not-live") => Reason::NoStream,
        ("error", _) => Reason::Refused,
        _ => return None,
    };
    Some(Failure::new(reason, format!("{}: {}", text("code"), text("message"))))
}

pub(super) fn not_opened(error: &Error) -> Failure {
    let reason = match error {
        Error::Http(response) => match response.status() {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Reason::Denied,
            StatusCode::NOT_FOUND => Reason::NoStream,
            _ => Reason::Refused,
        },
        Error::Io(_) => Reason::Lost,
        _ => Reason::Protocol,
    };
    Failure::new(reason, format!("no WebSocket: {error}"))
}

pub(super) fn lost(error: &Error) -> Failure {
    match error {
        Error::Capacity(error) => Failure::new(Reason::Protocol, error),
        error => Failure::new(Reason::Lost, error),
    }
}
