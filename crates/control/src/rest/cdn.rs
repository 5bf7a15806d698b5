//! `/cdn`: the servers that work together with this one.

pub(super) mod access;
pub(super) mod drain;

use std::collections::BTreeMap;

use axum::{Json, extract::State, http::StatusCode};
use headwater_media::StreamName;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Api,
    input::{Input, shorten},
};
use crate::{
    cdn::{Cdn, HopObject, NodeObject, NotRemoved},
    error::ApiError,
};

/// One node.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = CdnNodeReference)]
pub(super) struct One {
    /// Its name, as `show_nodes` tells it.
    node_id: String,
}

/// One stream.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = CdnStreamReference)]
pub(super) struct Named {
    /// Its name.
    stream_name: String,
}

impl Named {
    fn name(&self) -> Result<StreamName, ApiError> {
        StreamName::new(&self.stream_name)
            .map_err(|error| ApiError::bad_request("bad_field", format!("{error}.")).in_field("streamName"))
    }
}

fn cdn(api: &Api) -> Result<&dyn Cdn, ApiError> {
    let alone = || {
        let message = "This server is not one of several; set `enabled` below [cluster] in its configuration.";
        ApiError::not_found(message)
    };
    api.cdn.as_deref().ok_or_else(alone)
}

/// All nodes of the network but this one.
#[utoipa::path(post, path = "/rest-api/cdn/show_nodes", tag = "cdn", responses(
    (status = 200, description = "The nodes.", body = Vec<NodeObject>),
    (status = 404, description = "This server works alone."),
))]
pub(super) async fn show_nodes(State(api): State<Api>) -> Result<Json<Vec<NodeObject>>, ApiError> {
    Ok(Json(cdn(&api)?.nodes()))
}

/// The streams that this server fetches from other nodes now, each with the node that it comes from.
#[utoipa::path(post, path = "/rest-api/cdn/show_routes", tag = "cdn", responses(
    (status = 200, description = "Names of streams by \"NUMBER-NODE-NUMBER\".", body = BTreeMap<String, String>),
    (status = 404, description = "This server works alone."),
))]
pub(super) async fn show_routes(State(api): State<Api>) -> Result<Json<BTreeMap<String, String>>, ApiError> {
    let hops = cdn(&api)?.hops().into_iter().zip(1_u64..);
    Ok(Json(hops.map(|(hop, number)| (format!("{number}-{}-{number}", hop.from), hop.stream.to_string())).collect()))
}

/// The nodes that a stream can be fetched from, the best first.
#[utoipa::path(post, path = "/rest-api/cdn/stream/show_stream_routes", tag = "cdn", request_body = Named, responses(
    (status = 200, description = "Its media by \"NUMBER-STREAM-NODE\".", body = BTreeMap<String, Vec<String>>),
    (status = 404, description = "No node has the stream, or this server works alone."),
))]
pub(super) async fn show_stream_routes(
    State(api): State<Api>,
    Input(named): Input<Named>,
) -> Result<Json<BTreeMap<String, Vec<String>>>, ApiError> {
    let name = named.name()?;
    let found = cdn(&api)?.locate(&name);
    if found.is_empty() {
        return Err(unknown_stream(&name));
    }
    let tracks = api.hub.find(&name).map(|stream| stream.tracks().to_vec()).unwrap_or_default();
    let codecs = tracks.iter().filter_map(|track| track.native().parameters()).map(|known| known.codec.to_string());
    let codecs: Vec<_> = codecs.collect();
    let routes = found.into_iter().zip(1_u64..);
    Ok(Json(routes.map(|(node, number)| (format!("{number}-STREAM-{node}"), codecs.clone())).collect()))
}

/// A stream whose way is asked for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = CdnTraceRequest)]
pub(super) struct Traced {
    #[serde(flatten)]
    #[schema(inline)]
    of: Named,
    /// Whether to say how the stream comes from each node to the next.
    #[serde(default)]
    figures: bool,
}

/// The way of a stream.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = CdnTrace)]
pub(super) enum Trace {
    /// Each node as "NODE(ROLE)".
    Names(Vec<String>),
    /// Each node with how the stream comes to it from the next, where that was asked for.
    Hops(Vec<HopObject>),
}

/// The way of a stream to this server, from here to where it is published. With `figures`, it is said of each node how
/// the stream comes to it from the next: this server measures its own hop, the others tell of theirs every few seconds.
#[utoipa::path(post, path = "/rest-api/cdn/stream/trace_route", tag = "cdn", request_body = Traced, responses(
    (status = 200, description = "The nodes on its way.", body = Trace),
    (status = 404, description = "The stream is not on this server, or this server works alone."),
))]
pub(super) async fn trace_route(State(api): State<Api>, Input(traced): Input<Traced>) -> Result<Json<Trace>, ApiError> {
    let (cdn, name) = (cdn(&api)?, traced.of.name()?);
    if api.hub.find(&name).is_none() {
        return Err(unknown_stream(&name));
    }
    let way = cdn.trace(&name);
    Ok(Json(match traced.figures {
        true => Trace::Hops(way),
        false => Trace::Names(way.into_iter().map(|hop| format!("{}({})", hop.node, hop.role)).collect()),
    }))
}

/// Forgets a node that is gone. One that comes back is taken back.
#[utoipa::path(post, path = "/rest-api/cdn/remove_node", tag = "cdn", request_body = One, responses(
    (status = 200, description = "It is forgotten."),
    (status = 400, description = "It is active."),
    (status = 404, description = "There is no such node, or this server works alone."),
))]
pub(super) async fn remove_node(State(api): State<Api>, Input(one): Input<One>) -> Result<StatusCode, ApiError> {
    match cdn(&api)?.remove(&one.node_id) {
        Ok(()) => {
            tracing::info!(node = one.node_id, "a node is removed by REST");
            Ok(StatusCode::OK)
        }
        Err(NotRemoved::Active) => {
            Err(ApiError::bad_request("active_node", "Active node can't be removed.").in_field("nodeId"))
        }
        Err(NotRemoved::Unknown) => {
            let message = format!("There is no node {:?}.", shorten(&one.node_id));
            Err(ApiError::not_found(message).in_field("nodeId"))
        }
    }
}

fn unknown_stream(name: &StreamName) -> ApiError {
    ApiError::not_found(format!("There is no stream {name}.")).in_field("streamName")
}
