//! The session protocol of WCS: bare sessions, and viewers.
//!
//! ```text
//! connection ──► getUserData, playStream with the offer ──► setRemoteSDP with the answer ──► media
//! ```

mod socket;

use headwater_media::limits;
use headwater_webrtc::Receiver;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use self::socket::{Said, Socket};
use super::{Seat, listen};
use crate::{Failure, failure::Reason, worker::Worker};

/// Opens a session and keeps it, until told to stop.
///
/// # Errors
/// Why there is no session, or none any more.
pub(super) async fn hold(seat: &Seat, worker: &Worker) -> Result<(), Failure> {
    let mut socket = tokio::select! {
        () = seat.stop.cancelled() => return Ok(()),
        opened = in_time(open(seat, worker)) => opened?,
    };
    seat.presence.join();
    tokio::select! {
        () = seat.stop.cancelled() => {}
        ended = attend(&mut socket, "") => return ended,
    }
    socket.close().await;
    Ok(())
}

/// Asks for the stream and watches it, until told to stop.
///
/// # Errors
/// Why it did not come about or did not stay.
pub(super) async fn play(seat: &Seat, worker: &Worker) -> Result<(), Failure> {
    let (receiver, offer) = Receiver::new(&worker.common, std::time::Instant::now());
    let id = uuid::Uuid::new_v4().to_string();
    let begin = async {
        let mut socket = open(seat, worker).await?;
        socket.say("playStream", stream(seat, &id, Some(&offer))).await?;
        let answer = answer(&mut socket, &id).await?;
        Ok((socket, answer))
    };
    let (mut socket, answer) = tokio::select! {
        () = seat.stop.cancelled() => return Ok(()),
        begun = in_time(begin) => begun?,
    };
    let peer = socket.peer();
    let watched = tokio::select! {
        watched = listen::watch(seat, worker, receiver, &answer, peer) => watched,
        ended = attend(&mut socket, &id) => ended,
    };
    let farewell = async {
        let _ = socket.say("stopStream", stream(seat, &id, None)).await;
        socket.close().await;
    };
    let _ = timeout(limits::LOAD_SETUP_MS.get_duration(), farewell).await;
    watched
}

async fn in_time<T>(what: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let time = limits::LOAD_SETUP_MS.get_duration();
    timeout(time, what)
        .await
        .unwrap_or_else(|_| Err(Failure::new(Reason::NoAnswer, format!("the server has not answered within {time:?}"))))
}

async fn open(seat: &Seat, worker: &Worker) -> Result<Socket, Failure> {
    let mut socket = Socket::open(&worker.dialer, &seat.target).await?;
    let custom: Value = Value::Object(
        seat.target.with_token().query_pairs().map(|(key, value)| (key.into_owned(), json!(value))).collect(),
    );
    let connection = json!({
        "appKey": "defaultApp",
        "mediaProviders": ["WebRTC"],
        "keepAlive": false,
        "clientVersion": "2.0",
        "clientOSVersion": "Headwater",
        "clientBrowserVersion": "Headwater load agent",
        "custom": custom,
    });
    socket.say("connection", connection).await?;
    loop {
        match socket.hear().await? {
            Said::UserData => return Ok(socket),
            Said::Fail(words) => return Err(refused(&seat.target.hide(&words))),
            _ => {}
        }
    }
}

async fn answer(socket: &mut Socket, id: &str) -> Result<String, Failure> {
    loop {
        match socket.hear().await? {
            Said::Answer { id: of, sdp } if of == id => return Ok(sdp),
            Said::Over { id: of, words } if of == id => return Err(refused(&words)),
            Said::Fail(words) => return Err(refused(&words)),
            _ => {}
        }
    }
}

/// Answers pings until the stream or the connection ends.
async fn attend(socket: &mut Socket, id: &str) -> Result<(), Failure> {
    let silence = limits::WCS_SILENCE_MS.get_duration();
    let mut heard = Instant::now();
    loop {
        let said = tokio::time::timeout_at(heard + silence, socket.hear()).await;
        let silent = |_| Failure::new(Reason::Silent, format!("the session has said nothing for {silence:?}"));
        heard = Instant::now();
        match said.map_err(silent)?? {
            Said::Over { id: of, words } if of == id => return Err(Failure::new(Reason::Ended, words)),
            _ => {}
        }
    }
}

fn refused(words: &str) -> Failure {
    let lower = words.to_lowercase();
    let reason = match () {
        () if lower.contains("not found") => Reason::NoStream,
        () if ["denied", "not allowed", "unauthorized", "forbidden", "restricted access"]
            .iter()
            .any(|word| lower.contains(word)) =>
        {
            Reason::Denied
        }
        () => Reason::Refused,
    };
    Failure::new(reason, words)
}

fn stream(seat: &Seat, id: &str, sdp: Option<&str>) -> Value {
    json!({
        "mediaSessionId": id,
        "name": seat.target.stream,
        "published": false,
        "hasVideo": true,
        "hasAudio": true,
        "status": "PENDING",
        "record": false,
        "mediaProvider": "WebRTC",
        "sdp": sdp,
        "constraints": { "audio": true, "video": true },
        "width": 0,
        "height": 0,
        "bitrate": 0,
        "minBitrate": 0,
        "maxBitrate": 0,
        "quality": 0,
    })
}
