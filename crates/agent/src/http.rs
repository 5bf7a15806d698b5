//! WHEP and WHIP: an offer is posted, the answer comes back, and the session is deleted at the end.
//!
//! Redirections are not followed: they could lead elsewhere than the operator has said.
//!
//! Source: draft-ietf-wish-whep-03 §4, RFC 9725 §4.

use std::net::IpAddr;

use bytes::Bytes;
use headwater_media::limits;
use headwater_net::answer_over;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::{Agent, AgentError, Purpose, Remote, Renditions, over, tell_flow};

const PROTOCOL: &str = "WHEP or WHIP";
const SDP: &str = "application/sdp";
/// What is read of an answer that refuses.
const REFUSAL_BYTES_MAX: usize = 4 << 10;

pub(crate) async fn run(
    agent: &Agent,
    remote: &Remote,
    purpose: Purpose<'_>,
    stop: &CancellationToken,
) -> Result<(), AgentError> {
    let (told, mut lost) = (purpose.told(), purpose.lost());
    let begin = async {
        let proposal = purpose.propose(&agent.webrtc, Renditions::default(), &[])?;
        let answered = ask(agent, remote, remote.url(), Method::POST, proposal.sdp().as_bytes()).await?;
        let place = answered.location.as_deref().and_then(|location| remote.url().join(location).ok());
        let shown = place.as_ref().map_or("", |place| place.path());
        let session = agent.begin(remote, proposal, &answered.body, purpose, (answered.peer, shown)).await;
        Ok::<_, AgentError>((session, place))
    };
    let (session, place) = tokio::select! {
        () = stop.cancelled() => return Ok(()),
        reason = &mut lost => return Err(AgentError::Lost(reason)),
        begun = begin => begun?,
    };
    let ended = match session {
        Err(error) => Err(error),
        Ok(session) => {
            let ended = tokio::select! {
                () = stop.cancelled() => Ok(()),
                ended = session.ended() => Err(over(ended)),
                reason = lost => Err(AgentError::Lost(reason)),
                never = tell_flow(&session, told) => match never {},
            };
            match &ended {
                Ok(()) => session.end().await,
                Err(_) => session.abandon().await,
            }
            session.ended().await;
            ended
        }
    };
    // The other server learns at once that nobody receives any more. It may be gone, or know it already.
    if let Some(place) = place.filter(|place| place.origin() == remote.url().origin())
        && let Err(error) = ask(agent, remote, &place, Method::DELETE, b"").await
    {
        tracing::debug!(%error, "a session of another server could not be deleted");
    }
    ended
}

struct Answered {
    body: String,
    location: Option<String>,
    peer: IpAddr,
}

async fn ask(agent: &Agent, remote: &Remote, url: &Url, method: Method, body: &[u8]) -> Result<Answered, AgentError> {
    let limit = limits::AGENT_ANSWER_MS.get_duration();
    timeout(limit, exchange(agent, remote, url, method, body)).await.map_err(|_| {
        limits::AGENT_ANSWER_MS.hit();
        AgentError::TimedOut("the request for the stream")
    })?
}

async fn exchange(
    agent: &Agent,
    remote: &Remote,
    url: &Url,
    method: Method,
    body: &[u8],
) -> Result<Answered, AgentError> {
    let io = agent.dialer.dial(remote.host(), remote.port(), remote.is_secure()).await?;
    let peer = headwater_net::peer_of(&io).map_err(|error| AgentError::Lost(error.to_string()))?.ip();
    let wrong = |error: hyper::Error| AgentError::protocol(PROTOCOL, error);
    let (mut sender, connection) = http1::handshake(TokioIo::new(io)).await.map_err(wrong)?;
    let request = request(remote, url, method, body)?;
    let exchange = async {
        let response = sender.send_request(request).await.map_err(wrong)?;
        let (head, body) = response.into_parts();
        let is_taken = head.status == StatusCode::CREATED || head.status == StatusCode::OK;
        let bytes = if is_taken { limits::SDP_BYTES.get_usize() } else { REFUSAL_BYTES_MAX };
        let body = Limited::new(body, bytes).collect().await;
        let body = body.map(|body| String::from_utf8_lossy(&body.to_bytes()).into_owned());
        if !is_taken {
            let words = format!("{}: {}", head.status, body.unwrap_or_default());
            let words = remote.hide(&words);
            return Err(match head.status {
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => AgentError::denied(&words),
                _ => AgentError::refused(&words),
            });
        }
        let location = head.headers.get(header::LOCATION).and_then(|location| location.to_str().ok());
        let body = body.map_err(|error| AgentError::protocol(PROTOCOL, error))?;
        Ok(Answered { body, location: location.map(str::to_owned), peer })
    };
    answer_over(connection, exchange).await
}

/// A token in the query is the bearer's (RFC 6750), as well as part of the URL.
fn request(remote: &Remote, url: &Url, method: Method, body: &[u8]) -> Result<Request<Full<Bytes>>, AgentError> {
    let target = match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    };
    let mut request = Request::builder().method(method).uri(target);
    request = request.header(header::HOST, format!("{}:{}", remote.host(), remote.port()));
    request = request.header(header::USER_AGENT, "Headwater").header(header::ACCEPT, SDP);
    if !body.is_empty() {
        request = request.header(header::CONTENT_TYPE, SDP);
    }
    if let Some((_, token)) = remote.url().query_pairs().find(|(key, _)| key == "token") {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    let body = Full::new(Bytes::copy_from_slice(body));
    request.body(body).map_err(|error| AgentError::protocol(PROTOCOL, error))
}
