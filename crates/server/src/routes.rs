//! Addresses that begin with the name of a stream, which may hold slashes, and so end with what they mean.

use axum::{Router, body::Body, extract::Request, response::Response};
use tower::ServiceExt;

/// Routes of the protocols.
#[derive(Clone, Default)]
pub(crate) struct Routes {
    by_ending: Vec<(IsOfKind, Router)>,
}

/// Whether a path is for a router.
type IsOfKind = fn(&str) -> bool;

impl Routes {
    /// Sends requests whose path is of a kind to a router that gets them whole.
    pub(crate) fn add(&mut self, is_of_kind: IsOfKind, router: Router) {
        self.by_ending.push((is_of_kind, router));
    }

    /// One router, to be merged with those that have fixed addresses; its fallback is the page of what is missing.
    pub(crate) fn into_router(self) -> Router {
        Router::new().fallback(move |request: Request| {
            let routes = self.clone();
            async move { routes.route(request).await }
        })
    }

    async fn route(self, request: Request<Body>) -> Response {
        let path = request.uri().path();
        let found = self.by_ending.into_iter().find(|(is_of_kind, _)| is_of_kind(path));
        match found {
            Some((_, router)) => router.oneshot(request).await.unwrap_or_else(|never| match never {}),
            None => headwater_web::not_found(),
        }
    }
}
