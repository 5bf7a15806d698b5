//! `/cdn/drain`: empties this server.

use axum::{Json, extract::State};
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::{Api, input::Input};
use crate::{drain::DrainObject, error::ApiError};

/// How a server is emptied.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = DrainOrder)]
#[serde(deny_unknown_fields)]
pub(in crate::rest) struct Order {
    /// Whether the process ends once nobody is left, or `drain_ms` of [process] is over. Without it the server stays, and takes nobody until it is started again.
    #[serde(default)]
    exit: bool,
}

/// Takes nobody new from now on, tells the other servers so, sends the viewers away bit by bit, and then the publishers. Called again it tells how far that is.
#[utoipa::path(post, path = "/rest-api/cdn/drain", tag = "cdn", request_body = Order, responses(
    (status = 200, description = "How far it is.", body = DrainObject),
))]
pub(in crate::rest) async fn drain(
    State(api): State<Api>,
    Input(order): Input<Order>,
) -> Result<Json<DrainObject>, ApiError> {
    let drain = api.drain.as_deref();
    let drain = drain.ok_or_else(|| ApiError::not_implemented("This server cannot be emptied."))?;
    Ok(Json(drain.drain(order.exit)))
}
