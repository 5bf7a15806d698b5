//! Addresses that begin with the name of a stream, which may hold slashes, and so end with what they mean.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{self, HeaderMap, Method, header, request::Parts},
    middleware,
    response::Response,
};
use headwater_graph::BoxFuture;
use headwater_net::Shortcut;
use hyper::body::Incoming;
use tower::ServiceExt;

/// Routes of the protocols.
#[derive(Clone, Default)]
pub(crate) struct Routes {
    by_ending: Vec<(IsOfKind, Router)>,
    ahead: Vec<(HasHead, Router)>,
    direct: Vec<(IsOfKind, Answer)>,
}

/// Answers the head of a GET that came from an address, where there is a way past the conversation also by that.
pub(crate) type Answer = Arc<dyn Fn(SocketAddr, Parts, Option<Shortcut>) -> BoxFuture<'static, Response> + Send + Sync>;

/// Whether a path is for a router.
type IsOfKind = fn(&str) -> bool;

/// Whether the head of a request is for a router: its path and its fields.
type HasHead = fn(&str, &HeaderMap) -> bool;

/// What is answered without a router.
#[derive(Clone, Default)]
pub(crate) struct Direct(Vec<(IsOfKind, Answer)>);

impl Direct {
    /// Who answers a request, if it is one of these.
    pub(crate) fn find(&self, request: &http::Request<Incoming>) -> Option<&Answer> {
        if request.method() != Method::GET || request.headers().contains_key(header::UPGRADE) {
            return None;
        }
        let path = request.uri().path();
        self.0.iter().find(|(is_of_kind, _)| is_of_kind(path)).map(|(_, answer)| answer)
    }
}

impl Routes {
    /// Sends requests whose path is of a kind to a router that gets them whole.
    pub(crate) fn add(&mut self, is_of_kind: IsOfKind, router: Router) {
        self.by_ending.push((is_of_kind, router));
    }

    /// Sends requests whose head is of a kind to a router, ahead of all pages; the first that was added takes it.
    pub(crate) fn add_ahead(&mut self, has_head: HasHead, router: Router) {
        self.ahead.push((has_head, router));
    }

    /// Has GETs whose path is of a kind answered without any router, where these are so many that it matters.
    pub(crate) fn add_direct(&mut self, is_of_kind: IsOfKind, answer: Answer) {
        self.direct.push((is_of_kind, answer));
    }

    /// What was added to be answered without a router.
    pub(crate) fn take_direct(&mut self) -> Direct {
        Direct(std::mem::take(&mut self.direct))
    }

    /// Puts the routers that go by the head of a request ahead of one that goes by its path; and those that go by the
    /// end of the path for requests that no page answers, as a stream may be called `play/camera`.
    pub(crate) fn put_ahead(&mut self, of: Router) -> Router {
        let (ahead, by_ending) = (std::mem::take(&mut self.ahead), self.by_ending.clone());
        of.layer(middleware::from_fn(move |request: Request, next: middleware::Next| {
            let is_for_page = matches!(*request.method(), Method::GET | Method::HEAD);
            let path = request.uri().path();
            let by_head =
                ahead.iter().find(|(has_head, _)| has_head(path, request.headers())).map(|(_, router)| router);
            let by_path = by_ending.iter().find(|(is_of_kind, _)| !is_for_page && is_of_kind(path));
            let router = by_head.or(by_path.map(|(_, router)| router)).cloned();
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
