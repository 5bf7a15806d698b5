//! `/connection` and `/data`: clients that stay connected.

use axum::{Json, extract::State, http::StatusCode};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    Api,
    input::{Input, check_list, shorten},
};
use crate::{
    clients::{ClientObject, Untold},
    error::ApiError,
    sight::Sight,
};

/// Which clients are meant: those whose fields have these values. Without any field it means all.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = ConnectionFilter)]
pub(super) struct Which {
    /// The id of the session.
    session_id: Option<String>,
    /// The application.
    app_key: Option<String>,
    /// What the page calls the version of the protocol.
    client_version: Option<String>,
    /// "ESTABLISHED".
    status: Option<String>,
}

/// One client.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ConnectionReference)]
pub(super) struct One {
    /// The id of the session.
    session_id: String,
}

/// How much of a client is logged.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ConnectionLogLevel)]
pub(super) struct LogLevel {
    /// The id of the session.
    session_id: String,
    /// "DEBUG", "TRACE" or "ALL" have the name and length of each of its messages logged; "INFO", "WARN", "ERROR" or "OFF" do not.
    #[schema(example = "DEBUG")]
    log_level: String,
}

/// Data for clients.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Data)]
pub(super) struct Data {
    /// The id of one session.
    session_id: Option<String>,
    /// The ids of several.
    session_ids: Option<Vec<String>>,
    /// Handed on to the page as it is.
    operation_id: Option<String>,
    /// What the page gets, as it is.
    #[serde(default)]
    #[schema(value_type = Object)]
    payload: Value,
}

/// All connected clients of the session protocol.
#[utoipa::path(post, path = "/rest-api/connection/find_all", tag = "connection", responses(
    (status = 200, description = "All clients.", body = Vec<ClientObject>),
    (status = 404, description = "Nobody is connected."),
))]
pub(super) async fn find_all(State(api): State<Api>, sight: Sight) -> Result<Json<Vec<ClientObject>>, ApiError> {
    select(&api, sight, &Which::default())
}

/// All connected clients of the session protocol.
#[utoipa::path(get, path = "/rest-api/connection/find_all", tag = "connection", responses(
    (status = 200, description = "All clients.", body = Vec<ClientObject>),
    (status = 404, description = "Nobody is connected."),
))]
pub(super) async fn get_all(State(api): State<Api>, sight: Sight) -> Result<Json<Vec<ClientObject>>, ApiError> {
    select(&api, sight, &Which::default())
}

/// Connected clients that fit a description.
#[utoipa::path(post, path = "/rest-api/connection/find", tag = "connection", request_body = Which, responses(
    (status = 200, description = "The clients that fit.", body = Vec<ClientObject>),
    (status = 404, description = "Nobody fits."),
))]
pub(super) async fn find(
    State(api): State<Api>,
    sight: Sight,
    Input(which): Input<Which>,
) -> Result<Json<Vec<ClientObject>>, ApiError> {
    select(&api, sight, &which)
}

/// Ends a client's session and its streams.
#[utoipa::path(post, path = "/rest-api/connection/terminate", tag = "connection", request_body = One, responses(
    (status = 200, description = "The order is given."),
    (status = 404, description = "There is no such session."),
))]
pub(super) async fn terminate(State(api): State<Api>, Input(one): Input<One>) -> Result<StatusCode, ApiError> {
    if !api.clients.terminate(&one.session_id) {
        return Err(gone("sessionId", &one.session_id));
    }
    tracing::info!(session = one.session_id, "a client is sent away by REST");
    Ok(StatusCode::OK)
}

/// Sets how much of one client is logged.
#[utoipa::path(post, path = "/rest-api/connection/set_log_level", tag = "connection", request_body = LogLevel, responses(
    (status = 200, description = "It is set."),
    (status = 404, description = "There is no such session."),
))]
pub(super) async fn set_log_level(
    State(api): State<Api>,
    Input(level): Input<LogLevel>,
) -> Result<StatusCode, ApiError> {
    let is_watched = match level.log_level.to_ascii_uppercase().as_str() {
        "DEBUG" | "TRACE" | "ALL" => true,
        "INFO" | "WARN" | "ERROR" | "FATAL" | "OFF" => false,
        _ => {
            let message = "logLevel is ALL, TRACE, DEBUG, INFO, WARN, ERROR, FATAL or OFF.";
            return Err(ApiError::bad_request("bad_value", message).in_field("logLevel"));
        }
    };
    let found = api.clients.watch(&level.session_id, is_watched);
    found.then_some(StatusCode::OK).ok_or_else(|| gone("sessionId", &level.session_id))
}

/// Sends data to pages: their sessions get APP_DATA.
#[utoipa::path(post, path = "/rest-api/data/send", tag = "data", request_body = Data, responses(
    (status = 200, description = "It is sent."),
    (status = 404, description = "A session is not there; the others have been sent it."),
    (status = 409, description = "A client does not take it; the others have been sent it."),
))]
pub(super) async fn send_data(State(api): State<Api>, Input(data): Input<Data>) -> Result<StatusCode, ApiError> {
    let field = if data.session_ids.is_some() { "sessionIds" } else { "sessionId" };
    let mut sessions = data.session_ids.unwrap_or_default();
    check_list("sessionIds", &sessions)?;
    sessions.extend(data.session_id);
    if sessions.is_empty() {
        return Err(
            ApiError::bad_request("missing_field", "Say who it is for, by sessionId or sessionIds.").in_field(field)
        );
    }
    let mut problem = None;
    for session in &sessions {
        match api.clients.send(session, data.operation_id.clone(), data.payload.clone()) {
            Ok(()) => {}
            Err(Untold::Gone) => problem = Some(gone(field, session)),
            Err(Untold::Choked) => {
                let message = format!("The session {:?} does not take what waits for it already.", shorten(session));
                problem = Some(ApiError::with_status(StatusCode::CONFLICT, "not_taken", message).in_field(field));
            }
        }
    }
    problem.map_or(Ok(StatusCode::OK), Err)
}

fn select(api: &Api, sight: Sight, which: &Which) -> Result<Json<Vec<ClientObject>>, ApiError> {
    let is =
        |wanted: &Option<String>, value: Option<&str>| wanted.as_deref().is_none_or(|wanted| Some(wanted) == value);
    let mut found = api.clients.list();
    found.retain(|client| {
        is(&which.session_id, Some(&client.session_id))
            && is(&which.app_key, Some(&client.app_key))
            && is(&which.client_version, client.client_version.as_deref())
            && is(&which.status, Some(client.status))
    });
    if found.is_empty() {
        return Err(ApiError::not_found("There is no such connection."));
    }
    for client in &mut found {
        client.remote_address = sight.show(client.remote_address.take());
        client.custom = sight.show(client.custom.take());
    }
    Ok(Json(found))
}

fn gone(field: &'static str, session: &str) -> ApiError {
    ApiError::not_found(format!("There is no session {:?}.", shorten(session))).in_field(field)
}
