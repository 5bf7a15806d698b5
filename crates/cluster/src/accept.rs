//! Links that other nodes open.

use std::sync::Arc;

use axum::Router;

use crate::cluster::Node;

pub(crate) fn router(_: &Arc<Node>) -> Router {
    Router::new()
}
