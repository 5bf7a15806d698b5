//! Requests -> media presentation descriptions, and what time it is.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::SystemTime,
};

use axum::http::header;
use headwater_graph::StreamState;
use headwater_media::StreamName;

use super::{GONE, Reply, Request, Trouble};
use crate::{
    broadcast::Broadcast,
    container::Format,
    dash::{CONTENT_TYPE, Style},
    error::HlsError,
    viewers::Viewer,
};

impl Request<'_> {
    /// The description of a stream. Players read it again and again: who has come with the same wish is known.
    pub(super) async fn manifest(&self, name: &StreamName) -> Result<Reply, Trouble> {
        let query = self.query()?;
        let viewer = self.visitor_of_dash(name).await?;
        let environment = self.hls.environment();
        let broadcast = self.packaged(&viewer).await?;
        let _attendance = broadcast.attend(&**environment);
        viewer.touch(environment.now());
        broadcast.ready(&**environment).await?;
        // A gate may have put another stream in the place of the one asked for.
        let found = viewer.stream().name();
        let base = if found == name { String::new() } else { format!("/{found}/") };
        let gzip = self.takes_gzip();
        let style = Style { gzip, base: &base, query: &query.carried };
        let text = broadcast.mpd(style, environment.wall_clock()).ok_or(HlsError::Empty)?;
        viewer.serve(text.len()).map_err(Trouble::Dismissed)?;
        viewer.touch(environment.now());
        self.hls.counters().playlists.fetch_add(1, Relaxed);
        Ok(Reply::new(CONTENT_TYPE, vec![text]).compressed(gzip).revalidated())
    }

    async fn visitor_of_dash(&self, name: &StreamName) -> Result<Arc<Viewer>, Trouble> {
        let viewers = self.hls.viewers();
        let authorization = self.headers.get(header::AUTHORIZATION).map(|value| value.as_bytes());
        let wish = (Format::Cmaf, self.remote.ip(), self.agent(), name, self.raw_query, authorization);
        let id = viewers.id_by(viewers.mark(wish));
        if let Some(viewer) = viewers.find_by_id(id).filter(|viewer| self.hls.is_current(viewer.stream())) {
            viewer.serve(0).map_err(Trouble::Dismissed)?;
            return Ok(viewer);
        }
        Ok(self.hls.admit(id, name, self.visitor()).await?)
    }

    /// A stream as it is packaged; one that has ended as it was, so that its end can be told.
    async fn packaged(&self, viewer: &Viewer) -> Result<Arc<Broadcast>, Trouble> {
        let stream = viewer.stream();
        if stream.state() == StreamState::Ended {
            return self.hls.packaged(stream, Format::Cmaf).ok_or(GONE);
        }
        Ok(self.hls.broadcast_soon(stream, Format::Cmaf).await?)
    }

    /// The time of day, by which players know what there is already (ISO/IEC 23009-1 §5.8.4.11).
    pub(super) fn clock(&self) -> Reply {
        let now = self.hls.environment().wall_clock().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Reply::new("text/plain; charset=utf-8", vec![crate::dash::date(now).into()]).uncached()
    }
}
