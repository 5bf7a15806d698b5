//! Who may call what: each call has a least role, where the server knows users, tokens or keys at all.
//!
//! No address is trusted by itself: once there are credentials, calls from this machine need them like all others.

use std::net::{IpAddr, SocketAddr};

use axum::{
    extract::{ConnectInfo, Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use headwater_access::{Access, Caller, Credentials, Refusals, Refused, Role, Wanted, Why};

use crate::{error::ApiError, sight::Sight};

/// What a call takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) path: &'static str,
    pub(crate) least: Role,
    /// Whether it changes something, and is therefore noted with who did it.
    pub(crate) changes: bool,
}

const fn looks(path: &'static str) -> Rule {
    Rule { path, least: Role::Viewer, changes: false }
}

const fn operates(path: &'static str) -> Rule {
    Rule { path, least: Role::Operator, changes: true }
}

/// Tells what is nobody's business who only looks.
const fn reveals(path: &'static str) -> Rule {
    Rule { path, least: Role::Operator, changes: false }
}

const fn administers(path: &'static str, changes: bool) -> Rule {
    Rule { path, least: Role::Admin, changes }
}

/// Every call. One that does not stand here takes an admin.
pub(crate) const RULES: &[Rule] = &[
    looks("/metrics"),
    looks("/rest-api/openapi.json"),
    looks("/rest-api/events"),
    looks("/rest-api/statistics"),
    looks("/rest-api/stream/find_all"),
    looks("/rest-api/stream/find"),
    looks("/rest-api/stream/page"),
    looks("/rest-api/node/figures"),
    operates("/rest-api/stream/terminate"),
    operates("/rest-api/stream/event/send"),
    looks("/rest-api/connection/find_all"),
    looks("/rest-api/connection/find"),
    operates("/rest-api/connection/terminate"),
    operates("/rest-api/connection/set_log_level"),
    operates("/rest-api/data/send"),
    operates("/rest-api/push/startup"),
    looks("/rest-api/push/find_all"),
    looks("/rest-api/push/find"),
    operates("/rest-api/push/terminate"),
    operates("/rest-api/push/mute"),
    operates("/rest-api/push/unmute"),
    operates("/rest-api/push/sound_on"),
    operates("/rest-api/push/sound_off"),
    operates("/rest-api/pull/startup"),
    operates("/rest-api/pull/pull"),
    operates("/rest-api/pull/push"),
    looks("/rest-api/pull/find_all"),
    operates("/rest-api/pull/terminate"),
    operates("/rest-api/pull/rtmp/pull"),
    looks("/rest-api/pull/rtmp/find_all"),
    looks("/rest-api/pull/rtmp/find"),
    operates("/rest-api/pull/rtmp/terminate"),
    administers("/rest-api/load/abilities", false),
    administers("/rest-api/load/startup", true),
    administers("/rest-api/load/find_all", false),
    administers("/rest-api/load/find", false),
    administers("/rest-api/load/results", false),
    administers("/rest-api/load/terminate", true),
    looks("/rest-api/cdn/show_nodes"),
    looks("/rest-api/cdn/show_routes"),
    looks("/rest-api/cdn/stream/show_stream_routes"),
    looks("/rest-api/cdn/stream/trace_route"),
    operates("/rest-api/cdn/remove_node"),
    operates("/rest-api/cdn/stream/access_list/add"),
    operates("/rest-api/cdn/stream/access_list/remove"),
    operates("/rest-api/cdn/stream/access_list/delete"),
    reveals("/rest-api/cdn/stream/access_list/print"),
    administers("/rest-api/cdn/drain", true),
    administers("/rest-api/config/find_all", false),
    administers("/rest-api/config/reload", true),
    administers("/rest-api/config/set", true),
];

/// Whether there is a call at a path.
pub fn is_call(path: &str) -> bool {
    RULES.iter().any(|rule| rule.path == path)
}

/// What the call at a path takes.
pub(crate) fn rule(path: &str) -> Rule {
    let found = RULES.iter().find(|rule| rule.path == path);
    found.copied().unwrap_or(Rule { path: "", least: Role::Admin, changes: false })
}

/// Who knows the callers, and where it is counted that one was not let in.
#[derive(Clone)]
pub(crate) struct Door {
    pub(crate) access: Option<Access>,
    pub(crate) refusals: Refusals,
}

/// Lets through whoever has the role that the call takes, and notes who changed what.
pub(crate) async fn authorise(State(door): State<Door>, mut request: Request, next: Next) -> Response {
    let rule = rule(request.uri().path());
    let remote = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(remote)| remote.ip());
    // The query is left out: addresses end in logs and histories, and a token with a role opens much.
    let credentials = Credentials::of_request(request.headers(), None);
    let caller = match door.access.filter(Access::has_credentials) {
        Some(access) => match identify(&access, remote, credentials, rule.least).await {
            Ok(caller) => Some(caller),
            Err((why, refusal)) => {
                door.refusals.count(Wanted::Rest, why);
                note(rule, None, remote, refusal.status());
                return refusal;
            }
        },
        None => None,
    };
    if let Some(caller) = &caller {
        request.extensions_mut().insert(Sight::of(caller));
        request.extensions_mut().insert(caller.clone());
    }
    let response = next.run(request).await;
    note(rule, caller.as_ref(), remote, response.status());
    response
}

async fn identify(
    access: &Access,
    remote: Option<IpAddr>,
    credentials: Credentials,
    least: Role,
) -> Result<Caller, (Why, Response)> {
    match access.identify(remote, &credentials).await {
        Ok(Some(caller)) if caller.has(least) => Ok(caller),
        Ok(Some(caller)) => Err((Why::Forbidden, wrong_role(&caller, least))),
        Ok(None) => {
            let message =
                format!("This call takes credentials with the role {least}: a user and a password, or a token.");
            Err((Why::Unknown, challenge(message, false)))
        }
        Err(refused) => Err((refused.why, refusal(&refused))),
    }
}

/// Changes stand in the log with who made them, and how they ended; bodies do not, since they hold secrets of others.
fn note(rule: Rule, caller: Option<&Caller>, remote: Option<IpAddr>, status: StatusCode) {
    if rule.changes {
        let by = caller.map_or("nobody in particular", |caller| caller.name.as_str());
        let remote = remote.map(tracing::field::display);
        tracing::info!(call = rule.path, by, remote, status = status.as_u16(), "changed by REST");
    }
}

fn wrong_role(caller: &Caller, least: Role) -> Response {
    let has = caller.role.map_or("none".to_owned(), |role| role.to_string());
    let message = format!("This call takes the role {least}, and the role of these credentials is {has}.");
    ApiError::with_status(StatusCode::FORBIDDEN, "wrong_role", message).into_response()
}

fn refusal(refused: &Refused) -> Response {
    let message = crate::rest::sentence(&refused.sentence);
    let with = |status, code| ApiError::with_status(status, code, message.clone()).into_response();
    match refused.why {
        Why::TooMany => {
            with_header(with(StatusCode::TOO_MANY_REQUESTS, "too_many_failures"), header::RETRY_AFTER, "60")
        }
        Why::Forbidden => with(StatusCode::FORBIDDEN, "wrong_role"),
        Why::Unavailable => with_header(with(StatusCode::SERVICE_UNAVAILABLE, "unavailable"), header::RETRY_AFTER, "1"),
        _ => challenge(message, true),
    }
}

/// 401, with what may be tried: RFC 7617 §2 and RFC 6750 §3.
fn challenge(message: String, is_wrong: bool) -> Response {
    let response = ApiError::with_status(StatusCode::UNAUTHORIZED, "unauthorised", message).into_response();
    let bearer = match is_wrong {
        true => "Bearer realm=\"headwater\", error=\"invalid_token\"",
        false => "Bearer realm=\"headwater\"",
    };
    let response = with_header(response, header::WWW_AUTHENTICATE, "Basic realm=\"headwater\", charset=\"UTF-8\"");
    with_header(response, header::WWW_AUTHENTICATE, bearer)
}

fn with_header(mut response: Response, name: header::HeaderName, value: &'static str) -> Response {
    response.headers_mut().append(name, HeaderValue::from_static(value));
    response
}
