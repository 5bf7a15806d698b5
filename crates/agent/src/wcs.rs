//! The session protocol of WCS, spoken as its Web SDK speaks it.
//!
//! ```text
//! connection ──► getUserData, playStream or publishStream with the offer ──► setRemoteSDP with the answer ──► media
//! ```

mod socket;
mod wire;

use std::time::Duration;

use headwater_media::limits;
use headwater_webrtc::Session;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::{Agent, AgentError, Purpose, Remote, Renditions, over, tell_flow};

use self::{socket::Socket, wire::Said};

/// How long the other server may take to hear that the stream is not wanted any more.
const FAREWELL_TIME: Duration = Duration::from_secs(1);

/// What is said where a stream is asked for, and where one is brought.
#[derive(Clone, Copy)]
struct Words {
    ask: &'static str,
    end: &'static str,
    published: bool,
}

const PLAY: Words = Words { ask: "playStream", end: "stopStream", published: false };
const PUBLISH: Words = Words { ask: "publishStream", end: "unPublishStream", published: true };

pub(crate) async fn run(
    agent: &Agent,
    remote: &Remote,
    purpose: Purpose<'_>,
    stop: &CancellationToken,
) -> Result<(), AgentError> {
    let (told, mut lost) = (purpose.told(), purpose.lost());
    let words = if told.is_some() { PUBLISH } else { PLAY };
    let (mut socket, session, id) = tokio::select! {
        () = stop.cancelled() => return Ok(()),
        reason = &mut lost => return Err(AgentError::Lost(reason)),
        begun = begin(agent, remote, purpose, words) => begun?,
    };
    let ended = tokio::select! {
        ended = attend(&mut socket, &session, &id, stop) => ended,
        reason = lost => Err(AgentError::Lost(reason)),
        never = tell_flow(&session, told) => match never {},
    };
    match &ended {
        Ok(()) => {
            let farewell = async {
                let _ = socket.say(words.end, reference(remote, &id, words)).await;
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

/// Asks for the stream or brings it, up to where media is awaited.
async fn begin(
    agent: &Agent,
    remote: &Remote,
    purpose: Purpose<'_>,
    words: Words,
) -> Result<(Socket, Session, String), AgentError> {
    let mut socket = Socket::open(&agent.dialer, remote).await?;
    let id = uuid::Uuid::new_v4().to_string();
    let limit = limits::AGENT_ANSWER_MS.get_duration();
    let answer = async {
        socket.say("connection", connection(remote)).await?;
        let renditions = greet(&mut socket).await?;
        let proposal = purpose.propose(&agent.webrtc, renditions, remote.renditions())?;
        socket.say(words.ask, stream(remote, &id, proposal.sdp(), words)).await?;
        let answer = answer(&mut socket, &id).await?;
        Ok::<_, AgentError>((proposal, answer))
    };
    let (proposal, answer) = timeout(limit, answer).await.map_err(|_| {
        limits::AGENT_ANSWER_MS.hit();
        AgentError::TimedOut("the request for the stream")
    })??;
    let session = agent.begin(remote, proposal, &answer, purpose, (socket.peer(), &id)).await?;
    Ok((socket, session, id))
}

/// Waits until the other server has taken the connection. Yields what it understands of renditions.
async fn greet(socket: &mut Socket) -> Result<Renditions, AgentError> {
    loop {
        match socket.hear().await? {
            Said::UserData { renditions } => return Ok(renditions),
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

fn reference(remote: &Remote, id: &str, words: Words) -> Value {
    json!({
        "mediaSessionId": id,
        "name": remote.name().map(headwater_media::StreamName::as_str),
        "published": words.published,
        "hasVideo": true,
        "hasAudio": true,
        "status": "PENDING",
        "record": false,
    })
}

fn stream(remote: &Remote, id: &str, sdp: &str, words: Words) -> Value {
    let mut stream = reference(remote, id, words);
    if let Value::Object(fields) = &mut stream {
        fields.extend([
            ("mediaProvider".to_owned(), json!("WebRTC")),
            ("sdp".to_owned(), json!(sdp)),
            ("custom".to_owned(), custom(remote)),
            ("transport".to_owned(), json!(remote.transport().as_str())),
            ("cvoExtension".to_owned(), json!(true)),
            ("constraints".to_owned(), json!({ "audio": true, "video": true })),
        ]);
        for unchanged in ["width", "height", "bitrate", "minBitrate", "maxBitrate", "quality"] {
            fields.insert(unchanged.to_owned(), json!(0));
        }
    }
    stream
}
