//! Requests for what another node has are passed on to it.
//!
//! A load balancer that knows nothing of sessions spreads the requests of one client over all nodes. What one node
//! alone has, a session of WHIP or WHEP and what follows the first playlist of HLS, has an address that says which:
//!
//! ```text
//! /~MARK/camera/whep/ID      /~MARK/camera/_main.m3u8?viewer=ID
//! ```
//!
//! The node of this mark answers as if the mark were not there. Any other looks for it among the nodes that live, and
//! passes the request on with two fields: its proof to be a node, and the address of the client. It goes no further
//! from there. The address alone lets nobody in: the rest of it is as hard to guess as without a mark.
//!
//! Calls of the REST API are passed on as well, by a node alone: clients name the node to the API of any, which looks
//! at their credentials before it does so.

mod cookie;
mod link;
mod onward;
mod owners;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, Request, StatusCode, Uri, header, uri::PathAndQuery},
    response::{IntoResponse, Response},
};
use headwater_access::{SERVER_HEADER, Servers};
use headwater_cluster::{Cluster, NodeId};
use headwater_control::{Metric, Record, Source, is_call};
use headwater_graph::BoxFuture;
use headwater_media::limits;
use headwater_net::{Dialer, Quota};

use link::Client;
pub(crate) use owners::Owner;
use owners::Owners;

/// The field in which a node tells another whose request it passes on: an address with its port. It counts beside the
/// proof to be a node alone.
const CLIENT_HEADER: HeaderName = HeaderName::from_static("headwater-client");
const PREFIX: &str = "/~";

/// What one node of several needs to find the owner of a session. Cloning is cheap.
#[derive(Clone)]
pub(crate) struct Passing(Arc<Inner>);

struct Inner {
    cluster: Cluster,
    /// The mark of this node.
    mark: String,
    owners: Owners,
    client: Client,
    quota: Quota,
    counted: Counted,
}

/// How many requests took which way.
#[derive(Default)]
struct Counted {
    passed: AtomicU64,
    taken: AtomicU64,
    failed: AtomicU64,
    refused: AtomicU64,
}

/// Where a request belongs.
pub(crate) enum Way<B> {
    /// Here: this is to be answered, for a client of this address.
    Here(Request<B>, SocketAddr),
    /// To another node.
    There(Request<B>, Owner),
    /// Nowhere.
    Nowhere(Response),
}

/// Whether a path is that of something that one node alone has.
pub(crate) fn is_owned(path: &str) -> bool {
    path.starts_with(PREFIX)
}

/// The nodes, as gates know servers.
pub(super) struct Known {
    cluster: Cluster,
    home: String,
}

impl Known {
    pub(super) fn new(cluster: Cluster, node: &NodeId) -> Known {
        Known { home: format!("{PREFIX}{}", cluster.mark(node)), cluster }
    }
}

impl Servers for Known {
    fn recognise(&self, shown: &str) -> Option<String> {
        self.cluster.recognise(shown).map(|claim| claim.node.into())
    }

    fn home(&self) -> &str {
        &self.home
    }
}

impl Passing {
    pub(super) fn new(cluster: Cluster, node: &NodeId, dialer: Dialer) -> Passing {
        Passing(Arc::new(Inner {
            mark: cluster.mark(node),
            owners: Owners::new(cluster.clone()),
            cluster,
            client: link::client(dialer),
            quota: Quota::new(&limits::CLUSTER_PASSES, &limits::CLUSTER_PASSES_PER_ADDRESS),
            counted: Counted::default(),
        }))
    }

    /// Finds where a request belongs whose path [is owned](is_owned).
    pub(crate) fn find<B>(&self, mut request: Request<B>, remote: SocketAddr) -> Way<B> {
        let client = self.client_of(request.headers_mut());
        let way = match split(request.uri().path()) {
            Some((mark, rest)) if is_of_one_node(rest) || (client.is_some() && is_rest(rest)) => {
                if mark == self.0.mark {
                    let length = PREFIX.len() + mark.len();
                    self.here(request, length, client.unwrap_or(remote))
                } else if client.is_some() {
                    Err((StatusCode::MISDIRECTED_REQUEST, STRAY))
                } else {
                    self.there(request)
                }
            }
            _ => Err((StatusCode::NOT_FOUND, NOTHING)),
        };
        let counted = &self.0.counted;
        if matches!(way, Ok(Way::Here(..))) && client.is_some() {
            counted.taken.fetch_add(1, Relaxed);
        }
        way.unwrap_or_else(|(status, sentence)| {
            counted.refused.fetch_add(1, Relaxed);
            Way::Nowhere(refuse(status, sentence.to_owned()))
        })
    }

    /// The client of a request that another node has passed on; what says so goes no further.
    fn client_of(&self, headers: &mut HeaderMap) -> Option<SocketAddr> {
        let (client, proof) = (headers.remove(CLIENT_HEADER)?, headers.remove(SERVER_HEADER)?);
        self.0.cluster.recognise(proof.to_str().ok()?)?;
        client.to_str().ok()?.parse().ok()
    }

    fn here<B>(&self, mut request: Request<B>, mark: usize, client: SocketAddr) -> Result<Way<B>, Refusal> {
        *request.uri_mut() = without_mark(request.uri(), mark).ok_or((StatusCode::NOT_FOUND, NOTHING))?;
        Ok(Way::Here(request, client))
    }

    fn there<B>(&self, request: Request<B>) -> Result<Way<B>, Refusal> {
        let mark = split(request.uri().path()).map_or("", |(mark, _)| mark);
        let owner = self.0.owners.find(mark).ok_or((StatusCode::NOT_FOUND, GONE))?;
        Ok(Way::There(request, owner))
    }

    /// Has another node answer a call of the REST API; `None` of one that is not known or does not live.
    pub(super) fn call(
        &self,
        node: &NodeId,
        mut call: Request<Body>,
        client: SocketAddr,
    ) -> Option<BoxFuture<'static, Response>> {
        let mark = self.0.cluster.mark(node);
        let owner = self.0.owners.find(&mark)?;
        let path = call.uri().path_and_query()?.as_str();
        *call.uri_mut() = format!("{PREFIX}{mark}{path}").parse().ok()?;
        let passing = self.clone();
        Some(Box::pin(async move { passing.pass(call, owner, client).await }))
    }

    /// Answers a request by what its owner answers.
    pub(crate) async fn pass(&self, request: Request<Body>, owner: Owner, remote: SocketAddr) -> Response {
        let counted = &self.0.counted;
        let permit = match self.0.quota.admit(remote.ip()) {
            Ok(permit) => permit,
            Err(full) => {
                counted.refused.fetch_add(1, Relaxed);
                return refuse(StatusCode::SERVICE_UNAVAILABLE, format!("{full}; try again later"));
            }
        };
        let proof = self.0.cluster.token();
        match onward::ask(&self.0.client, request, &owner, remote, &proof).await {
            Ok(response) => {
                counted.passed.fetch_add(1, Relaxed);
                onward::hold(response, permit)
            }
            Err((status, error)) => {
                counted.failed.fetch_add(1, Relaxed);
                tracing::debug!(%remote, node = %owner.node, error, "a request could not be passed on");
                refuse(status, format!("{error}; try again, or begin anew"))
            }
        }
    }
}

type Refusal = (StatusCode, &'static str);

const NOTHING: &str = "there is nothing here: only sessions, and what a playlist leads to, have addresses with a mark";
const GONE: &str = "the server that had this is gone: begin anew, with an offer or with the first playlist";
const STRAY: &str =
    "this was passed on to the wrong server: what [cluster] calls `media` leads to another than this one";

fn refuse(status: StatusCode, sentence: String) -> Response {
    let mut response = (status, sentence).into_response();
    let headers = response.headers_mut();
    let of = axum::http::HeaderValue::from_static;
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, of("*"));
    headers.insert(header::CACHE_CONTROL, of("no-store"));
    if status.is_server_error() {
        headers.insert(header::RETRY_AFTER, of("2"));
    }
    response
}

/// The mark and the path behind it.
fn split(path: &str) -> Option<(&str, &str)> {
    let path = path.strip_prefix(PREFIX)?;
    path.find('/').and_then(|slash| path.split_at_checked(slash))
}

/// Whether one node alone can answer: all else has an address without a mark.
fn is_of_one_node(path: &str) -> bool {
    headwater_signalling::is_session(path) || headwater_hls::is_in_stream(path) || headwater_hls::is_dash(path)
}

/// Whether it is a call of the REST API, which nodes alone may pass on.
fn is_rest(path: &str) -> bool {
    path.starts_with("/rest-api/") && is_call(path)
}

fn without_mark(uri: &Uri, length: usize) -> Option<Uri> {
    let rest: PathAndQuery = uri.path_and_query()?.as_str().get(length..)?.parse().ok()?;
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(rest);
    Uri::from_parts(parts).ok()
}

/// What is counted of it.
pub(super) struct PassSource(pub(super) Passing);

impl Source for PassSource {
    fn metrics(&self) -> Vec<Metric> {
        let what = "Requests for what one node alone has, asked for at another: passed on, taken from another, failed on \
                    the way, refused.";
        vec![Metric::counter("cluster_passes", what).by("way")]
    }

    fn read(&self, record: &mut Record<'_>) {
        let Counted { passed, taken, failed, refused } = &self.0.0.counted;
        for (way, count) in [("passed", passed), ("taken", taken), ("failed", failed), ("refused", refused)] {
            record("cluster_passes", way, count.load(Relaxed) as f64);
        }
    }
}

#[cfg(test)]
mod tests;
