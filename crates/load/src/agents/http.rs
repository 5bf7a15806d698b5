//! Requests of HTTP: an offer goes out, an answer comes back, and the session is deleted at the end.
//!
//! An offer is sent on to where a server leads it (RFC 9725 §4.5), if agents may go there.

use std::net::IpAddr;

use bytes::Bytes;
use headwater_media::limits;
use headwater_net::answer_over;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::time::timeout;
use url::Url;

use crate::{Failure, failure::Reason, plan::Target, worker::Worker};

/// How often an offer is sent on to another server.
const REDIRECTIONS_MAX: usize = 3;
const SDP: &str = "application/sdp";

/// What a server has answered to an offer.
pub(super) struct Answered {
    /// The answer.
    pub(super) sdp: String,
    /// Where the session is deleted, if that is at the same server.
    pub(super) place: Option<Url>,
    /// Who answered.
    pub(super) peer: IpAddr,
}

/// Posts an offer.
///
/// # Errors
/// There is no answer, or it refuses.
pub(super) async fn offer(worker: &Worker, target: &Target, sdp: &str) -> Result<Answered, Failure> {
    let mut url = target.url.clone();
    for _ in 0..=REDIRECTIONS_MAX {
        let Reply { body, location, peer, is_elsewhere } = ask(worker, target, &url, Method::POST, sdp).await?;
        let place = location.and_then(|location| url.join(&location).ok());
        match place {
            Some(place) if is_elsewhere => url = place,
            place => {
                let place = place.filter(|place| place.origin() == url.origin());
                return Ok(Answered { sdp: body, place, peer });
            }
        }
    }
    Err(Failure::new(Reason::Refused, "it is sent from server to server"))
}

/// Deletes a session. Whether that works is not asked: the server may be gone.
pub(super) async fn delete(worker: &Worker, target: &Target, place: &Url) {
    if let Err(error) = ask(worker, target, place, Method::DELETE, "").await {
        tracing::debug!(%error, "a session could not be deleted");
    }
}

/// What a server has answered.
pub(super) struct Reply {
    pub(super) body: String,
    location: Option<String>,
    peer: IpAddr,
    /// Whether the same is to be asked of the server that `location` leads to.
    is_elsewhere: bool,
}

/// Asks a server, and waits for a bounded time.
///
/// # Errors
/// There is no answer, or it refuses.
pub(super) async fn ask(
    worker: &Worker,
    target: &Target,
    url: &Url,
    method: Method,
    body: &str,
) -> Result<Reply, Failure> {
    let time = limits::LOAD_SETUP_MS.get_duration();
    timeout(time, exchange(worker, target, url, method, body)).await.unwrap_or_else(|_| {
        Err(Failure::new(Reason::NoAnswer, format!("the server has not answered a request within {time:?}")))
    })
}

async fn exchange(worker: &Worker, target: &Target, url: &Url, method: Method, body: &str) -> Result<Reply, Failure> {
    let (host, port) = place(url);
    let io = worker.dialer.dial(host, port, is_secure(url)).await?;
    let peer = headwater_net::peer_of(&io).map_err(|error| Failure::new(Reason::Lost, error))?.ip();
    let wrong =
        |error: hyper::Error| Failure::new(Reason::Protocol, format!("the server does not speak HTTP: {error}"));
    let (mut sender, connection) = http1::handshake(TokioIo::new(io)).await.map_err(wrong)?;
    let method_is_post = method == Method::POST;
    let request = request(target, url, method, body)?;
    let exchange = async {
        let (head, body) = sender.send_request(request).await.map_err(wrong)?.into_parts();
        let body = Limited::new(body, limits::SDP_BYTES.get_usize()).collect().await;
        let body = body.map(|body| String::from_utf8_lossy(&body.to_bytes()).into_owned());
        let moved = [StatusCode::TEMPORARY_REDIRECT, StatusCode::PERMANENT_REDIRECT];
        let location = head.headers.get(header::LOCATION).and_then(|location| location.to_str().ok());
        let is_elsewhere = method_is_post && location.is_some() && moved.contains(&head.status);
        if !head.status.is_success() && !is_elsewhere {
            return Err(refusal(head.status, &body.unwrap_or_default(), target));
        }
        let body = body.map_err(|error| Failure::new(Reason::Protocol, format!("the answer breaks off: {error}")))?;
        Ok(Reply { body, location: location.map(str::to_owned), peer, is_elsewhere })
    };
    answer_over(connection, exchange).await
}

/// The host of a URL of HTTP, and the port that is connected to.
fn place(url: &Url) -> (&str, u16) {
    (url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or(80))
}

fn is_secure(url: &Url) -> bool {
    url.scheme() == "https"
}

pub(super) fn refusal(status: StatusCode, words: &str, target: &Target) -> Failure {
    let reason = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Reason::Denied,
        StatusCode::NOT_FOUND => Reason::NoStream,
        _ => Reason::Refused,
    };
    Failure::new(reason, target.hide(&format!("{status}: {words}")))
}

fn request(target: &Target, url: &Url, method: Method, body: &str) -> Result<Request<Full<Bytes>>, Failure> {
    let (host, port) = place(url);
    let path = match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    };
    let mut request = Request::builder().method(method).uri(path);
    request = request.header(header::HOST, format!("{host}:{port}"));
    request = request.header(header::USER_AGENT, "Headwater load agent").header(header::ACCEPT, SDP);
    if !body.is_empty() {
        request = request.header(header::CONTENT_TYPE, SDP);
    }
    if let Some(token) = target.token() {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    request.body(Full::new(Bytes::copy_from_slice(body.as_bytes()))).map_err(Failure::generator)
}
