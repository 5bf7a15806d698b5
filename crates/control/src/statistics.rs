//! `/?action=stat`: the statistics page of WCS, in its groups and with its keys.
//!
//! What this server does not have is told as zero: it uses no port for each session, no Java and no RTSP.

mod system;

use axum::{
    Json, Router,
    extract::{Query, Request, State, rejection::QueryRejection},
    http::{Method, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tower::ServiceExt;
use utoipa::IntoParams;

use crate::{
    error::ApiError,
    rest::Api,
    stream_object::{StreamObject, describe},
};

/// Where the page is besides its address in WCS.
const PATH: &str = "/rest-api/statistics";

/// What is wanted of the page.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// "json", or "prometheus" for the same as `/metrics`; text without it.
    format: Option<String>,
    /// The groups that are wanted, with commas between them; without it, all.
    #[param(example = "connections_stats,streams_stats")]
    groups: Option<String>,
}

/// A group: its name, its heading in text, its keys with their figures.
type Group = (&'static str, &'static str, Map<String, Value>);

/// Sends requests for `/?action=stat` to the router that has [`statistics`], and all others on.
pub(crate) fn put_ahead(of: Router, control: Router) -> Router {
    of.layer(middleware::from_fn(move |request: Request, next: Next| {
        let query = request.uri().query().unwrap_or_default();
        let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
        let is_meant = is_read && request.uri().path() == "/" && query.split('&').any(|part| part == "action=stat");
        let inner = is_meant.then(|| (control.clone(), format!("{PATH}?{query}").parse()));
        async move {
            match inner {
                Some((control, Ok(address))) => {
                    let (mut head, body) = request.into_parts();
                    head.uri = address;
                    let request = Request::from_parts(head, body);
                    control.oneshot(request).await.unwrap_or_else(|never| match never {})
                }
                _ => next.run(request).await,
            }
        }
    }))
}

/// The statistics page of WCS, which is at `/?action=stat`, too.
#[utoipa::path(get, path = "/rest-api/statistics", tag = "statistics", params(Wanted), responses(
    (status = 200, description = "The groups, each with its figures.", content(
        (String = "text/plain"), (Object = "application/json"), (String = "application/openmetrics-text"),
    )),
))]
pub(crate) async fn statistics(
    State(api): State<Api>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Response, ApiError> {
    let Query(wanted) = wanted.map_err(ApiError::bad_query)?;
    let format = wanted.format.as_deref().unwrap_or_default();
    if format == "prometheus" {
        return Ok(api.metrics.page());
    }
    let is_wanted = |group: &Group| {
        let mut names = wanted.groups.iter().flat_map(|groups| groups.split(','));
        wanted.groups.is_none() || names.any(|name| name.trim() == group.0)
    };
    let groups: Vec<Group> = groups(&api).into_iter().filter(is_wanted).collect();
    if format == "json" {
        let groups = groups.into_iter().map(|(name, _, figures)| (name.to_owned(), Value::Object(figures)));
        return Ok(Json(groups.collect::<Map<String, Value>>()).into_response());
    }
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text(&groups)).into_response())
}

/// A line of dashes and the heading for each group, then its figures. What is not one figure is left to JSON.
fn text(groups: &[Group]) -> String {
    let mut page = String::new();
    for (_, heading, figures) in groups {
        page.push_str(&format!("-----{heading} Stats-----\n"));
        for (key, value) in figures {
            match value {
                Value::Object(_) => {}
                Value::String(text) => page.push_str(&format!("{key}={text}\n")),
                figure => page.push_str(&format!("{key}={figure}\n")),
            }
        }
    }
    // The parser of WCS's Web SDK takes an empty last line for a figure.
    page.truncate(page.trim_end().len());
    page
}

fn groups(api: &Api) -> Vec<Group> {
    api.accounts.sample(&api.hub);
    let streams = Streams::of(api);
    vec![
        ("connections_stats", "Connection", connections(api)),
        ("port_stats", "Port", ports()),
        ("streams_stats", "Stream", streams.figures()),
        ("native_resources", "Native resources", map(json!({"native_resources": streams.conversions}))),
        ("core_stats", "Core", system::core()),
        ("system_stats", "System", system::system()),
        ("transcoding_stats", "Transcoding", streams.transcoding()),
    ]
}

fn connections(api: &Api) -> Map<String, Value> {
    let websocket = api.clients.list().len();
    let rtmp = api.metrics.figure("rtmp_connections") as usize;
    map(json!({
        "connections": websocket.saturating_add(rtmp),
        "connections_rtmfp": 0,
        "connections_websocket": websocket,
        "connections_hls": 0,
    }))
}

fn ports() -> Map<String, Value> {
    let (uses, states) = (["media", "wcs_agents"], ["free", "busy", "quarantine"]);
    let media = uses.iter().flat_map(|of| states.iter().map(move |state| format!("ports_{of}_{state}")));
    let rest = ["leased", "available", "pending"].map(|state| format!("ports_rest_api_{state}"));
    media.chain(rest).map(|key| (key, json!(0))).collect()
}

/// All streams, counted.
#[derive(Default)]
struct Streams {
    rtmp_in: usize,
    rtmp_out: usize,
    webrtc_in: usize,
    webrtc_out: usize,
    viewers: usize,
    conversions: usize,
    synchronization: Vec<String>,
    names: Vec<String>,
}

impl Streams {
    fn of(api: &Api) -> Streams {
        let mut counted = Streams::default();
        let mut streams = api.hub.streams();
        streams.sort_by(|a, b| a.name().cmp(b.name()));
        for (object, _) in streams.iter().flat_map(|stream| describe(stream, &api.accounts)) {
            counted.add(&object);
        }
        counted
    }

    fn add(&mut self, object: &StreamObject) {
        match (object.media_provider, object.published) {
            ("RTMP", true) => self.rtmp_in += 1,
            ("RTMP", false) => self.rtmp_out += 1,
            ("WebRTC", true) => self.webrtc_in += 1,
            ("WebRTC", false) => self.webrtc_out += 1,
            _ => {}
        }
        if !object.published {
            self.viewers += 1;
            return;
        }
        self.conversions += object.conversions.len();
        self.names.push(object.name.clone());
        let sync = object.measured.synchronization();
        self.synchronization.extend(sync.map(|sync| format!("{}/{sync}", object.name)));
    }

    fn figures(&self) -> Map<String, Value> {
        map(json!({
            "streams_rtsp_in": 0,
            "streams_rtsp_out": 0,
            "streams_websocket_out": 0,
            "streams_rtmp_in": self.rtmp_in,
            "streams_rtmp_out": self.rtmp_out,
            "streams_webrtc_in": self.webrtc_in,
            "streams_webrtc_out": self.webrtc_out,
            "streams_rtmfp_in": 0,
            "streams_rtmfp_out": 0,
            "streams_hls": 0,
            "streams_viewers": self.viewers,
            "streams_synchronization": self.synchronization.join(";"),
        }))
    }

    /// No video is transcoded; WCS's console reads an object for each stream all the same.
    fn transcoding(&self) -> Map<String, Value> {
        let streams = self.names.iter().map(|name| (name.clone(), json!({"distributors": {}})));
        map(json!({"transcoding_video_full_info": streams.collect::<Map<String, Value>>()}))
    }
}

fn map(figures: Value) -> Map<String, Value> {
    match figures {
        Value::Object(figures) => figures,
        _ => Map::new(),
    }
}
