//! Addresses that begin with the name of a stream, which may hold slashes, and so end with what they mean.

use axum::{Router, body::Body, extract::Request, http::HeaderMap, middleware, response::Response};
use tower::ServiceExt;

/// Routes of the protocols.
#[derive(Clone, Default)]
pub(crate) struct Routes {
    by_ending: Vec<(IsOfKind, Router)>,
    ahead: Vec<(HasHead, Router)>,
}

/// Whether a path is for a router.
type IsOfKind = fn(&str) -> bool;

/// Whether the head of a request is for a router.
type HasHead = fn(&HeaderMap) -> bool;

impl Routes {
    /// Sends requests whose path is of a kind to a router that gets them whole.
    pub(crate) fn add(&mut self, is_of_kind: IsOfKind, router: Router) {
        self.by_ending.push((is_of_kind, router));
    }

    /// Sends requests whose head is of a kind to a router, whatever their path.
    pub(crate) fn add_ahead(&mut self, has_head: HasHead, router: Router) {
        self.ahead.push((has_head, router));
    }

    /// Puts the routers that go by the head of a request ahead of one that goes by its path.
    pub(crate) fn put_ahead(&mut self, of: Router) -> Router {
        let ahead = std::mem::take(&mut self.ahead);
        of.layer(middleware::from_fn(move |request: Request, next: middleware::Next| {
            let found = ahead.iter().find(|(has_head, _)| has_head(request.headers()));
            let router = found.map(|(_, router)| router.clone());
            async move {
                match router {
                    Some(router) => router.oneshot(request).await.unwrap_or_else(|never| match never {}),
                    None => next.run(request).await,
                }
            }
        }))
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
