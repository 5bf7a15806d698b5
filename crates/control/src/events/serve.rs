//! `GET /rest-api/events`: server-sent events.

use std::time::Duration;

use axum::{
    extract::{Query, State, rejection::QueryRejection},
    http::{HeaderMap, StatusCode},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::stream::unfold;
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    ServerEvent,
    journal::{Entry, Reader},
};
use crate::{error::ApiError, rest::Api, sight::Sight};

/// How often a comment is sent where nothing happens, so that proxies and readers know that the connection lives.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Which events are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// The types of events that are wanted, with commas between them; without it, all.
    #[param(example = "published,unpublished")]
    types: Option<String>,
}

/// What happens on this server, as it happens: server-sent events, each a JSON object with `time` and `type`.
///
/// A reader that comes back with the header `Last-Event-ID`, as browsers do by themselves, gets what it has missed as
/// far as it is kept, and an event of type `lost` for the rest.
#[utoipa::path(get, path = "/rest-api/events", tag = "events", params(Wanted,
    ("Last-Event-ID" = Option<String>, Header, description = "The id of the last event that was read."),
), responses(
    (status = 200, description = "Events without end.", content_type = "text/event-stream", body = ServerEvent),
    (status = 503, description = "There are as many readers as may be."),
))]
pub(crate) async fn events(
    State(api): State<Api>,
    sight: Sight,
    wanted: Result<Query<Wanted>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let Query(wanted) = wanted.map_err(ApiError::bad_query)?;
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let Some(reader) = api.journal.read(last) else {
        let message = "There are as many readers of events as `events_readers` in [limits] allows.";
        return Err(ApiError::with_status(StatusCode::SERVICE_UNAVAILABLE, "too_many", message));
    };
    let stream = unfold((reader, wanted), move |(mut reader, wanted)| async move {
        let entry = next(&mut reader, &wanted).await?;
        let json = if sight == Sight::Full { entry.json } else { entry.anonymous };
        let event = Event::default().id(entry.id).data(json);
        Some((Ok::<_, std::convert::Infallible>(event), (reader, wanted)))
    });
    // Proxies of the nginx family would hold events back otherwise.
    let unbuffered = [("x-accel-buffering", "no")];
    Ok((unbuffered, Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))).into_response())
}

/// The next event of a type that is wanted. What was lost is of every type.
async fn next(reader: &mut Reader, wanted: &Wanted) -> Option<Entry> {
    loop {
        let entry = reader.next().await?;
        let is_wanted = |types: &str| types.split(',').any(|name| name.trim() == entry.name);
        if entry.name == "lost" || wanted.types.as_deref().is_none_or(is_wanted) {
            return Some(entry);
        }
    }
}
