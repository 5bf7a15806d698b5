//! `/stream/page`: a part of the list of publishers or viewers, for servers that have thousands.

use std::{cmp::Ordering, collections::BTreeMap};

use axum::{Json, extract::State};
use headwater_graph::Stream;
use headwater_media::limits;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    error::ApiError,
    rest::{Api, input::Input, stream::stream_name},
    sight::Sight,
    stream_object::{StreamObject, describe, describe_publication},
};

/// Which part of the list is wanted.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = StreamPageRequest)]
pub(crate) struct Wanted {
    /// True for publishers, as where nothing is said; false for viewers.
    published: Option<bool>,
    /// The stream, where only one is meant.
    name: Option<String>,
    /// What stands, in any case, in the name of the stream, the id of the session, its address or what it calls itself.
    search: Option<String>,
    /// What the peer speaks.
    media_provider: Option<String>,
    /// "PENDING", "PUBLISHING", "PAUSED" or "PLAYING".
    status: Option<String>,
    /// What they are sorted by: "name", as where nothing is said, "bitrate", "viewers", "bytesSent", "mediaProvider" or "createDate".
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    sort: Sort,
    /// Whether the last come first.
    #[serde(default)]
    descending: bool,
    /// How many to leave out at first.
    #[serde(default)]
    offset: usize,
    /// How many to show: 50 where nothing is said, and no more than the limit `rest_page`.
    limit: Option<usize>,
}

/// What a list is sorted by.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Sort {
    #[default]
    Name,
    Bitrate,
    Viewers,
    BytesSent,
    MediaProvider,
    CreateDate,
}

/// A part of the list of publishers or viewers.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = StreamPage)]
pub(crate) struct Page {
    /// How many fit, here and on all other pages.
    found: usize,
    /// How many of them were left out at first.
    offset: usize,
    /// How many of those that fit speak what.
    #[schema(value_type = Object)]
    by_provider: BTreeMap<&'static str, usize>,
    /// These.
    streams: Vec<StreamObject>,
}

const LIMIT: usize = 50;

/// A part of the list of publishers or of viewers, searched and sorted.
#[utoipa::path(post, path = "/rest-api/stream/page", tag = "stream", request_body = Wanted, responses(
    (status = 200, description = "That part, empty where nothing fits.", body = Page),
))]
pub(crate) async fn page(
    State(api): State<Api>,
    sight: Sight,
    Input(wanted): Input<Wanted>,
) -> Result<Json<Page>, ApiError> {
    let streams = match &wanted.name {
        Some(name) => api.hub.find(&stream_name("name", name)?).into_iter().collect(),
        None => api.hub.streams(),
    };
    let search = wanted.search.as_deref().unwrap_or_default().trim().to_lowercase();
    let mut found: Vec<StreamObject> = streams.iter().flat_map(|stream| objects(&api, stream, &wanted)).collect();
    for object in &mut found {
        object.remote_address = sight.show(object.remote_address.take());
    }
    found.retain(|object| wanted.fits(object) && (search.is_empty() || mentions(object, &search)));
    found.sort_by(|a, b| wanted.order(a, b));
    let mut by_provider = BTreeMap::new();
    for object in &found {
        *by_provider.entry(object.media_provider).or_insert(0) += 1;
    }
    let most = limits::REST_PAGE.get_usize();
    let limit = wanted.limit.unwrap_or(LIMIT).min(most);
    let all = found.len();
    let streams = found.into_iter().skip(wanted.offset).take(limit).collect();
    Ok(Json(Page { found: all, offset: wanted.offset, by_provider, streams }))
}

fn objects(api: &Api, stream: &std::sync::Arc<Stream>, wanted: &Wanted) -> Vec<StreamObject> {
    match wanted.published {
        Some(false) => describe(stream, &api.accounts).into_iter().skip(1).map(|(object, _)| object).collect(),
        _ => vec![describe_publication(stream, &api.accounts)],
    }
}

impl Wanted {
    fn fits(&self, object: &StreamObject) -> bool {
        let is = |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|wanted| wanted == found);
        is(&self.media_provider, object.media_provider) && is(&self.status, object.status)
    }

    /// Those that are equal in what is asked for stand by name, and then by when they came.
    fn order(&self, a: &StreamObject, b: &StreamObject) -> Ordering {
        let by = match self.sort {
            Sort::Name => a.name.cmp(&b.name),
            Sort::Bitrate => a.bitrate.cmp(&b.bitrate),
            Sort::Viewers => a.viewers.cmp(&b.viewers),
            Sort::BytesSent => a.bytes_sent.cmp(&b.bytes_sent),
            Sort::MediaProvider => a.media_provider.cmp(b.media_provider),
            Sort::CreateDate => a.create_date.cmp(&b.create_date),
        };
        let by = if self.descending { by.reverse() } else { by };
        let key = |object: &StreamObject| (object.create_date, object.media_session_id.clone());
        by.then_with(|| a.name.cmp(&b.name)).then_with(|| key(a).cmp(&key(b)))
    }
}

/// Whether a text in lower case stands in what people look for.
fn mentions(object: &StreamObject, search: &str) -> bool {
    let texts = [
        Some(&object.name),
        Some(&object.media_session_id),
        object.remote_address.as_ref(),
        object.user_agent.as_ref(),
    ];
    texts.into_iter().flatten().any(|text| text.to_lowercase().contains(search))
}
