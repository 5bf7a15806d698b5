//! Requests -> playlists and media.

mod body;
mod held;
mod manifest;
mod query;
mod reply;

use std::{net::SocketAddr, sync::Arc, sync::atomic::Ordering::Relaxed, time::Duration};

use axum::{
    Router,
    extract::{ConnectInfo, Path, RawQuery, State},
    http::{HeaderMap, header, request::Parts},
    response::Response,
    routing::get,
};
use headwater_access::Credentials;
use headwater_media::StreamName;
use headwater_net::Shortcut;

use self::{
    query::Query,
    reply::{Reply, Trouble},
};
use crate::{
    hls::{Hls, Visitor},
    names::{Address, Item, RenditionName},
    playlist::CONTENT_TYPE,
    rendition::{Rendition, Style},
    viewers::{Viewer, ViewerId},
    waiting::Let,
    window::{Ahead, Window},
};

/// A held request is answered after so many target durations at the latest (rfc8216bis §6.2.5.2).
const HOLD_TARGETS: u32 = 3;
/// A playlist that was waited for by number may be kept for so many target durations (rfc8216bis, appendix B).
const CACHE_TARGETS: u64 = 6;

impl Hls {
    /// The routes; see [`is_hls`](crate::is_hls).
    pub fn router(&self) -> Router {
        Router::new().route("/{*path}", get(answer).options(preflight)).with_state(self.clone())
    }

    /// Answers a GET whose path [is in a stream](crate::is_in_stream), as the routes would, but at less cost: players
    /// send several of these in a second, and hundreds of them wait at once.
    ///
    /// Where there is a shortcut, requests that are held are answered by it: all that wait for a part in one go, before
    /// any of their tasks runs again. Its mark must be the empty line that ends a head.
    pub fn answer(
        &self,
        remote: SocketAddr,
        head: Parts,
        shortcut: Option<Shortcut>,
    ) -> impl Future<Output = Response> + Send + 'static {
        let hls = self.clone();
        async move {
            let path = head.uri.path();
            let path = path.strip_prefix('/').unwrap_or(path);
            let raw_query = head.uri.query().unwrap_or_default();
            let shortcut = shortcut.filter(|_| held::goes_on(&head));
            let request = Request { hls: &hls, remote, headers: &head.headers, raw_query, shortcut };
            request.respond(path).await
        }
    }
}

async fn preflight() -> Response {
    reply::preflight()
}

async fn answer(
    State(hls): State<Hls>,
    Path(path): Path<String>,
    RawQuery(query): RawQuery,
    ConnectInfo(remote): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
) -> Response {
    let raw_query = query.unwrap_or_default();
    let request = Request { hls: &hls, remote, headers: &headers, raw_query: &raw_query, shortcut: None };
    request.respond(&path).await
}

struct Request<'a> {
    hls: &'a Hls,
    remote: SocketAddr,
    headers: &'a HeaderMap,
    raw_query: &'a str,
    /// The way past the conversation of its connection.
    shortcut: Option<Shortcut>,
}

impl Request<'_> {
    async fn respond(&self, path: &str) -> Response {
        let result = match Address::parse(path) {
            Some(Address::Index(name)) => self.index(path, &name).await,
            Some(Address::Manifest(name)) => self.manifest(path, &name).await,
            Some(Address::Clock) => Ok(self.clock()),
            Some(Address::Of(name, rendition, Item::Playlist)) => self.playlist(&name, &rendition).await,
            Some(Address::Of(name, rendition, item)) => self.media(&name, &rendition, item).await,
            None => Err(Trouble::NotFound("there is no such playlist; a stream is at NAME/index.m3u8")),
        };
        result.map_or_else(Trouble::into_response, Reply::into_response)
    }

    fn query(&self) -> Result<Query, Trouble> {
        Query::parse(self.raw_query).map_err(Trouble::BadRequest)
    }

    fn agent(&self) -> &str {
        self.headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default()
    }

    fn visitor(&self) -> Visitor<'_> {
        let credentials = Credentials::of_request(self.headers, Some(self.raw_query));
        Visitor { remote: self.remote, agent: self.agent(), credentials }
    }

    fn takes_gzip(&self) -> bool {
        let accepted = self.headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
        let mut codings = accepted.flat_map(|value| value.split(','));
        codings.any(|coding| {
            let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
            name.trim().eq_ignore_ascii_case("gzip") && !matches!(weight.trim(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000")
        })
    }

    /// The way in: who comes here is a viewer from now on.
    async fn index(&self, path: &str, name: &StreamName) -> Result<Reply, Trouble> {
        let query = self.query()?;
        let (id, viewer) = self.arrive(name).await?;
        let format = query.format.unwrap_or(self.hls.config().format);
        let broadcast = self.hls.broadcast_soon(viewer.stream(), format).await?;
        broadcast.ready(&**self.hls.environment()).await?;
        let base = base(self.hls.home(), path, (name, viewer.stream().name()));
        let text = broadcast.multivariant(&base, &query.carried_with_viewer(id)).write();
        viewer.touch(self.hls.environment().now());
        self.hls.counters().playlists.fetch_add(1, Relaxed);
        Ok(Reply::new(CONTENT_TYPE, vec![text.into()]).uncached())
    }

    async fn arrive(&self, name: &StreamName) -> Result<(ViewerId, Arc<Viewer>), Trouble> {
        let viewers = self.hls.viewers();
        let authorization = self.headers.get(header::AUTHORIZATION).map(|value| value.as_bytes());
        let mark = viewers.mark((self.remote.ip(), self.agent(), name, self.raw_query, authorization));
        if let Some((id, viewer)) = viewers.find_arrived(mark) {
            return Ok((id, viewer));
        }
        let id = ViewerId::random();
        let viewer = self.hls.admit(id, name, self.visitor()).await?;
        viewers.note_arrival(mark, id);
        Ok((id, viewer))
    }

    async fn playlist(&self, name: &StreamName, rendition: &RenditionName) -> Result<Reply, Trouble> {
        let query = self.query()?;
        let viewer = self.viewer(name, &query).await?;
        let broadcast = self.hls.find(name, rendition).ok_or(GONE)?;
        let rendition = broadcast.rendition(rendition).ok_or(GONE)?;
        let now = || self.hls.environment().now();
        let _attendance = broadcast.attend(&**self.hls.environment());
        viewer.touch(now());
        let gzip = self.takes_gzip();
        let style = Style { skip: query.skip, gzip, query: &query.carried };
        if let Some(position) = query.position {
            if !rendition.read(Window::is_paused) && rendition.ahead(position) == Ahead::Far {
                return Err(Trouble::BadRequest("_HLS_msn or _HLS_part lies too far ahead of what there is"));
            }
            match self.hold(&viewer, &broadcast, rendition, position, style).await? {
                Let::Go => viewer.touch(now()),
                Let::Rest | Let::Finish => return Ok(Reply::passed()),
            }
        } else {
            broadcast.ready(&**self.hls.environment()).await?;
        }
        if rendition.read(Window::is_paused) {
            return Err(PAUSED);
        }
        let text = rendition.playlist(style, || broadcast.reports(rendition.name()));
        viewer.serve(text.len()).map_err(Trouble::Dismissed)?;
        self.hls.counters().playlists.fetch_add(1, Relaxed);
        Ok(Reply::playlist(text, gzip, query.position.map(|_| kept(rendition))))
    }

    /// Who asks for a media playlist: one who came by the way in, or one who must be let in now.
    async fn viewer(&self, name: &StreamName, query: &Query) -> Result<Arc<Viewer>, Trouble> {
        let viewers = self.hls.viewers();
        let id = query.viewer.unwrap_or_else(|| viewers.id_of(self.remote.ip(), self.agent(), name));
        if let Some(viewer) = viewers.find(id, name).filter(|viewer| self.hls.is_current(viewer.stream())) {
            viewer.serve(0).map_err(Trouble::Dismissed)?;
            return Ok(viewer);
        }
        let viewer = self.hls.admit(id, name, self.visitor()).await?;
        let format = query.format.unwrap_or(self.hls.config().format);
        self.hls.broadcast_soon(viewer.stream(), format).await?;
        Ok(viewer)
    }

    async fn wait(&self, rendition: &Rendition, here: impl Fn(&Window) -> bool) -> Result<(), Trouble> {
        let longest: Duration = rendition.read(Window::target) * HOLD_TARGETS;
        tokio::select! {
            () = rendition.until(here) => Ok(()),
            () = self.hls.environment().sleep(longest) => Err(Trouble::Late),
        }
    }

    /// Media is for all who know its address, as that is told to none but viewers.
    async fn media(&self, name: &StreamName, rendition: &RenditionName, item: Item) -> Result<Reply, Trouble> {
        let broadcast = self.hls.find(name, rendition).ok_or(GONE)?;
        let rendition = broadcast.rendition(rendition).ok_or(GONE)?;
        let _attendance = broadcast.attend(&**self.hls.environment());
        if let Item::Part { sequence, part, key } = item
            && rendition.read(|window| window.is_announced(sequence, part, key))
        {
            let _all = self.hls.holds().admit(self.remote.ip()).map_err(|full| Trouble::TooMany(full.to_string()))?;
            self.wait(rendition, |window| !window.is_announced(sequence, part, key)).await?;
        }
        let is_guessed = matches!(item, Item::At { .. });
        let item = match item {
            Item::At { time, key } => {
                let sequence = broadcast.sequence_at(rendition, time, key).ok_or(GONE)?;
                Item::Segment { sequence, key }
            }
            other => other,
        };
        if let Item::Segment { sequence, key } = item
            && rendition.read(|window| window.is_coming(sequence, key))
        {
            let _all = self.hls.holds().admit(self.remote.ip()).map_err(|full| Trouble::TooMany(full.to_string()))?;
            self.wait(rendition, |window| !window.is_coming(sequence, key)).await?;
            if is_guessed {
                return Err(UNTOLD);
            }
        }
        let pieces = rendition.read(|window| match item {
            Item::Init { key } => window.init(key).map(|bytes| vec![bytes]),
            Item::Segment { sequence, key } => window.segment(sequence, key),
            Item::Part { sequence, part, key } => window.part(sequence, part, key).map(|bytes| vec![bytes]),
            Item::Playlist | Item::At { .. } => None,
        });
        let pieces = pieces.ok_or(GONE)?;
        let bytes: usize = pieces.iter().map(bytes::Bytes::len).sum();
        self.hls.counters().media.fetch_add(1, Relaxed);
        self.hls.counters().bytes.fetch_add(bytes as u64, Relaxed);
        let content_type = if rendition.is_ts() { "video/mp2t" } else { "video/mp4" };
        Reply::new(content_type, pieces).immutable().with_range(self.headers)
    }
}

/// What goes before the addresses in the playlist at a path: nothing, unless a gate has put another stream in the place
/// of the one asked for, or other servers have to know by it that all the rest is here.
fn base(home: &str, path: &str, (asked, found): (&StreamName, &StreamName)) -> String {
    match home.strip_prefix('/') {
        // Relative, as a proxy may serve all of this below a path of its own.
        Some(home) => format!("{}{home}/{found}/", "../".repeat(path.matches('/').count())),
        None if found == asked => String::new(),
        None => format!("/{found}/"),
    }
}

/// How long caches may keep a playlist that was waited for, in seconds.
fn kept(rendition: &Rendition) -> u64 {
    CACHE_TARGETS * rendition.read(Window::target).as_secs()
}

/// Players go to another rendition at once, where they would ask again after a status of 5xx.
const PAUSED: Trouble = Trouble::NotFound("the source does not send this size of the picture now; play another one");
const GONE: Trouble = Trouble::NotFound("this is not, or no more, part of the stream; read its playlist again");
/// A description names what is whole. Who asks earlier has guessed, as ffmpeg does at the newest segment; it would lose its
/// place with an answer, as it finds that in the list that it has, and reads the segment again.
const UNTOLD: Trouble =
    Trouble::NotFound("no description had told of this segment yet; read it again, now there may be one");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn playlists_lead_to_the_server_that_has_the_rest() {
        let [room, other] = ["a/room", "other"].map(|name| StreamName::new(name).unwrap());
        let cases = [
            ("", "a/room/index.m3u8", &room, ""),
            ("", "a/room/index.m3u8", &other, "/other/"),
            ("/~0a1b2c3d4e5f", "a/room/index.m3u8", &room, "../../~0a1b2c3d4e5f/a/room/"),
            ("/~0a1b2c3d4e5f", "a/room/a/room.m3u8", &room, "../../../~0a1b2c3d4e5f/a/room/"),
            ("/~0a1b2c3d4e5f", "a/room/index.m3u8", &other, "../../~0a1b2c3d4e5f/other/"),
        ];
        for (home, path, found, expected) in cases {
            assert_eq!(base(home, path, (&room, found)), expected, "{home} {path}");
        }
    }
}
