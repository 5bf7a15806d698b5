//! As much of a playlist as a bench needs.

use anyhow::{Context, Result};

/// Where a stream has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listing {
    /// The newest segment that is whole.
    pub(super) segment: String,
    /// The newest part.
    pub(super) part: String,
    /// `_HLS_msn` and `_HLS_part` of the part that is announced.
    pub(super) next: (u64, u64),
}

impl Listing {
    /// Reads a media playlist of Low-Latency HLS.
    pub(super) fn parse(text: &str) -> Result<Listing> {
        let lines = || text.lines().rev();
        let segment = lines().find(|line| !line.starts_with('#')).context("the playlist has no segment")?;
        let uri = |tag| lines().find(|line| line.starts_with(tag)).and_then(quoted);
        let part = uri("#EXT-X-PART:").context("the playlist has no part")?;
        let hint = uri("#EXT-X-PRELOAD-HINT:").context("the playlist announces no part")?;
        let next = numbers(hint).with_context(|| format!("{hint} tells no segment and part"))?;
        Ok(Listing { segment: segment.to_owned(), part: part.to_owned(), next })
    }
}

fn quoted(line: &str) -> Option<&str> {
    line.split_once("URI=\"")?.1.split('"').next()
}

/// The numbers in `_main-SEGMENT.PART-KEY.m4s`.
fn numbers(address: &str) -> Option<(u64, u64)> {
    let (segment, part) = address.split('-').nth(1)?.split_once('.')?;
    Some((segment.parse().ok()?, part.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_segment_and_part_and_the_next_part_are_found() {
        let text = "#EXTM3U\n#EXTINF:2,\n_main-6-a.m4s\n#EXT-X-PART:DURATION=0.2,URI=\"_main-7.0-b.m4s\"\n#EXTINF:2,\n\
                    _main-7-b.m4s\n#EXT-X-PART:DURATION=0.2,INDEPENDENT=YES,URI=\"_main-8.0-c.m4s\"\n\
                    #EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"_main-8.1-c.m4s\"\n";
        let listing = Listing::parse(text).unwrap();
        assert_eq!((listing.segment.as_str(), listing.part.as_str()), ("_main-7-b.m4s", "_main-8.0-c.m4s"));
        assert_eq!(listing.next, (8, 1));
        assert!(Listing::parse("#EXTM3U\n").is_err());
    }
}
