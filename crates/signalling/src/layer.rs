//! Which of the renditions that a source sends at once a player gets.
//!
//! Left to itself a player gets what its network carries. The address of a session with `/layer` behind it lists the
//! renditions by GET and takes a choice by POST, in the words of WHEP's extension for layers
//! (`urn:ietf:params:whep:ext:core:layer`, draft-murillo-whep-03 §4.6.2).

use axum::{extract::Request, response::Response};
use headwater_graph::Stream;
use headwater_media::{StreamName, TrackKind};
use headwater_webrtc::{RenditionChoice, Session};
use http::{HeaderValue, Method, StatusCode, header};
use serde::{Deserialize, Serialize};

use crate::{
    address::{LAYER, SessionId},
    reply::{Refusal, options, reply},
    request::read,
    resource::check_type,
};

const METHODS: &str = "GET, POST, OPTIONS";
const JSON_TYPE: &str = "application/json";
const RELATION: &str = "urn:ietf:params:whep:ext:core:layer";
/// The longest label of a rendition (RFC 8851 §10 sets none; browsers use at most 16).
const LABEL_BYTES_MAX: usize = 64;

/// What a player asks for.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wish {
    /// The label of a rendition; none leaves the choice to the network.
    encoding_id: Option<String>,
}

/// What there is.
#[derive(Debug, Serialize)]
struct Layers {
    layers: Vec<Layer>,
}

/// One rendition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Layer {
    pub(crate) encoding_id: String,
    /// Pixels, where they are known. The same for the next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) width: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) height: Option<u32>,
}

/// Answers a request to the choice of a session.
pub(crate) async fn answer(stream: Option<&Stream>, session: &Session, request: Request) -> Result<Response, Refusal> {
    match *request.method() {
        Method::OPTIONS => Ok(options(METHODS, (header::HeaderName::from_static("accept-post"), JSON_TYPE))),
        Method::GET => {
            let layers = stream.map(layers).unwrap_or_default();
            let body = serde_json::to_string(&Layers { layers }).unwrap_or_default();
            Ok(reply(StatusCode::OK, Some(JSON_TYPE), body))
        }
        Method::POST => {
            let (headers, body) = read(request).await?;
            check_type(&headers, JSON_TYPE)?;
            let wish: Wish = serde_json::from_str(&body).map_err(|_| {
                let sentence = "send {\"encodingId\": LABEL} to choose a rendition, or {} to leave it to the network";
                Refusal::new(StatusCode::BAD_REQUEST, sentence)
            })?;
            if let (Some(label), Some(stream)) = (&wish.encoding_id, stream) {
                check(stream, label)?;
            }
            session.choose(wish.encoding_id.map_or(RenditionChoice::Auto, RenditionChoice::Only)).await;
            Ok(reply(StatusCode::OK, None, ""))
        }
        _ => {
            let sentence = "GET lists the renditions, POST chooses one";
            Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, sentence).allow(METHODS))
        }
    }
}

/// The label that a query such as `?rendition=h` asks for.
pub(crate) fn wanted(query: Option<&str>) -> Result<Option<String>, Refusal> {
    let pairs = query.unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    let Some((_, label)) = pairs.into_iter().find(|(key, _)| *key == "rendition") else {
        return Ok(None);
    };
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if label == "auto" {
        return Ok(None);
    }
    if label.is_empty() || label.len() > LABEL_BYTES_MAX || !label.bytes().all(is_plain) {
        let sentence = "a rendition's label has letters, digits, - and _; leave ?rendition= out for the best";
        return Err(Refusal::new(StatusCode::BAD_REQUEST, sentence));
    }
    Ok(Some(label.to_owned()))
}

/// Whether a stream comes in a rendition of this label now.
pub(crate) fn check(stream: &Stream, label: &str) -> Result<(), Refusal> {
    let layers = layers(stream);
    if layers.iter().any(|layer| layer.encoding_id == label) {
        return Ok(());
    }
    let known: Vec<&str> = layers.iter().map(|layer| layer.encoding_id.as_str()).collect();
    let label: String = label.chars().take(LABEL_BYTES_MAX).collect();
    let sentence = match known.is_empty() {
        true => format!("there is no rendition {label:?}: this stream comes in one size only"),
        false => format!("there is no rendition {label:?} of this stream now; there are {}", known.join(", ")),
    };
    Err(Refusal::new(StatusCode::NOT_FOUND, sentence))
}

/// Tells a player where it can choose.
pub(crate) fn link(response: &mut Response, home: &str, stream: &StreamName, id: SessionId) {
    let value = format!("<{home}/{stream}/whep/{id}{LAYER}>; rel=\"{RELATION}\"");
    if let Ok(value) = HeaderValue::from_str(&value) {
        response.headers_mut().append(header::LINK, value);
    }
}

/// Answers that a publisher's session has no such choice.
pub(crate) fn refuse() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "only players choose a rendition")
}

/// The renditions that a source sends at once; none if it sends one picture alone.
pub(crate) fn layers(stream: &Stream) -> Vec<Layer> {
    let renditions = stream.track(TrackKind::Video).map(|track| track.named_renditions()).unwrap_or_default();
    let layer = |rendition: &std::sync::Arc<headwater_graph::Rendition>| {
        let parameters = rendition.parameters();
        let size =
            parameters.as_deref().and_then(|parameters| parameters.video()).map(|video| (video.width, video.height));
        let known = |pixels: u32| Some(pixels).filter(|pixels| *pixels > 0);
        Some(Layer {
            encoding_id: rendition.label()?.to_owned(),
            width: size.and_then(|(width, _)| known(width)),
            height: size.and_then(|(_, height)| known(height)),
        })
    };
    renditions.iter().filter_map(layer).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_label_is_read_from_the_query() {
        let label = |query| wanted(Some(query)).map_err(|refusal| refusal.status.as_u16());
        assert_eq!(wanted(None), Ok(None));
        assert_eq!(label("a=b"), Ok(None));
        assert_eq!(label("rendition=auto"), Ok(None));
        assert_eq!(label("a=b&rendition=h"), Ok(Some("h".into())));
        for bad in ["rendition=", "rendition=%2f", "rendition=a/b", &format!("rendition={}", "a".repeat(65))] {
            assert_eq!(label(bad), Err(400), "{bad}");
        }
    }
}
