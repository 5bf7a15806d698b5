//! Keeps web pages of other sites away from a server on the visitor's own machine.
//!
//! A page of `evil.example` can point its own name at 127.0.0.1 and then reach whatever listens there as if it
//! were its own site (DNS rebinding), or send a form to it (cross-site request forgery). Browsers tell on both: the
//! `Host` header holds the name of the page's site, the `Origin` header the site itself.

use std::{net::IpAddr, net::SocketAddr, sync::Arc};

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode, Uri, header, uri::Authority},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};

use parking_lot::RwLock;

use crate::error::ApiError;

/// The address of this end of the connection that a request came by; the web server puts it into each request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalAddress(pub SocketAddr);

/// Names of this server besides those that it has by itself. Clones share them, and they may be others later.
#[derive(Clone, Debug, Default)]
pub struct Hosts(Arc<RwLock<Arc<[String]>>>);

impl Hosts {
    /// These names.
    pub fn new(names: &[String]) -> Hosts {
        let hosts = Hosts::default();
        hosts.replace(names);
        hosts
    }

    /// Others take their place for requests that come from now on.
    pub fn replace(&self, names: &[String]) {
        *self.0.write() = names.into();
    }

    /// What to answer to a request under a name that this server does not have; nothing where it may pass.
    ///
    /// `local` is the address of this end of its connection.
    pub fn refuse(&self, uri: &Uri, headers: &HeaderMap, local: Option<IpAddr>) -> Option<Response> {
        let hosts = self.0.read().clone();
        match requested_authority(uri, headers) {
            Ok(None) => None,
            Ok(Some(host)) if is_allowed_host(host.host(), local, &hosts) => None,
            Ok(Some(host)) => Some(unknown_host(host.host())),
            Err(()) => Some(ApiError::bad_request("bad_host", "The Host header is not readable.").into_response()),
        }
    }
}

/// Refuses requests that came over loopback under a host name that is neither loopback's nor one of `hosts`.
///
/// Where `hosts` are given, they and addresses are the only names on every other interface, too.
pub fn guard_host(router: Router, hosts: Hosts) -> Router {
    router.layer(middleware::from_fn_with_state(hosts, check_host))
}

async fn check_host(State(hosts): State<Hosts>, request: Request, next: Next) -> Response {
    let local = request.extensions().get::<LocalAddress>().map(|local| local.0.ip());
    match hosts.refuse(request.uri(), request.headers(), local) {
        Some(refused) => refused,
        None => next.run(request).await,
    }
}

fn unknown_host(host: &str) -> Response {
    let message = format!(
        "This server is not known as {:?}. If it should be, add that name to `hosts` below [http] in its configuration.",
        host.chars().take(255).collect::<String>()
    );
    ApiError::with_status(StatusCode::MISDIRECTED_REQUEST, "unknown_host", message).into_response()
}

/// The host that the client believes to talk to. Browsers always say it, so a request without it is none of theirs.
fn requested_authority(uri: &Uri, headers: &HeaderMap) -> Result<Option<Authority>, ()> {
    if let Some(authority) = uri.authority() {
        return Ok(Some(authority.clone()));
    }
    let Some(host) = headers.get(header::HOST) else {
        return Ok(None);
    };
    let host = host.to_str().map_err(|_| ())?;
    if host.is_empty() {
        return Ok(None);
    }
    host.parse().map(Some).map_err(|_| ())
}

fn is_allowed_host(host: &str, local: Option<IpAddr>, hosts: &[String]) -> bool {
    if hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(host)) || is_localhost(host) {
        return true;
    }
    let address: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
    let over_loopback = local.is_some_and(|local| local.is_loopback());
    match address {
        // An address cannot be rebound, but over loopback only loopback's own is one that somebody typed.
        Some(address) => !over_loopback || address.is_loopback(),
        None => !over_loopback && hosts.is_empty(),
    }
}

fn is_localhost(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    host == "localhost" || host.ends_with(".localhost")
}

/// Refuses calls that change something when a page of another site sends them.
pub(crate) async fn check_origin(request: Request, next: Next) -> Response {
    if request.method() == Method::GET || request.method() == Method::HEAD || is_same_origin(&request) {
        return next.run(request).await;
    }
    let message = "A page of another site must not use this API.";
    ApiError::with_status(StatusCode::FORBIDDEN, "foreign_origin", message).into_response()
}

fn is_same_origin(request: &Request) -> bool {
    let fetch_site = request.headers().get("sec-fetch-site").map(|value| value.as_bytes());
    if fetch_site.is_some_and(|site| site != b"same-origin" && site != b"none") {
        return false;
    }
    let Some(origin) = request.headers().get(header::ORIGIN) else {
        return true;
    };
    let Ok(Some(host)) = requested_authority(request.uri(), request.headers()) else {
        return false;
    };
    let origin = origin.to_str().ok().and_then(|origin| origin.parse::<Uri>().ok());
    origin.and_then(|origin| origin.into_parts().authority) == Some(host)
}

#[cfg(test)]
mod tests;
