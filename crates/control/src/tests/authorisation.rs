//! Every call by everybody.

mod sight;

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Instant, SystemTime},
};

use axum::{
    body::Body,
    extract::ConnectInfo,
    http::{HeaderMap, Request, StatusCode, header},
};
use headwater_access::{Access, AccessBuilder, Refusals, Role, Surroundings, Wanted, Why, hash_password, make_token};
use headwater_graph::BoxFuture;
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

use super::Server;
use crate::authorisation::RULES;

struct Process;

impl Surroundings for Process {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn wall_clock(&self) -> SystemTime {
        SystemTime::now()
    }

    fn work(&self, work: Box<dyn FnOnce() + Send>) {
        tokio::task::spawn_blocking(work);
    }

    fn fetch_keys(&self) -> BoxFuture<'_, Result<Vec<u8>, String>> {
        Box::pin(std::future::ready(Err("there are none".to_owned())))
    }
}

/// A server with a token for each role, a user and a key for streams.
struct Guarded {
    server: Server,
    tokens: Vec<(Role, String)>,
    refusals: Refusals,
}

const PASSWORD: &str = "correct horse: battery";

impl Guarded {
    fn new() -> Guarded {
        let mut builder = AccessBuilder::new();
        let mut tokens = Vec::new();
        for role in Role::ALL {
            let (token, hash) = make_token().unwrap();
            builder.token(&format!("{role}-program:{role}:{hash}")).unwrap();
            tokens.push((role, token));
        }
        builder.user(&format!("anna:operator:{}", hash_password(PASSWORD).unwrap())).unwrap();
        builder.stream_key("publish:**:key for streams").unwrap();
        let access: Access = builder.build(Arc::new(Process)).unwrap();
        let refusals = Refusals::default();
        let server = Server::with(|control| control.with_access(access).with_refusals(refusals.clone()));
        Guarded { server, tokens, refusals }
    }

    async fn call(
        &self,
        method: &str,
        path: &str,
        authorization: Option<&str>,
    ) -> (StatusCode, HeaderMap, impl Future<Output = Value> + use<>) {
        let mut request = Request::builder().method(method).uri(path).header("host", "localhost");
        request = request.extension(ConnectInfo::<SocketAddr>("127.0.0.1:9999".parse().unwrap()));
        if let Some(value) = authorization {
            request = request.header("authorization", value);
        }
        let body = if method == "POST" { Body::from("{}") } else { Body::empty() };
        let request = request.header("content-type", "application/json").body(body).unwrap();
        let (head, body) = self.server.router.clone().oneshot(request).await.unwrap().into_parts();
        let body = async { serde_json::from_slice(&body.collect().await.unwrap().to_bytes()).unwrap_or_default() };
        (head.status, head.headers, body)
    }

    async fn post(&self, path: &str, authorization: &str, body: &'static str) -> u16 {
        let request = Request::post(path).header("authorization", authorization);
        let request = request.header("content-type", "application/json").body(Body::from(body)).unwrap();
        self.server.router.clone().oneshot(request).await.unwrap().status().as_u16()
    }

    async fn status(&self, method: &str, path: &str, authorization: Option<&str>) -> u16 {
        self.call(method, path, authorization).await.0.as_u16()
    }
}

/// Method and path of every call that the description names, and of the metrics.
fn calls() -> Vec<(String, String)> {
    let description = crate::rest::openapi::finish(crate::rest::calls().split_for_parts().1);
    let description = serde_json::to_value(description).unwrap();
    let mut calls = vec![("GET".to_owned(), "/metrics".to_owned())];
    for (path, item) in description["paths"].as_object().unwrap() {
        let methods = item.as_object().unwrap().keys();
        calls.extend(methods.map(|method| (method.to_uppercase(), path.clone())));
    }
    calls
}

#[tokio::test]
async fn attack_p2_every_call_is_for_its_roles_only() {
    let guarded = Guarded::new();
    let calls = calls();
    assert!(calls.len() > 20, "{calls:?}");
    for (method, path) in &calls {
        let rule = RULES.iter().find(|rule| rule.path == path);
        let rule = rule.unwrap_or_else(|| panic!("{path} has no row in authorisation.rs that says who may call it"));
        assert!(!rule.changes || rule.least != Role::Viewer, "what changes something takes more than looking: {path}");
        assert_eq!(guarded.status(method, path, None).await, 401, "{method} {path} by nobody");
        let key = guarded.status(method, path, Some("Bearer key for streams")).await;
        assert_eq!(key, 403, "{method} {path} by who has a key for streams");
        for (role, token) in &guarded.tokens {
            let status = guarded.status(method, path, Some(&format!("Bearer {token}"))).await;
            let is_refused = status == 401 || status == 403;
            assert_eq!(is_refused, !role.includes(rule.least), "{method} {path} by {role}: {status}");
        }
    }
    for rule in RULES {
        let is_described = calls.iter().any(|(_, path)| path == rule.path);
        assert!(is_described || rule.path == "/rest-api/openapi.json", "{} has a row, but is no call", rule.path);
    }
}

#[tokio::test]
async fn operators_change_what_viewers_and_publishers_only_look_at() {
    let guarded = Guarded::new();
    let may = |role: Role| RULES.iter().filter(move |rule| role.includes(rule.least));
    for role in [Role::Viewer, Role::Publisher, Role::Node] {
        assert!(may(role).all(|rule| !rule.changes), "{role}");
    }
    // By its name, not by its row: what neither finds nor is read changes something.
    let is_read = |path: &str| {
        let names = ["/find", "/find_all", "/page", "/figures", "/results", "/metrics", "/openapi.json", "/events"];
        let call = path.rsplit('/').next().unwrap_or_default();
        names.iter().any(|name| path.ends_with(name))
            || call.starts_with("show_")
            || ["trace_route", "print", "statistics", "abilities"].contains(&call)
    };
    for rule in RULES {
        assert_eq!(rule.changes, !is_read(rule.path), "{}", rule.path);
    }
    for call in ["stream/terminate", "push/startup", "pull/rtmp/pull", "connection/terminate", "data/send"] {
        let path = format!("/rest-api/{call}");
        assert!(may(Role::Operator).any(|rule| rule.path == path) && may(Role::Viewer).all(|rule| rule.path != path));
    }
    // What has no row takes an admin, whether it exists or not.
    for path in ["/rest-api/nothing", "/rest-api/config/anything", "/rest-api/mixer/startup"] {
        for (role, token) in &guarded.tokens {
            let status = guarded.status("POST", path, Some(&format!("Bearer {token}"))).await;
            assert_eq!(status == 403, *role != Role::Admin, "{path} by {role}: {status}");
        }
    }
}

#[tokio::test]
async fn refusals_say_what_is_needed_and_health_is_free() {
    let guarded = Guarded::new();
    for path in ["/healthz", "/readyz"] {
        assert_ne!(guarded.status("GET", path, None).await, 401, "{path}");
    }
    let find = "/rest-api/stream/find_all";
    let (status, head, body) = guarded.call("POST", find, None).await;
    let body = body.await;
    let challenges: Vec<_> =
        head.get_all(header::WWW_AUTHENTICATE).iter().map(|value| value.to_str().unwrap()).collect();
    assert_eq!((status.as_u16(), &body["code"]), (401, &Value::from("unauthorised")));
    assert!(challenges[0].starts_with("Basic realm=") && challenges[1].starts_with("Bearer realm="), "{challenges:?}");
    assert!(body["message"].as_str().unwrap().contains("the role viewer"), "{body}");

    let (_, token) = &guarded.tokens[0];
    let (status, _, body) = guarded.call("POST", "/rest-api/stream/terminate", Some(&format!("bearer {token}"))).await;
    let body = body.await;
    assert_eq!((status.as_u16(), &body["code"]), (403, &Value::from("wrong_role")));
    assert_eq!(body["message"], "This call takes the role operator, and the role of these credentials is viewer.");

    let (_, head, _) = guarded.call("POST", find, Some("Bearer wrong")).await;
    let last = head.get_all(header::WWW_AUTHENTICATE).iter().next_back().unwrap();
    assert!(last.to_str().unwrap().contains("error=\"invalid_token\""), "{last:?}");
    let counted = [Why::Unknown, Why::Forbidden].map(|why| guarded.refusals.get(Wanted::Rest, why));
    assert_eq!(counted, [2, 1], "nobody, and one who is not known; one whose role is not enough");
}

#[tokio::test]
async fn a_user_calls_by_basic_and_tokens_in_the_address_are_not_taken() {
    let guarded = Guarded::new();
    let find = "/rest-api/stream/find_all";
    // "anna:" and the password, which holds a colon itself.
    let basic = "Basic YW5uYTpjb3JyZWN0IGhvcnNlOiBiYXR0ZXJ5";
    assert_eq!(guarded.status("POST", find, Some(basic)).await, 404, "nothing is published");
    for wrong in ["Basic YW5uYTp3cm9uZw==", "Basic YW5uYQ==", "Basic", "Digest x", "Bearer", ""] {
        assert_eq!(guarded.status("POST", find, Some(wrong)).await, 401, "{wrong}");
    }
    let (_, token) = &guarded.tokens[3];
    assert_eq!(guarded.status("GET", &format!("{find}?token={token}"), None).await, 401);
    assert_eq!(guarded.status("GET", &format!("/metrics?token={token}"), None).await, 401);
}

#[tokio::test]
async fn attack_h4_guessing_passwords_over_rest_is_slowed_down() {
    let guarded = Guarded::new();
    let find = "/rest-api/stream/find_all";
    let mut statuses = Vec::new();
    for _ in 0..30 {
        statuses.push(guarded.status("POST", find, Some("Bearer guess")).await);
    }
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 10, "{statuses:?}");
    let (status, head, _) = guarded.call("POST", find, Some("Bearer guess")).await;
    assert_eq!((status.as_u16(), head[header::RETRY_AFTER].to_str().unwrap()), (429, "60"));
    let (_, token) = &guarded.tokens[0];
    assert_eq!(
        guarded.status("POST", find, Some(&format!("Bearer {token}"))).await,
        404,
        "what cannot be guessed is heard"
    );
}

#[tokio::test]
async fn attack_p3_a_page_of_another_site_changes_nothing_although_its_browser_knows_the_password() {
    let guarded = Guarded::new();
    let (_, token) = &guarded.tokens[3];
    for (name, value) in [("origin", "http://evil.example"), ("sec-fetch-site", "cross-site")] {
        let request = Request::post("/rest-api/stream/terminate").header("host", "localhost").header(name, value);
        let request =
            request.header("authorization", format!("Bearer {token}")).header("content-type", "application/json");
        let (status, refusal) = guarded.server.send(request.body(Body::from("{}")).unwrap()).await;
        assert_eq!((status.as_u16(), &refusal["code"]), (403, &Value::from("foreign_origin")), "{name}");
    }
}
