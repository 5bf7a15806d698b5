//! `/cdn/stream/access_list`: the keys without which nobody watches a stream.

use axum::{Json, extract::State, http::StatusCode};
use headwater_media::StreamName;
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::{Api, input::Input, sentence};
use crate::{
    access_lists::{AccessListing, KeyChange, NoKeys},
    error::ApiError,
};

/// A stream and keys of it.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = AccessListChange)]
#[serde(deny_unknown_fields)]
pub(in crate::rest) struct Changed {
    /// Its name.
    name: String,
    /// The keys: texts that viewers bring as a parameter, or in `custom`.
    keys: Vec<String>,
}

/// A stream.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = AccessListReference)]
#[serde(deny_unknown_fields)]
pub(in crate::rest) struct Named {
    /// Its name.
    name: String,
}

fn stream(name: &str) -> Result<StreamName, ApiError> {
    StreamName::new(name).map_err(|error| ApiError::bad_request("bad_value", format!("{error}.")).in_field("name"))
}

fn lists(api: &Api) -> Result<&dyn AccessListing, ApiError> {
    api.access_lists.as_deref().ok_or_else(|| ApiError::not_implemented("This server has no access lists."))
}

fn refusal(error: NoKeys) -> ApiError {
    let message = sentence(&error.to_string());
    match error {
        NoKeys::BadKeys(_) => ApiError::bad_request("bad_value", message).in_field("keys"),
        _ => ApiError::not_found(message).in_field("name"),
    }
}

fn change(api: &Api, name: &str, change: KeyChange) -> Result<StatusCode, ApiError> {
    lists(api)?.change(&stream(name)?, change).map_err(refusal)?;
    tracing::info!(stream = name, "the access list of a stream is changed by REST");
    Ok(StatusCode::OK)
}

fn some(keys: Vec<String>) -> Result<Vec<String>, ApiError> {
    if keys.is_empty() {
        return Err(ApiError::bad_request("bad_value", "There is no key in `keys`.").in_field("keys"));
    }
    Ok(keys)
}

/// Gives a stream further keys. From the first key on nobody watches it without one, and whoever does so now is ended, here and on all other servers. The list is gone when the stream is published anew.
#[utoipa::path(post, path = "/rest-api/cdn/stream/access_list/add", tag = "cdn", request_body = Changed, responses(
    (status = 200, description = "They are good."),
    (status = 400, description = "A key is empty, too long or has other characters than those of ASCII that print; or there are too many."),
    (status = 404, description = "The stream is not published on this server."),
))]
pub(in crate::rest) async fn add(State(api): State<Api>, Input(asked): Input<Changed>) -> Result<StatusCode, ApiError> {
    change(&api, &asked.name, KeyChange::Add(some(asked.keys)?))
}

/// Takes keys from a stream; who watches it with one of them is ended. Without the last key everybody may watch.
#[utoipa::path(post, path = "/rest-api/cdn/stream/access_list/remove", tag = "cdn", request_body = Changed, responses(
    (status = 200, description = "They are good no more, whether they were or not."),
    (status = 400, description = "There is no key in the list."),
    (status = 404, description = "The stream is not published on this server."),
))]
pub(in crate::rest) async fn remove(
    State(api): State<Api>,
    Input(asked): Input<Changed>,
) -> Result<StatusCode, ApiError> {
    change(&api, &asked.name, KeyChange::Remove(some(asked.keys)?))
}

/// Takes all keys from a stream: everybody may watch it.
#[utoipa::path(post, path = "/rest-api/cdn/stream/access_list/delete", tag = "cdn", request_body = Named, responses(
    (status = 200, description = "It is open."),
    (status = 404, description = "The stream is not published on this server."),
))]
pub(in crate::rest) async fn delete(
    State(api): State<Api>,
    Input(asked): Input<Named>,
) -> Result<StatusCode, ApiError> {
    change(&api, &asked.name, KeyChange::Open)
}

/// The keys of a stream, as this server knows them.
#[utoipa::path(post, path = "/rest-api/cdn/stream/access_list/print", tag = "cdn", request_body = Named, responses(
    (status = 200, description = "Its keys; an empty list of one that is open.", body = Vec<String>),
    (status = 404, description = "There is no such stream."),
))]
pub(in crate::rest) async fn print(
    State(api): State<Api>,
    Input(asked): Input<Named>,
) -> Result<Json<Vec<String>>, ApiError> {
    Ok(Json(lists(&api)?.keys(&stream(&asked.name)?).map_err(refusal)?))
}
