//! The resources of sessions: what PATCH and DELETE do to them.
//!
//! The rules are those of RFC 9725 §4.3 and the same for playing and publishing; only POST differs.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::response::Response;
use headwater_media::{StreamName, limits};
use headwater_webrtc::{Fragment, Session};
use http::{HeaderMap, StatusCode, header};
use parking_lot::Mutex;

use crate::{
    address::SessionId,
    reply::{Refusal, reply, set},
    request::bearer,
};

/// The media type of a fragment of a session description (RFC 8840 §9.2).
pub(crate) const FRAGMENT_TYPE: &str = "application/trickle-ice-sdpfrag";
/// What may be done with a session.
pub(crate) const SESSION_METHODS: &str = "PATCH, DELETE, OPTIONS";

/// All sessions that signalling knows. Cloning is cheap.
#[derive(Clone, Debug, Default)]
pub(crate) struct Resources(Arc<Mutex<HashMap<SessionId, Resource>>>);

#[derive(Clone, Debug)]
struct Resource {
    /// The name that was asked for.
    stream: StreamName,
    /// The name of what is published or played, perhaps another one.
    source: StreamName,
    session: Session,
    /// The peer's user name fragment: another one asks for a restart.
    fragment: String,
    /// Stands for the present ICE session.
    tag: String,
    /// When the present second of PATCH requests began, and how many came.
    patches: (Instant, u64),
    /// The token that the session was begun with.
    token: Option<String>,
}

/// How long the end of a session is waited for, so that its name is free when that is said.
const END_TIME: Duration = Duration::from_secs(1);

/// A strong entity tag (RFC 9110 §8.8.3).
fn new_tag() -> String {
    format!("\"{:016x}\"", rand::random::<u64>())
}

impl Resources {
    /// Keeps a session until it ends; yields its entity tag. `names` are the one asked for and that of the stream.
    pub(crate) fn add(
        &self,
        id: SessionId,
        names: (StreamName, StreamName),
        session: Session,
        fragment: String,
        token: Option<String>,
    ) -> String {
        let (stream, source) = names;
        let tag = new_tag();
        let patches = (Instant::now(), 0);
        let resource =
            Resource { stream, source, session: session.clone(), fragment, tag: tag.clone(), patches, token };
        self.0.lock().insert(id, resource);
        let resources = self.clone();
        tokio::spawn(async move {
            session.ended().await;
            resources.0.lock().remove(&id);
        });
        tag
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.lock().len()
    }

    /// A session at work and the name of its stream, for someone who shows the token that it was begun with.
    pub(crate) fn session(
        &self,
        stream: &StreamName,
        id: SessionId,
        headers: &HeaderMap,
    ) -> Result<(Session, StreamName), Refusal> {
        self.find(stream, id, headers).map(|resource| (resource.session, resource.source))
    }

    /// A session, for someone who shows the token that it was begun with.
    fn find(&self, stream: &StreamName, id: SessionId, headers: &HeaderMap) -> Result<Resource, Refusal> {
        let resource = self.find_any(stream, id)?;
        if resource.token.is_some() && bearer(headers)? != resource.token {
            let sentence = "send the bearer token that the session was begun with";
            return Err(Refusal::new(StatusCode::UNAUTHORIZED, sentence));
        }
        Ok(resource)
    }

    fn find_any(&self, stream: &StreamName, id: SessionId) -> Result<Resource, Refusal> {
        let resources = self.0.lock();
        let resource = resources.get(&id).filter(|resource| resource.stream == *stream);
        let gone = || {
            let sentence = "there is no such session; it has ended or never was: POST an offer for a new one";
            Refusal::new(StatusCode::NOT_FOUND, sentence)
        };
        resource.cloned().ok_or_else(gone)
    }

    /// Ends a session.
    pub(crate) async fn delete(
        &self,
        stream: &StreamName,
        id: SessionId,
        headers: &HeaderMap,
    ) -> Result<Response, Refusal> {
        let resource = self.find(stream, id, headers)?;
        self.0.lock().remove(&id);
        resource.session.end().await;
        let _ = tokio::time::timeout(END_TIME, resource.session.ended()).await;
        Ok(reply(StatusCode::OK, None, ""))
    }

    /// Takes trickled candidates, or restarts ICE.
    pub(crate) async fn patch(
        &self,
        stream: &StreamName,
        id: SessionId,
        headers: &HeaderMap,
        body: &str,
    ) -> Result<Response, Refusal> {
        let resource = self.find(stream, id, headers)?;
        self.count_patch(id, Instant::now())?;
        check_type(headers, FRAGMENT_TYPE)?;
        let any = check_precondition(headers, &resource.tag)?;
        let fragment = Fragment::parse(body)
            .map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, format!("the fragment cannot be used: {error}")))?;
        if fragment.ice_fragment() == resource.fragment {
            return match any {
                false => Ok(reply(StatusCode::NO_CONTENT, None, "")),
                true => Err(Refusal::new(
                    StatusCode::PRECONDITION_FAILED,
                    "candidates need the ETag of the ICE session in If-Match; * is for an ICE restart",
                )),
            };
        }
        self.restart(id, &resource.session, fragment).await
    }

    async fn restart(&self, id: SessionId, session: &Session, fragment: Fragment) -> Result<Response, Refusal> {
        let name = fragment.ice_fragment().to_owned();
        let over = || Refusal::new(StatusCode::NOT_FOUND, "the session has ended: POST an offer for a new one");
        let answer = session.restart_ice(fragment).await.ok_or_else(over)?;
        let tag = new_tag();
        if let Some(resource) = self.0.lock().get_mut(&id) {
            resource.tag.clone_from(&tag);
            resource.fragment = name;
        }
        let mut response = reply(StatusCode::OK, Some(FRAGMENT_TYPE), answer);
        set(&mut response, header::ETAG, &tag);
        Ok(response)
    }

    fn count_patch(&self, id: SessionId, now: Instant) -> Result<(), Refusal> {
        let mut resources = self.0.lock();
        let Some(resource) = resources.get_mut(&id) else { return Ok(()) };
        let (since, count) = &mut resource.patches;
        if now.saturating_duration_since(*since) >= Duration::from_secs(1) {
            (*since, *count) = (now, 0);
        }
        *count += 1;
        if *count <= limits::WEBRTC_PATCHES_PER_SECOND.get() {
            return Ok(());
        }
        limits::WEBRTC_PATCHES_PER_SECOND.hit();
        let sentence = "too many PATCH requests for this session; send several candidates in one";
        Err(Refusal::new(StatusCode::TOO_MANY_REQUESTS, sentence).retry_after(1))
    }
}

/// Whether the body is of the type it has to be of.
pub(crate) fn check_type(headers: &HeaderMap, expected: &str) -> Result<(), Refusal> {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case(expected) {
        return Ok(());
    }
    Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, format!("the Content-Type has to be {expected}")))
}

/// RFC 9725 §4.3.1: a change names the ICE session that it is for, or `*`. Says whether it is `*`.
fn check_precondition(headers: &HeaderMap, tag: &str) -> Result<bool, Refusal> {
    let Some(value) = headers.get(header::IF_MATCH) else {
        return Err(Refusal::new(
            StatusCode::PRECONDITION_REQUIRED,
            "send the session's ETag in If-Match, or * to restart ICE",
        ));
    };
    let text = value.to_str().unwrap_or_default();
    if text.trim() == "*" {
        return Ok(true);
    }
    if text.split(',').any(|given| given.trim() == tag) {
        return Ok(false);
    }
    Err(Refusal::new(
        StatusCode::PRECONDITION_FAILED,
        "the ETag in If-Match is not that of the present ICE session; it changes with each ICE restart",
    ))
}
