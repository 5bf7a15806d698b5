//! One request on its way to its owner, and the answer on its way back.

use std::{error::Error, net::SocketAddr};

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, Uri, header, request, uri::Scheme},
    response::Response,
};
use headwater_access::SERVER_HEADER;
use headwater_media::limits;
use headwater_net::Permit;
use http_body_util::{BodyExt, Full, Limited};
use tokio::time::timeout;
use tower_http::timeout::TimeoutBody;

use super::{CLIENT_HEADER, link::Client, owners::Owner};

/// Fields that are of one connection only (RFC 9110 §7.6.1), and that the client library writes itself.
const OF_ONE_HOP: [HeaderName; 9] = [
    header::CONNECTION,
    header::TRANSFER_ENCODING,
    header::TE,
    header::TRAILER,
    header::UPGRADE,
    header::EXPECT,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    HeaderName::from_static("keep-alive"),
];

/// Asks the owner.
///
/// # Errors
/// The status and the reason why there is no answer.
pub(super) async fn ask(
    client: &Client,
    request: Request<Body>,
    owner: &Owner,
    remote: SocketAddr,
    proof: &str,
) -> Result<Response, (StatusCode, String)> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, limits::HTTP_BODY_BYTES.get_usize()).collect().await;
    let body = body.map_err(|error| (StatusCode::BAD_REQUEST, format!("the request cannot be read: {error}")))?;
    let request = readdress(head, owner, remote, proof).map(|request| request.map(|()| Full::new(body.to_bytes())));
    let request = request.map_err(|error| (StatusCode::BAD_REQUEST, error.to_string()))?;
    let time = limits::CLUSTER_PASS_MS.get_duration();
    let answered = timeout(time, client.request(request)).await.map_err(|_| {
        limits::CLUSTER_PASS_MS.hit();
        (StatusCode::GATEWAY_TIMEOUT, format!("the server that has this has not answered within {time:?}"))
    })?;
    let mut response = answered.map_err(|error| {
        let reason = error.source().map_or_else(|| error.to_string(), ToString::to_string);
        (StatusCode::BAD_GATEWAY, format!("the server that has this cannot be reached: {reason}"))
    })?;
    remove_hop(response.headers_mut());
    let time = limits::HTTP_BODY_MS.get_duration();
    Ok(response.map(|body| Body::new(TimeoutBody::new(time, body))))
}

/// The same request to its owner, by this server and for that client.
fn readdress(
    head: request::Parts,
    owner: &Owner,
    remote: SocketAddr,
    proof: &str,
) -> Result<Request<()>, axum::http::Error> {
    let scheme = if owner.is_secure { Scheme::HTTPS } else { Scheme::HTTP };
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    let uri = Uri::builder().scheme(scheme).authority(owner.authority.clone()).path_and_query(path).build()?;
    let mut headers = head.headers;
    remove_hop(&mut headers);
    // The library writes both anew.
    headers.remove(header::HOST);
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(SERVER_HEADER, HeaderValue::from_str(proof)?);
    headers.insert(CLIENT_HEADER, HeaderValue::from_str(&remote.to_string())?);
    let mut request = Request::builder().method(head.method).uri(uri).body(())?;
    *request.headers_mut() = headers;
    Ok(request)
}

fn remove_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.iter().chain(&OF_ONE_HOP) {
        headers.remove(name);
    }
}

/// Counts a request until its answer has been sent.
pub(super) fn hold(response: Response, permit: Permit) -> Response {
    response.map(|body| {
        Body::new(body.map_frame(move |frame| {
            let _ = &permit;
            frame
        }))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_on_is_the_request_without_what_is_of_one_hop_or_forged() {
        let request = Request::builder()
            .method("PATCH")
            .uri("/~0a1b2c3d4e5f/cam/whip/1?token=a")
            .header("host", "media.example")
            .header("connection", "close, x-secret")
            .header("x-secret", "1")
            .header("keep-alive", "1")
            .header("content-length", "7")
            .header("headwater-server", "forged")
            .header("headwater-client", "192.0.2.66:1")
            .header("authorization", "Bearer a")
            .header("if-match", "\"1\"")
            .body(())
            .unwrap();
        let owner = Owner {
            node: headwater_cluster::NodeId::new("origin-1").unwrap(),
            authority: "eu1.example:8443".parse().unwrap(),
            is_secure: true,
        };
        let remote = "[2001:db8::1]:7".parse().unwrap();
        let sent = readdress(request.into_parts().0, &owner, remote, "proof").unwrap();
        assert_eq!(sent.uri(), "https://eu1.example:8443/~0a1b2c3d4e5f/cam/whip/1?token=a");
        assert_eq!(sent.method(), "PATCH");
        let mut fields: Vec<_> =
            sent.headers().iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        fields.sort();
        let expected = [
            "authorization: Bearer a",
            "headwater-client: [2001:db8::1]:7",
            "headwater-server: proof",
            "if-match: \"1\"",
        ];
        assert_eq!(fields, expected);
    }
}
