//! Loads one rendition: its playlist again and again, and what it lists, part by part or segment by segment.

use std::{
    cell::RefCell,
    time::{Duration, Instant},
};

use bytes::Bytes;
use headwater_media::limits;
use tokio::time::sleep;
use url::Url;

use super::{
    fetch::{Fetcher, Missed},
    media::Demuxer,
    playlist::{Media, Playlist, Resource},
    position::{Next, Position},
};
use crate::{Failure, agents::screen::Screen, failure::Reason};

/// What is not there any more one after the other, until the viewer gives up.
const MISSES_MAX: u32 = 3;

/// A rendition that is loaded.
pub(super) struct Loader<'a> {
    fetcher: Fetcher<'a>,
    screen: &'a RefCell<Screen<'a>>,
    url: Url,
    by_parts: bool,
    demuxer: Demuxer,
    /// The init segment that was loaded last.
    map: Option<Resource>,
    /// The part that was loaded before the playlist listed it.
    ahead: Option<Resource>,
    misses: u32,
}

impl<'a> Loader<'a> {
    /// Of the playlist at this address; parts are loaded where it lists them, and that is wanted.
    pub(super) fn new(
        fetcher: Fetcher<'a>,
        screen: &'a RefCell<Screen<'a>>,
        url: Url,
        wants_parts: bool,
    ) -> Loader<'a> {
        let demuxer = Demuxer::default();
        Loader { fetcher, screen, url, by_parts: wants_parts, demuxer, map: None, ahead: None, misses: 0 }
    }

    /// Loads until the stream ends. The playlist may have been loaded already.
    ///
    /// # Errors
    /// Why nothing comes any more.
    pub(super) async fn run(mut self, loaded: Option<Media>) -> Result<(), Failure> {
        let mut media = match loaded {
            Some(media) => media,
            None => self.playlist(None, Duration::ZERO).await?,
        };
        self.by_parts &= media.part_hold_back.is_some();
        // A silence is one only where it is longer than the segments that come at once.
        self.screen.borrow_mut().expect_pauses(media.target * 4);
        let mut at = media.begin(self.by_parts);
        let (mut loaded, mut pause) = (Instant::now(), media.target);
        loop {
            at = self.load_listed(&media, at).await?;
            if media.has_ended {
                return Err(Failure::new(Reason::Ended, "the playlist says that the stream is over"));
            }
            self.load_hinted(&media, at).await?;
            let before = std::mem::take(&mut media);
            if before.blocks {
                media = self.playlist(Some(at), before.target * 3).await?;
                continue;
            }
            sleep(pause.saturating_sub(loaded.elapsed())).await;
            loaded = Instant::now();
            media = self.playlist(None, Duration::ZERO).await?;
            // RFC 8216 §6.3.4: after as long as its target, and half of it where it has not changed.
            pause = if before == media { media.target / 2 } else { media.target };
        }
    }

    /// Loads the playlist, when this is there if the server can wait for it.
    async fn playlist(&mut self, at: Option<Position>, held: Duration) -> Result<Media, Failure> {
        let mut url = self.url.clone();
        if let Some(at) = at {
            let mut query = url.query_pairs_mut();
            query.append_pair("_HLS_msn", &at.segment.to_string());
            if self.by_parts {
                query.append_pair("_HLS_part", &at.part.to_string());
            }
        }
        let what = Resource { uri: url.to_string(), range: None };
        let time = limits::LOAD_SETUP_MS.get_duration() + held;
        let loaded = self.fetcher.load(&self.url, &what, limits::LOAD_PLAYLIST_BYTES.get_usize(), time).await;
        let loaded = loaded.map_err(|missed| match missed {
            Missed::NotFound(failure) if at.is_some() => Failure { reason: Reason::Ended, ..failure },
            missed => missed.into(),
        })?;
        self.screen.borrow_mut().counts().playlists += 1;
        match Playlist::parse(&String::from_utf8_lossy(&loaded.body))? {
            Playlist::Media(media) => Ok(*media),
            Playlist::Multivariant(_) => Err(Failure::new(Reason::Protocol, "a rendition is a list of renditions")),
        }
    }

    /// Loads all that is listed from here on, and says where it goes on.
    async fn load_listed(&mut self, media: &Media, mut at: Position) -> Result<Position, Failure> {
        loop {
            match media.at(at, self.by_parts) {
                Next::Wait => return Ok(at),
                Next::Skip(to) => {
                    self.screen.borrow_mut().break_off();
                    at = to;
                }
                Next::Load { media: None, then, .. } => at = then,
                Next::Load { media: Some(resource), is_part, segment, then } => {
                    if at.part == 0 && segment.has_break {
                        self.demuxer.break_off();
                        self.screen.borrow_mut().break_off();
                    }
                    if self.ahead.take().as_ref() != Some(resource) {
                        self.init(segment.map.as_ref()).await?;
                        let loaded = self.resource(resource).await;
                        if !self.show(loaded, is_part)? {
                            // Listed, and gone: the playlist is old.
                            return Ok(then);
                        }
                    }
                    at = then;
                }
            }
        }
    }

    /// Loads the next part, which the server gives as soon as it is there.
    async fn load_hinted(&mut self, media: &Media, at: Position) -> Result<(), Failure> {
        let Some(hint) = media.hint.as_ref().filter(|_| self.by_parts && media.hinted() == at) else { return Ok(()) };
        if self.map.as_ref() != media.open.map.as_ref() {
            // The first part of a segment may need another init segment, which only the playlist tells.
            return Ok(());
        }
        let time = limits::LOAD_SETUP_MS.get_duration() + media.target * 3;
        let loaded = self.fetcher.load(&self.url, hint, limits::LOAD_MEDIA_BYTES.get_usize(), time).await;
        match loaded {
            // It did not come about: what the playlist lists in its place is loaded.
            Err(Missed::NotFound(_)) => Ok(()),
            loaded => {
                self.show(loaded.map(|loaded| loaded.body), true)?;
                self.ahead = Some(hint.clone());
                Ok(())
            }
        }
    }

    async fn init(&mut self, map: Option<&Resource>) -> Result<(), Failure> {
        let Some(map) = map.filter(|map| self.map.as_ref() != Some(map)) else { return Ok(()) };
        let segment = self.resource(map).await?;
        let mut screen = self.screen.borrow_mut();
        screen.bytes(segment.len());
        self.demuxer.init(&segment, &mut screen)?;
        self.map = Some(map.clone());
        Ok(())
    }

    async fn resource(&mut self, what: &Resource) -> Result<Bytes, Missed> {
        let time = limits::LOAD_SETUP_MS.get_duration();
        let loaded = self.fetcher.load(&self.url, what, limits::LOAD_MEDIA_BYTES.get_usize(), time).await?;
        Ok(loaded.body)
    }

    /// Shows what was loaded; says whether there was anything.
    fn show(&mut self, loaded: Result<Bytes, Missed>, is_part: bool) -> Result<bool, Failure> {
        let loaded = match loaded {
            Ok(loaded) => loaded,
            Err(Missed::NotFound(_)) if self.misses < MISSES_MAX => {
                self.misses += 1;
                return Ok(false);
            }
            Err(missed) => return Err(missed.into()),
        };
        self.misses = 0;
        let mut screen = self.screen.borrow_mut();
        screen.bytes(loaded.len());
        let counts = screen.counts();
        *(if is_part { &mut counts.parts } else { &mut counts.segments }) += 1;
        self.demuxer.show(&loaded, &mut screen, Instant::now())?;
        Ok(true)
    }
}
