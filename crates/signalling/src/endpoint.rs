//! What WHEP and WHIP have in common: which method does what where, and how a new session is answered.

use axum::{extract::Request, response::Response};
use headwater_media::StreamName;
use headwater_webrtc::Accepted;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

use crate::{
    address::{self, SessionId, Target},
    reply::{Refusal, options, reply, set},
    request::read,
    resource::{FRAGMENT_TYPE, Resources, SESSION_METHODS},
};

const ENDPOINT_METHODS: &str = "POST, OPTIONS";
pub(crate) const SDP_TYPE: &str = "application/sdp";
const ACCEPT_POST: HeaderName = HeaderName::from_static("accept-post");
const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");

/// An endpoint for each stream, and the sessions begun there. Cloning is cheap.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    /// How its paths end.
    word: &'static str,
    /// What happens there, in a sentence for those who look for something else.
    what: &'static str,
    /// Values of `Link` headers, one for each ICE server.
    ice_servers: Vec<HeaderValue>,
    pub(crate) resources: Resources,
}

/// What a request asks for.
pub(crate) enum Asked {
    /// A session with a stream.
    Session(StreamName, Request),
    /// Something of a session's choice of rendition.
    Layer(StreamName, SessionId, Request),
    /// Something that has been answered already.
    Done(Response),
}

impl Endpoint {
    /// `ice_servers` are URLs such as `stun:stun.example.org`, which peers are told of; those that make no header
    /// are left out.
    pub(crate) fn new(word: &'static str, what: &'static str, ice_servers: &[String]) -> Endpoint {
        let link = |url: &String| HeaderValue::from_str(&format!("<{url}>; rel=\"ice-server\"")).ok();
        let ice_servers = ice_servers.iter().filter_map(link).collect();
        Endpoint { word, what, ice_servers, resources: Resources::default() }
    }

    /// Answers what is not a wish for a session.
    pub(crate) async fn ask(&self, request: Request) -> Result<Asked, Refusal> {
        let not_found = || Refusal::new(StatusCode::NOT_FOUND, format!("there is nothing here; {}", self.what));
        let target = address::parse(request.uri().path(), self.word).ok_or_else(not_found)?;
        let target = target.map_err(|error| Refusal::new(StatusCode::NOT_FOUND, error.to_string()))?;
        let method = request.method().clone();
        match (target, method) {
            (Target::Endpoint(stream), Method::POST) => return Ok(Asked::Session(stream, request)),
            (Target::Layer(stream, id), _) => return Ok(Asked::Layer(stream, id, request)),
            (Target::Endpoint(_), Method::OPTIONS) => Ok(options(ENDPOINT_METHODS, (ACCEPT_POST, SDP_TYPE))),
            (Target::Endpoint(stream), method) => Err(self.refuse_method(&method, &stream)),
            (Target::Session(stream, id), Method::PATCH) => {
                let (headers, body) = read(request).await?;
                self.resources.patch(&stream, id, &headers, &body).await
            }
            (Target::Session(stream, id), Method::DELETE) => {
                self.resources.delete(&stream, id, request.headers()).await
            }
            (Target::Session(..), Method::OPTIONS) => Ok(options(SESSION_METHODS, (ACCEPT_PATCH, FRAGMENT_TYPE))),
            (Target::Session(..), method) => Err(Refusal::new(
                StatusCode::METHOD_NOT_ALLOWED,
                format!("{method} does nothing here: a session takes PATCH, and DELETE to end it"),
            )
            .allow(SESSION_METHODS)),
        }
        .map(Asked::Done)
    }

    fn refuse_method(&self, method: &Method, stream: &StreamName) -> Refusal {
        let sentence = match self.word {
            "whep" => format!(
                "{method} does nothing here: a player sends its SDP offer by POST; to watch in a browser, open /play/{stream}"
            ),
            _ => format!("{method} does nothing here: an encoder sends its SDP offer by POST"),
        };
        Refusal::new(StatusCode::METHOD_NOT_ALLOWED, sentence).allow(ENDPOINT_METHODS)
    }

    /// Answers with a new session (RFC 9725 §4.2). `home` is what its address begins with; of the names the first is
    /// the one asked for, the second that of the stream.
    pub(crate) fn created(
        &self,
        home: &str,
        (stream, source): (&StreamName, &StreamName),
        accepted: &Accepted,
        fragment: String,
        token: Option<String>,
    ) -> (SessionId, Response) {
        let id = SessionId::random();
        let tag = self.resources.add(id, (stream.clone(), source.clone()), accepted.session.clone(), fragment, token);
        let mut response = reply(StatusCode::CREATED, Some(SDP_TYPE), &*accepted.sdp);
        set(&mut response, header::LOCATION, &format!("{home}/{stream}/{}/{id}", self.word));
        set(&mut response, header::ETAG, &tag);
        set(&mut response, ACCEPT_PATCH, FRAGMENT_TYPE);
        for link in &self.ice_servers {
            response.headers_mut().append(header::LINK, link.clone());
        }
        (id, response)
    }

    /// Checks the type of an offer.
    pub(crate) fn check_offer(headers: &HeaderMap) -> Result<(), Refusal> {
        crate::resource::check_type(headers, SDP_TYPE)
    }
}
