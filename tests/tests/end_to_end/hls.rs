//! Players of HLS play what encoders and browsers send.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use headwater_tests::http::{self, Answer};
use headwater_tests::origin::Origin;

mod access;
mod always;
mod any_node;
mod cache;
mod codecs;
mod control;
mod crowd;
mod held;
mod leave;
mod narrow;
mod native;
mod odd;
mod own;
mod page;
mod paused;
mod players;
mod playlists;
mod reader;
mod renditions;
mod segments;
mod still;

pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// A playlist or a piece of media by its path, which must be there.
pub(super) fn fetch(origin: &Origin, path: &str) -> Result<Answer> {
    let answer = http::get(&origin.http(), path)?;
    ensure!(answer.status == 200, "{path}: {answer:?}");
    Ok(answer)
}

/// The path of the first media playlist of a stream, which makes one more viewer.
pub(super) fn media_playlist(origin: &Origin, index: &str) -> Result<String> {
    let text = fetch(origin, index)?.body;
    let address = text.lines().find(|line| !line.starts_with('#')).with_context(|| format!("no variant in {text}"))?;
    Ok(beside(index, address))
}

/// The path that an address in the playlist at a path means.
pub(super) fn beside(playlist: &str, address: &str) -> String {
    let folder = playlist.split('?').next().and_then(|path| path.rsplit_once('/')).map_or("", |(folder, _)| folder);
    format!("{folder}/{address}")
}
