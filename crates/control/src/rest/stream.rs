//! `/stream`: publishers and viewers, and events for them.

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use headwater_media::StreamName;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{Api, input::Input};
use crate::{
    error::ApiError,
    filter::Filter,
    sight::Sight,
    stream_object::{StreamObject, Subject, describe, metrics},
};

/// What viewers and publishers are told when a call ends them; the words that WCS uses.
const REASON: &str = "Stopped by rest /terminate";

/// All publishers and viewers.
#[utoipa::path(post, path = "/rest-api/stream/find_all", tag = "stream", responses(
    (status = 200, description = "All stream objects.", body = Vec<StreamObject>),
    (status = 404, description = "There is no stream."),
))]
pub(super) async fn find_all(State(api): State<Api>, sight: Sight) -> Result<Response, ApiError> {
    Ok(list(select(&api, sight, &Filter::default())?, false))
}

/// All publishers and viewers.
#[utoipa::path(get, path = "/rest-api/stream/find_all", tag = "stream", responses(
    (status = 200, description = "All stream objects.", body = Vec<StreamObject>),
    (status = 404, description = "There is no stream."),
))]
pub(super) async fn get_all(state: State<Api>, sight: Sight) -> Result<Response, ApiError> {
    find_all(state, sight).await
}

/// Publishers and viewers that fit a description.
#[utoipa::path(post, path = "/rest-api/stream/find", tag = "stream", request_body = Filter, responses(
    (status = 200, description = "The stream objects that fit.", body = Vec<StreamObject>),
    (status = 404, description = "Nothing fits."),
))]
pub(super) async fn find(
    State(api): State<Api>,
    sight: Sight,
    Input(filter): Input<Filter>,
) -> Result<Response, ApiError> {
    Ok(list(select(&api, sight, &filter)?, filter.with_metrics()))
}

/// Ends publishers and viewers that fit a description; an empty one means all.
#[utoipa::path(post, path = "/rest-api/stream/terminate", tag = "stream", request_body = Filter, responses(
    (status = 200, description = "The order is given."),
    (status = 404, description = "Nothing fits."),
))]
pub(super) async fn terminate(State(api): State<Api>, Input(filter): Input<Filter>) -> Result<StatusCode, ApiError> {
    for (object, subject) in select(&api, Sight::Full, &filter)? {
        tracing::info!(
            stream = object.name,
            session = object.session_id,
            media_type = object.media_type,
            "terminated by REST"
        );
        subject.terminate(REASON);
    }
    Ok(StatusCode::OK)
}

/// An event for all who publish or play a stream by the session protocol.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = StreamEvent)]
pub(super) struct StreamEvent {
    /// The stream.
    #[schema(example = "camera")]
    stream_name: String,
    /// What they are told, as it is.
    #[serde(default)]
    #[schema(value_type = Object)]
    payload: Value,
}

/// Tells the publisher and the viewers of a stream something: their pages get a stream event "data".
#[utoipa::path(post, path = "/rest-api/stream/event/send", tag = "stream", request_body = StreamEvent, responses(
    (status = 200, description = "It is sent to all who are connected by the session protocol."),
    (status = 404, description = "There is no such stream."),
))]
pub(super) async fn send_event(
    State(api): State<Api>,
    Input(event): Input<StreamEvent>,
) -> Result<StatusCode, ApiError> {
    let name = stream_name("streamName", &event.stream_name)?;
    if api.hub.find(&name).is_none() {
        return Err(ApiError::not_found(format!("There is no live stream {name}.")).in_field("streamName"));
    }
    api.clients.tell_stream(&name, event.payload);
    Ok(StatusCode::OK)
}

/// The checked name of a stream.
pub(super) fn stream_name(field: &'static str, text: &str) -> Result<StreamName, ApiError> {
    StreamName::new(text).map_err(|error| {
        ApiError::bad_request("bad_value", format!("{field} is not a stream name: {error}.")).in_field(field)
    })
}

fn select(api: &Api, sight: Sight, filter: &Filter) -> Result<Vec<(StreamObject, Subject)>, ApiError> {
    let mut streams = api.hub.streams();
    streams.sort_by(|a, b| a.name().cmp(b.name()));
    let mut all: Vec<_> = streams.iter().flat_map(|stream| describe(stream, &api.accounts)).collect();
    // Before the filter, which would tell of addresses by what it finds.
    for (object, _) in &mut all {
        object.remote_address = sight.show(object.remote_address.take());
    }
    let found = filter.select(all)?;
    if found.is_empty() {
        return Err(ApiError::not_found(format!("There is no stream and no viewer with {}.", filter.words())));
    }
    Ok(found)
}

fn list(found: Vec<(StreamObject, Subject)>, with_metrics: bool) -> Response {
    let objects = found.into_iter().map(|(mut object, _)| {
        object.metrics = with_metrics.then(|| metrics(&object));
        object
    });
    Json(objects.collect::<Vec<_>>()).into_response()
}
