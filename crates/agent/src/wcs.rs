//! The session protocol of WCS, spoken as its Web SDK speaks it.
//!
//! ```text
//! connection ──► getUserData, playStream with the offer ──► setRemoteSDP with the answer ──► media
//! ```

mod socket;
mod wire;

use std::time::Duration;

use headwater_media::limits;
use headwater_webrtc::Session;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::{Agent, AgentError, Local, Remote, over};

use self::{socket::Socket, wire::Said};

/// How long the other server may take to hear that the stream is not wanted any more.
const FAREWELL_TIME: Duration = Duration::from_secs(1);

pub(crate) async fn play(
    agent: &Agent,
    remote: &Remote,
    local: &dyn Local,
    stop: &CancellationToken,
) -> Result<(), AgentError> {
    let mut lost = local.lost();
    let (mut socket, session, id) = tokio::select! {
        () = stop.cancelled() => return Ok(()),
        reason = &mut lost => return Err(AgentError::Lost(reason)),
        begun = begin(agent, remote, local) => begun?,
    };
    let ended = tokio::select! {
        ended = attend(&mut socket, &session, &id, stop) => ended,
        reason = lost => Err(AgentError::Lost(reason)),
    };
    match &ended {
        Ok(()) => {
            let farewell = async {
                let _ = socket.say("stopStream", reference(remote, &id)).await;
                socket.close().await;
            };
            let _ = timeout(FAREWELL_TIME, farewell).await;
            session.end().await;
        }
        // What has been sent until then stays for whoever brings the stream again.
        Err(_) => session.abandon().await,
    }
    session.ended().await;
    ended
}

/// Asks for the stream, up to where media is awaited.
async fn begin(agent: &Agent, remote: &Remote, local: &dyn Local) -> Result<(Socket, Session, String), AgentError> {
    let mut socket = Socket::open(&agent.dialer, remote).await?;
    let id = uuid::Uuid::new_v4().to_string();
    let proposal = agent.propose();
    let limit = limits::AGENT_ANSWER_MS.get_duration();
    let answer = async {
        socket.say("connection", connection(remote)).await?;
        greet(&mut socket).await?;
        socket.say("playStream", stream(remote, &id, proposal.sdp())).await?;
        answer(&mut socket, &id).await
    };
    let answer = timeout(limit, answer).await.map_err(|_| {
        limits::AGENT_ANSWER_MS.hit();
        AgentError::TimedOut("the request for the stream")
    })??;
    let session = agent.receive(remote, proposal, &answer, local, (socket.peer(), &id)).await?;
    Ok((socket, session, id))
}

/// Waits until the other server has taken the connection.
async fn greet(socket: &mut Socket) -> Result<(), AgentError> {
    loop {
        match socket.hear().await? {
            Said::UserData => return Ok(()),
            Said::Fail { info } => return Err(AgentError::refused(&info)),
            _ => {}
        }
    }
}

/// Waits for the answer to the offer.
async fn answer(socket: &mut Socket, id: &str) -> Result<String, AgentError> {
    loop {
        match socket.hear().await? {
            Said::Answer { id: of, sdp } if of == id => return Ok(sdp),
            Said::Fail { info } => return Err(AgentError::refused(&info)),
            Said::Over { id: of, info } if of == id => return Err(AgentError::refused(&info)),
            _ => {}
        }
    }
}

/// Sees to a stream that flows; `Ok` when it was told to stop.
async fn attend(socket: &mut Socket, session: &Session, id: &str, stop: &CancellationToken) -> Result<(), AgentError> {
    let silence = limits::WCS_SILENCE_MS.get_duration();
    let mut heard = Instant::now();
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            ended = session.ended() => return Err(over(ended)),
            () = tokio::time::sleep_until(heard + silence) => {
                return Err(AgentError::Lost(format!("nothing was heard for {silence:?}")));
            }
            said = socket.hear() => {
                heard = Instant::now();
                match said? {
                    Said::Over { id: of, info } if of == id => return Err(AgentError::Stopped(info)),
                    _ => {}
                }
            }
        }
    }
}

/// What a client says of itself. The query of the URL is what the application behind the other server may ask for.
fn connection(remote: &Remote) -> Value {
    json!({
        "appKey": "defaultApp",
        "mediaProviders": ["WebRTC"],
        "keepAlive": false,
        "clientVersion": "2.0",
        "clientOSVersion": "Headwater",
        "clientBrowserVersion": "Headwater",
        "custom": custom(remote),
    })
}

fn custom(remote: &Remote) -> Value {
    Value::Object(remote.url().query_pairs().map(|(key, value)| (key.into_owned(), json!(value))).collect())
}

fn reference(remote: &Remote, id: &str) -> Value {
    json!({
        "mediaSessionId": id,
        "name": remote.name().map(headwater_media::StreamName::as_str),
        "published": false,
        "hasVideo": true,
        "hasAudio": true,
        "status": "PENDING",
        "record": false,
    })
}

fn stream(remote: &Remote, id: &str, sdp: &str) -> Value {
    let mut stream = reference(remote, id);
    if let Value::Object(fields) = &mut stream {
        fields.extend([
            ("mediaProvider".to_owned(), json!("WebRTC")),
            ("sdp".to_owned(), json!(sdp)),
            ("custom".to_owned(), custom(remote)),
            ("transport".to_owned(), json!("UDP")),
            ("cvoExtension".to_owned(), json!(false)),
            ("constraints".to_owned(), json!({ "audio": true, "video": true })),
        ]);
        for unchanged in ["width", "height", "bitrate", "minBitrate", "maxBitrate", "quality"] {
            fields.insert(unchanged.to_owned(), json!(0));
        }
    }
    stream
}
