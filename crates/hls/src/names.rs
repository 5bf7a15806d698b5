//! The addresses of playlists, segments and parts, below the name of their stream.
//!
//! ```text
//!  camera/index.m3u8                     the way in; so is camera/camera.m3u8
//!  camera/_main.m3u8                     a media playlist
//!  camera/_main-init-KEY.mp4             what a decoder needs first
//!  camera/_main-SEQUENCE-KEY.m4s         a segment
//!  camera/_main-SEQUENCE.PART-KEY.m4s    a part of one
//!  camera/manifest.mpd                   the way in by DASH; so is camera/camera.mpd
//!  camera/_video.dash-tTIME-KEY.m4s      a segment as it calls it
//!  camera/_time.txt                      what time it is
//! ```
//!
//! No part of a stream's name may begin with an underscore, so none of these can be taken for another stream.

use std::fmt;

use headwater_media::StreamName;

/// The name of a rendition in addresses: letters, digits and dots.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RenditionName(Box<str>);

const NAME_BYTES_MAX: usize = 40;

impl RenditionName {
    /// Checks a text.
    pub fn new(text: &str) -> Option<RenditionName> {
        let fits = !text.is_empty() && text.len() <= NAME_BYTES_MAX;
        let good = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.');
        (fits && good).then(|| RenditionName(text.into()))
    }

    /// That of the only rendition of a stream.
    pub fn main() -> RenditionName {
        RenditionName("main".into())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RenditionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What an address means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// The multivariant playlist of a stream.
    Index(StreamName),
    /// The media presentation description of a stream.
    Manifest(StreamName),
    /// The time of day, for players of DASH.
    Clock,
    /// Something of one rendition.
    Of(StreamName, RenditionName, Item),
}

/// Something of one rendition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item {
    /// Its media playlist.
    Playlist,
    /// An initialization section.
    Init {
        /// Which one.
        key: u64,
    },
    /// A segment.
    Segment {
        /// Its media sequence number.
        sequence: u64,
        /// What its address is known by.
        key: u64,
    },
    /// A segment, by when it begins.
    At {
        /// Stream time, in ticks of its track.
        time: u64,
        /// What its initialization section is known by.
        key: u64,
    },
    /// A part of a segment.
    Part {
        /// The segment's media sequence number.
        sequence: u64,
        /// Its place in the segment, from zero.
        part: u64,
        /// What the segment's address is known by.
        key: u64,
    },
}

/// Whether a path is one of these.
pub fn is_hls(path: &str) -> bool {
    let Some((_, last)) = path.rsplit_once('/') else { return false };
    last.ends_with(PLAYLIST) || last.starts_with('_') && [INIT, FMP4, TS].iter().any(|ending| last.ends_with(ending))
}

/// Whether a path is one of these and lies in a stream, so that no page can have it: all but the way in.
pub fn is_in_stream(path: &str) -> bool {
    let last = path.rsplit_once('/').map_or("", |(_, last)| last);
    last.starts_with('_') && is_hls(path) && !path.contains('%')
}

/// Whether a path is one that players of DASH alone ask for.
pub fn is_dash(path: &str) -> bool {
    path.ends_with(MANIFEST) || path.rsplit_once('/').is_some_and(|(_, last)| last == CLOCK)
}

/// Whether a path [is in a stream](is_in_stream) and holds media, of HLS or of DASH.
pub fn is_media(path: &str) -> bool {
    is_in_stream(path) && !path.ends_with(PLAYLIST)
}

/// The cookie that says which of several servers has described a stream: its value is that server's mark.
pub const HOME_COOKIE: &str = "headwater-home";

const PLAYLIST: &str = ".m3u8";
const MANIFEST: &str = ".mpd";
/// The last part of the address of the time of day.
pub(crate) const CLOCK: &str = "_time.txt";
const INIT: &str = ".mp4";
const FMP4: &str = ".m4s";
const TS: &str = ".ts";

impl Address {
    /// Reads the path of a request, decoded and without its first slash.
    pub fn parse(path: &str) -> Option<Address> {
        let (stream, last) = path.rsplit_once('/')?;
        if last == CLOCK {
            return Some(Address::Clock);
        }
        if let Some(rest) = last.strip_prefix('_') {
            let (name, item) = item(rest)?;
            return Some(Address::Of(StreamName::new(stream).ok()?, name, item));
        }
        match path.strip_suffix(MANIFEST) {
            Some(path) => way_in(path, "/manifest").map(Address::Manifest),
            None => way_in(path.strip_suffix(PLAYLIST)?, "/index").map(Address::Index),
        }
    }
}

/// The stream of a way in without its ending.
fn way_in(path: &str, last: &str) -> Option<StreamName> {
    if let Some(name) = path.strip_suffix(last).and_then(|name| StreamName::new(name).ok()) {
        return Some(name);
    }
    // As WCS has it: the name twice, with a slash in between.
    let (first, second) = path.split_at_checked(path.len() / 2)?;
    (second.strip_prefix('/') == Some(first)).then(|| StreamName::new(first).ok()).flatten()
}

fn item(text: &str) -> Option<(RenditionName, Item)> {
    if let Some(name) = text.strip_suffix(PLAYLIST) {
        return Some((RenditionName::new(name)?, Item::Playlist));
    }
    let (text, is_init) = match text.strip_suffix(INIT) {
        Some(text) => (text, true),
        None => (text.strip_suffix(FMP4).or(text.strip_suffix(TS))?, false),
    };
    let mut pieces = text.splitn(3, '-');
    let (name, number, key) = (RenditionName::new(pieces.next()?)?, pieces.next()?, key(pieces.next()?)?);
    if is_init {
        return (number == "init").then_some((name, Item::Init { key }));
    }
    if let Some(time) = number.strip_prefix('t') {
        return Some((name, Item::At { time: whole(time)?, key }));
    }
    let item = match number.split_once('.') {
        Some((sequence, part)) => Item::Part { sequence: whole(sequence)?, part: whole(part)?, key },
        None => Item::Segment { sequence: whole(number)?, key },
    };
    Some((name, item))
}

fn key(text: &str) -> Option<u64> {
    let good = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    good.then(|| u64::from_str_radix(text, 16).ok()).flatten()
}

fn whole(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// Writes the addresses of one rendition, relative to its playlists.
#[derive(Clone, Copy, Debug)]
pub struct Names<'a> {
    /// The rendition.
    pub rendition: &'a RenditionName,
    /// Whether its segments are transport streams.
    pub is_ts: bool,
    /// What is carried behind each, a question mark included; may be empty.
    pub query: &'a str,
}

impl Names<'_> {
    /// A media playlist.
    pub fn playlist(&self) -> String {
        format!("_{}{PLAYLIST}{}", self.rendition, self.query)
    }

    /// An initialization section.
    pub fn init(&self, key: u64) -> String {
        format!("_{}-init-{key:016x}{INIT}{}", self.rendition, self.query)
    }

    /// A segment.
    pub fn segment(&self, sequence: u64, key: u64) -> String {
        format!("_{}-{sequence}-{key:016x}{}{}", self.rendition, self.ending(), self.query)
    }

    /// A segment by its time, or the template of all of them.
    pub fn at(&self, time: impl fmt::Display, key: u64) -> String {
        format!("_{}-t{time}-{key:016x}{}{}", self.rendition, self.ending(), self.query)
    }

    /// A part of a segment.
    pub fn part(&self, sequence: u64, part: u64, key: u64) -> String {
        format!("_{}-{sequence}.{part}-{key:016x}{}{}", self.rendition, self.ending(), self.query)
    }

    fn ending(&self) -> &'static str {
        if self.is_ts { TS } else { FMP4 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> StreamName {
        StreamName::new(text).unwrap()
    }

    #[test]
    fn no_page_has_what_is_in_a_stream() {
        for path in ["/camera/_main.m3u8", "/room/camera/_main-7-0.m4s", "/play/_main-init-0.mp4", "/a/_b-7-0.ts"] {
            assert!(is_in_stream(path), "{path}");
        }
        for path in ["/camera/index.m3u8", "/camera/camera.m3u8", "/play/camera", "/a%2Fb/_main.m3u8", "/_a/b"] {
            assert!(!is_in_stream(path), "{path}");
        }
    }

    #[test]
    fn a_stream_is_found_by_the_address_of_wcs_and_by_that_of_mediamtx() {
        let cases = [
            ("camera/index.m3u8", Some("camera")),
            ("camera/camera.m3u8", Some("camera")),
            ("live/camera/index.m3u8", Some("live/camera")),
            ("live/camera/live/camera.m3u8", Some("live/camera")),
            ("index/index.m3u8", Some("index")),
            ("camera/other.m3u8", None),
            ("camera.m3u8", None),
            ("camera/manifest.m3u8", None),
            ("camera/index.mpd", None),
            ("/index.m3u8", None),
            ("../camera/index.m3u8", None),
        ];
        for (path, stream) in cases {
            assert_eq!(Address::parse(path), stream.map(|stream| Address::Index(name(stream))), "{path}");
        }
    }

    #[test]
    fn a_stream_is_found_by_dash_at_its_manifest_and_by_its_name_twice() {
        for path in ["live/camera/manifest.mpd", "live/camera/live/camera.mpd"] {
            assert_eq!(Address::parse(path), Some(Address::Manifest(name("live/camera"))), "{path}");
            assert!(is_dash(path) && !is_hls(path) && !is_in_stream(path), "{path}");
        }
        assert_eq!(Address::parse("camera/_time.txt"), Some(Address::Clock));
        assert!(is_dash("/camera/_time.txt") && !is_dash("/camera/time.txt") && !is_dash("/_time.txt.m4s"));
        assert!(is_media("/camera/_video.dash-t7-0.m4s") && !is_media("/camera/_main.m3u8"));
    }

    #[test]
    fn what_is_written_is_read() {
        let rendition = RenditionName::new("video.high").unwrap();
        for is_ts in [false, true] {
            let names = Names { rendition: &rendition, is_ts, query: "" };
            let (sequence, part, key) = (u64::MAX, 7, 0x00ab);
            let cases = [
                (names.playlist(), Item::Playlist),
                (names.init(key), Item::Init { key }),
                (names.segment(sequence, key), Item::Segment { sequence, key }),
                (names.part(sequence, part, key), Item::Part { sequence, part, key }),
                (names.at(sequence, key), Item::At { time: sequence, key }),
            ];
            for (text, item) in cases {
                let path = format!("live/camera/{text}");
                assert!(is_hls(&format!("/{path}")), "{path}");
                assert_eq!(Address::parse(&path), Some(Address::Of(name("live/camera"), rendition.clone(), item)));
                for end in 0..path.len() {
                    assert_ne!(Address::parse(&path[..end]), Address::parse(&path), "{}", &path[..end]);
                }
            }
        }
    }

    #[test]
    fn what_is_no_address_is_none() {
        for path in [
            "a/_.m3u8",
            "a/_b/.m4s",
            "a/_b-1-2.m4s",
            "a/_b-+1-00000000000000ab.m4s",
            "a/_b-99999999999999999999-00000000000000ab.m4s",
            "_a.m3u8",
            "a/_init.mp4",
            "a/_b-x-00000000000000ab.mp4",
            "a/_b-1-00000000000000äb.m4s",
        ] {
            assert_eq!(Address::parse(path), None, "{path}");
        }
        assert!(!is_hls("/camera.flv") && !is_hls("/file.mp4") && !is_hls("/dir/file.mp4"));
    }
}
