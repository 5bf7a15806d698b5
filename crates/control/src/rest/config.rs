//! `/config`: the configuration of a server that runs.

use std::sync::Arc;

use axum::{Json, extract::State};

use super::{Api, input::Input};
use crate::{
    error::ApiError,
    settings::{ReloadedObject, SettingChange, SettingObject, Settings},
};

/// Every key of the configuration. Secrets are left out.
#[utoipa::path(post, path = "/rest-api/config/find_all", tag = "config", responses(
    (status = 200, description = "All keys.", body = Vec<SettingObject>),
))]
pub(super) async fn find_all(State(api): State<Api>) -> Result<Json<Vec<SettingObject>>, ApiError> {
    Ok(Json(settings(&api)?.list()))
}

/// Every key of the configuration. Secrets are left out.
#[utoipa::path(get, path = "/rest-api/config/find_all", tag = "config", responses(
    (status = 200, description = "All keys.", body = Vec<SettingObject>),
))]
pub(super) async fn get_all(State(api): State<Api>) -> Result<Json<Vec<SettingObject>>, ApiError> {
    Ok(Json(settings(&api)?.list()))
}

/// Reads the configuration again and puts it in force without ending sessions, or refuses it whole.
#[utoipa::path(post, path = "/rest-api/config/reload", tag = "config", responses(
    (status = 200, description = "What has changed, and what waits for a new start.", body = ReloadedObject),
    (status = 400, description = "Something is wrong; nothing has changed."),
))]
pub(super) async fn reload(State(api): State<Api>) -> Result<Json<ReloadedObject>, ApiError> {
    settings(&api)?.reload().await.map(Json).map_err(refuse)
}

/// Sets one key.
#[utoipa::path(post, path = "/rest-api/config/set", tag = "config", request_body = SettingChange, responses(
    (status = 200, description = "What has changed, and what waits for a new start.", body = ReloadedObject),
    (status = 400, description = "Something is wrong; nothing has changed."),
))]
pub(super) async fn set(
    State(api): State<Api>,
    Input(change): Input<SettingChange>,
) -> Result<Json<ReloadedObject>, ApiError> {
    settings(&api)?.set(change).await.map(Json).map_err(refuse)
}

fn refuse(problems: Vec<String>) -> ApiError {
    ApiError::bad_request("bad_configuration", problems.join(" "))
}

fn settings(api: &Api) -> Result<&Arc<dyn Settings>, ApiError> {
    api.settings.as_ref().ok_or_else(|| ApiError::not_implemented("This server has no configuration to change."))
}
