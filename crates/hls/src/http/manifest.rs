//! Requests -> media presentation descriptions, and what time it is.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::SystemTime,
};

use axum::http::header;
use headwater_graph::StreamState;
use headwater_media::StreamName;

use super::{GONE, Query, Reply, Request, Trouble, base};
use crate::{
    broadcast::Broadcast,
    container::Format,
    dash::{CONTENT_TYPE, Style},
    error::HlsError,
    viewers::{Viewer, ViewerId},
};

impl Request<'_> {
    /// The description of a stream. Players read it again and again: who has come with the same wish is known.
    pub(super) async fn manifest(&self, path: &str, name: &StreamName) -> Result<Reply, Trouble> {
        let query = self.query()?;
        let (id, viewer) = self.visitor_of_dash(name, &query).await?;
        let environment = self.hls.environment();
        let broadcast = self.packaged(&viewer).await?;
        let _attendance = broadcast.attend(&**environment);
        viewer.touch(environment.now());
        broadcast.ready(&**environment).await?;
        // A gate may have put another stream in the place of the one asked for.
        let home = if query.viewer.is_some() { "" } else { self.hls.home() };
        let found = viewer.stream().name();
        let base = match query.viewer {
            // Relative, as what is before it says which server it is.
            Some(_) if found != name => format!("{}{found}/", "../".repeat(path.matches('/').count())),
            _ => base(home, path, (name, found)),
        };
        // Read again where all that it leads to is. Who knows nothing of that is led there by a cookie.
        let location = home.strip_prefix('/').map(|home| {
            format!("{}{home}/{path}{}", "../".repeat(path.matches('/').count()), query.carried_with_viewer(id))
        });
        let gzip = self.takes_gzip();
        let style = Style { gzip, base: &base, query: &query.carried, location: location.as_deref() };
        let text = broadcast.mpd(style, environment.wall_clock()).ok_or(HlsError::Empty)?;
        viewer.serve(text.len()).map_err(Trouble::Dismissed)?;
        viewer.touch(environment.now());
        self.hls.counters().playlists.fetch_add(1, Relaxed);
        let reply = Reply::new(CONTENT_TYPE, vec![text]).compressed(gzip).revalidated();
        Ok(if home.is_empty() { reply } else { reply.at_home(home) })
    }

    async fn visitor_of_dash(&self, name: &StreamName, query: &Query) -> Result<(ViewerId, Arc<Viewer>), Trouble> {
        let viewers = self.hls.viewers();
        let authorization = self.headers.get(header::AUTHORIZATION).map(|value| value.as_bytes());
        let wish = (Format::Cmaf, self.remote.ip(), self.agent(), name, self.raw_query, authorization);
        let own = viewers.id_by(viewers.mark(wish));
        let id = query.viewer.unwrap_or(own);
        // What is brought may be another's, of another stream.
        let known = if id == own { viewers.find_by_id(id) } else { viewers.find(id, name) };
        if let Some(viewer) = known.filter(|viewer| self.hls.is_current(viewer.stream())) {
            viewer.serve(0).map_err(Trouble::Dismissed)?;
            return Ok((id, viewer));
        }
        Ok((id, self.hls.admit(id, name, self.visitor()).await?))
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
