//! What is read of a request.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::{
    body::{self, Body},
    extract::{ConnectInfo, Request},
};
use headwater_graph::Peer;
use headwater_media::limits;
use headwater_webrtc::{Offer, OfferError};
use http::{HeaderMap, StatusCode, header};

use crate::{entrance::Entrance, reply::Refusal};

/// Where a request comes from, if from a network.
pub(crate) fn remote(request: &Request) -> Option<SocketAddr> {
    request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0)
}

/// The address that sessions are counted for.
pub(crate) fn address(remote: Option<SocketAddr>) -> IpAddr {
    remote.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |remote| remote.ip())
}

/// The token of `Authorization: Bearer` (RFC 6750 §2.1), if there is one.
///
/// Whether it permits what is asked for is not decided here; the same token has to come with what is asked of the
/// session later.
pub(crate) fn bearer(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    let Some(value) = headers.get(header::AUTHORIZATION) else { return Ok(None) };
    let (scheme, token) = value.to_str().unwrap_or_default().split_once(' ').unwrap_or_default();
    let token = token.trim();
    if !scheme.eq_ignore_ascii_case("bearer") {
        // Another scheme is for something between the peer and this server.
        return Ok(None);
    }
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    if token.is_empty() || token.len() > TOKEN_BYTES_MAX || !token.bytes().all(is_token) {
        let sentence = "the bearer token is empty, too long, or has characters that no token has (RFC 6750)";
        return Err(Refusal::new(StatusCode::UNAUTHORIZED, sentence));
    }
    Ok(Some(token.to_owned()))
}

/// The longest bearer token: what fits into a request's head with room to spare.
const TOKEN_BYTES_MAX: usize = 8_192;

/// Reads an offer.
pub(crate) fn offer(body: &str) -> Result<Offer, Refusal> {
    Offer::parse(body).map_err(refuse_offer)
}

pub(crate) fn refuse_offer(error: OfferError) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, error.to_string())
}

/// Who asks, as the API and the logs name it.
pub(crate) fn peer(remote: Option<SocketAddr>, headers: &HeaderMap, entrance: &Entrance) -> Peer {
    // Another id than that in the session's address, which is a secret between server and viewer.
    let peer = Peer::new("WebRTC", format!("{:016x}", rand::random::<u64>()));
    let peer = match remote {
        Some(remote) => peer.with_remote(remote),
        None => peer,
    };
    let mut peer = match headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()) {
        Some(user_agent) => peer.with_user_agent(user_agent),
        None => peer,
    };
    peer.server = entrance.recognise(headers);
    peer
}

/// The head and the body of a request, as text.
pub(crate) async fn read(request: Request) -> Result<(HeaderMap, String), Refusal> {
    let (parts, content) = request.into_parts();
    let limit = limits::SDP_BYTES.get_usize();
    let too_large = || {
        limits::SDP_BYTES.hit();
        let sentence = format!("the body has more than {limit} bytes, which no session description needs");
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, sentence)
    };
    if announced(&parts.headers).is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    let bytes = read_body(content, limit).await.ok_or_else(too_large)?;
    let not_text = |_| Refusal::new(StatusCode::BAD_REQUEST, "the body is not text in UTF-8");
    Ok((parts.headers, String::from_utf8(bytes).map_err(not_text)?))
}

fn announced(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

async fn read_body(content: Body, limit: usize) -> Option<Vec<u8>> {
    body::to_bytes(content, limit).await.ok().map(Into::into)
}
