//! A viewer by HLS and Low-Latency HLS (RFC 8216, draft-pantos-hls-rfc8216bis).
//!
//! ```text
//! playlist ──► init segment, segments or parts ──► playlist, held until there is more ──► …
//!                                              └─► the next part, held until it is there
//! ```
//!
//! Each viewer has a connection of its own, and one more where sound lies apart from the picture. It loads one rendition
//! from the beginning to the end, and shows it as a player with that buffer would.

mod fetch;
mod loader;
mod media;
mod playlist;
mod position;

use std::cell::RefCell;

use headwater_media::limits;

use self::{
    fetch::Fetcher,
    loader::Loader,
    playlist::{Playlist, Resource},
};
use super::{
    Seat,
    screen::{self, Screen},
};
use crate::{Failure, failure::Reason, worker::Worker};

/// Plays the stream until told to stop.
///
/// # Errors
/// Why it did not come about or did not stay.
pub(super) async fn play(seat: &Seat, worker: &Worker) -> Result<(), Failure> {
    let screen = Screen::patient(seat, worker);
    screen::watch(&screen, seat, receive(seat, worker, &screen)).await
}

async fn receive<'a>(seat: &'a Seat, worker: &'a Worker, screen: &'a RefCell<Screen<'a>>) -> Result<(), Failure> {
    let target = &seat.target;
    let mut fetcher = Fetcher::new(worker, target);
    let what = Resource { uri: target.url.to_string(), range: None };
    let (bytes, time) = (limits::LOAD_PLAYLIST_BYTES.get_usize(), limits::LOAD_SETUP_MS.get_duration());
    let loaded = fetcher.load(&target.url, &what, bytes, time).await?;
    screen.borrow_mut().counts().playlists += 1;
    let url = loaded.url;
    let list = match Playlist::parse(&String::from_utf8_lossy(&loaded.body))? {
        Playlist::Media(media) => {
            screen.borrow_mut().join();
            return Loader::new(fetcher, screen, url, target.hls.low_latency).run(Some(*media)).await;
        }
        Playlist::Multivariant(list) => list,
    };
    let place = |uri: &str| url.join(uri).map_err(|error| Failure::new(Reason::Protocol, error));
    let (picture, sound) = list.choose(target.hls.rendition);
    let picture = place(picture.ok_or_else(|| Failure::new(Reason::Protocol, "there is no rendition"))?)?;
    screen.borrow_mut().join();
    let picture = Loader::new(fetcher, screen, picture, target.hls.low_latency).run(None);
    let Some(sound) = sound.map(place).transpose()? else { return picture.await };
    let sound = Loader::new(Fetcher::new(worker, target), screen, sound, target.hls.low_latency).run(None);
    tokio::try_join!(picture, sound).map(drop)
}
