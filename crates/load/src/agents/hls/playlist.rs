//! Playlists -> what a player needs of them (RFC 8216, draft-pantos-hls-rfc8216bis).

use std::{ops::Range, time::Duration};

use quick_m3u8::{
    HlsLine, Reader,
    config::ParsingOptionsBuilder,
    tag::{
        KnownTag,
        hls::{EnumeratedString, MediaType, PreloadHintType, Tag},
    },
};

use crate::{Failure, failure::Reason, plan::Choice};

/// A playlist.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Playlist {
    Multivariant(Multivariant),
    Media(Box<Media>),
}

/// The renditions of a stream.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Multivariant {
    variants: Vec<Variant>,
    /// Sound apart from the picture: group, address, and whether players begin with it.
    sounds: Vec<(String, String, bool)>,
}

#[derive(Clone, Debug, PartialEq)]
struct Variant {
    uri: String,
    bandwidth: u64,
    sounds: Option<String>,
}

/// One rendition, as it is now.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Media {
    pub(super) target: Duration,
    /// The number of the first segment.
    pub(super) first: u64,
    pub(super) segments: Vec<Segment>,
    /// The parts of the segment that is not whole yet, and which comes after the last of `segments`.
    pub(super) open: Segment,
    /// The next part.
    pub(super) hint: Option<Resource>,
    /// Whether requests for what is not there yet are held.
    pub(super) blocks: bool,
    /// How far from its end players begin.
    pub(super) hold_back: Option<Duration>,
    /// The same of players that load parts.
    pub(super) part_hold_back: Option<Duration>,
    pub(super) has_ended: bool,
}

/// A segment, whole or as far as it goes.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Segment {
    pub(super) duration: Duration,
    /// Nothing where it is missing (EXT-X-GAP), or not whole.
    pub(super) media: Option<Resource>,
    pub(super) parts: Vec<Part>,
    /// Its init segment.
    pub(super) map: Option<Resource>,
    /// Whether it does not continue the one before.
    pub(super) has_break: bool,
}

/// A part of a segment.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Part {
    pub(super) duration: Duration,
    /// Nothing where it is missing.
    pub(super) media: Option<Resource>,
    pub(super) is_independent: bool,
}

/// Where something lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Resource {
    pub(super) uri: String,
    /// Which bytes of it.
    pub(super) range: Option<Range<u64>>,
}

impl Playlist {
    /// Reads a playlist.
    ///
    /// # Errors
    /// It is none.
    pub(super) fn parse(text: &str) -> Result<Playlist, Failure> {
        let wrong = |words: &dyn std::fmt::Display| Failure::new(Reason::Protocol, format!("no playlist: {words}"));
        if !text.trim_start_matches('\u{feff}').starts_with("#EXTM3U") {
            return Err(wrong(&"it does not begin with #EXTM3U"));
        }
        let options = ParsingOptionsBuilder::new().with_parsing_for_all_tags().build();
        let mut reader = Reader::from_str(text, options);
        let mut reading = Reading::default();
        loop {
            match reader.read_line() {
                Ok(Some(HlsLine::KnownTag(KnownTag::Hls(tag)))) => reading.tag(&tag),
                Ok(Some(HlsLine::Uri(uri))) => reading.uri(&uri),
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(error) => return Err(wrong(&format!("{error:?}"))),
            }
        }
        match reading {
            Reading { multivariant, .. } if !multivariant.variants.is_empty() => {
                Ok(Playlist::Multivariant(multivariant))
            }
            Reading { media, .. } if media.target.is_zero() => Err(wrong(&"it has no target duration")),
            Reading { media, next, .. } => Ok(Playlist::Media(Box::new(Media { open: next, ..media }))),
        }
    }
}

impl Multivariant {
    /// The addresses of the rendition that is chosen, and of its sound where that lies apart.
    pub(super) fn choose(&self, choice: Choice) -> (Option<&str>, Option<&str>) {
        let variant = match choice {
            Choice::First => self.variants.first(),
            Choice::Lowest => self.variants.iter().min_by_key(|variant| variant.bandwidth),
            Choice::Highest => self.variants.iter().max_by_key(|variant| variant.bandwidth),
        };
        let group = variant.and_then(|variant| variant.sounds.as_deref());
        let mut sounds = self.sounds.iter().filter(|(of, ..)| group == Some(of.as_str()));
        let sound = sounds.clone().find(|(.., is_default)| *is_default).or_else(|| sounds.next());
        (variant.map(|variant| variant.uri.as_str()), sound.map(|(_, uri, _)| uri.as_str()))
    }
}

/// What has been read, and what belongs to the line that comes next.
#[derive(Default)]
struct Reading {
    multivariant: Multivariant,
    variant: Option<Variant>,
    media: Media,
    next: Segment,
    range: Option<(u64, Option<u64>)>,
    is_missing: bool,
    /// Where the next range begins that does not say it.
    range_end: u64,
    part_range_end: u64,
}

impl Reading {
    fn tag(&mut self, tag: &Tag<'_>) {
        let media = &mut self.media;
        match tag {
            Tag::StreamInf(variant) => {
                let sounds = variant.audio().map(str::to_owned);
                self.variant = Some(Variant { uri: String::new(), bandwidth: variant.bandwidth(), sounds });
            }
            Tag::Media(rendition) if rendition.media_type() == EnumeratedString::Known(MediaType::Audio) => {
                if let Some(uri) = rendition.uri() {
                    let sound = (rendition.group_id().to_owned(), uri.to_owned(), rendition.default());
                    self.multivariant.sounds.push(sound);
                }
            }
            Tag::Targetduration(target) => media.target = Duration::from_secs(target.target_duration()),
            Tag::MediaSequence(sequence) => media.first = sequence.media_sequence(),
            Tag::ServerControl(control) => {
                media.blocks = control.can_block_reload();
                media.hold_back = control.hold_back().map(seconds);
                media.part_hold_back = control.part_hold_back().map(seconds);
            }
            Tag::Map(map) => {
                let range = map.byterange().map(|range| range.offset..range.offset.saturating_add(range.length));
                self.next.map = Some(Resource { uri: map.uri().to_owned(), range });
            }
            Tag::Inf(inf) => self.next.duration = seconds(inf.duration()),
            Tag::Byterange(range) => self.range = Some((range.length(), range.offset())),
            Tag::Discontinuity(_) => self.next.has_break = true,
            Tag::Gap(_) => self.is_missing = true,
            Tag::Part(part) => {
                let range = part.byterange().map(|range| {
                    let begin = range.offset.unwrap_or(self.part_range_end);
                    begin..begin.saturating_add(range.length)
                });
                self.part_range_end = range.as_ref().map_or(0, |range| range.end);
                let resource = Resource { uri: part.uri().to_owned(), range };
                self.next.parts.push(Part {
                    duration: seconds(part.duration()),
                    media: (!part.gap()).then_some(resource),
                    is_independent: part.independent(),
                });
            }
            Tag::PreloadHint(hint) if hint.hint_type() == EnumeratedString::Known(PreloadHintType::Part) => {
                let begin = hint.byterange_start();
                let range = hint.byterange_length().map(|length| begin..begin.saturating_add(length));
                // A range without an end cannot be asked for before it is known.
                let is_whole = begin == 0 || range.is_some();
                media.hint = is_whole.then(|| Resource { uri: hint.uri().to_owned(), range });
            }
            Tag::Endlist(_) => media.has_ended = true,
            _ => {}
        }
    }

    fn uri(&mut self, uri: &str) {
        if let Some(variant) = self.variant.take() {
            self.multivariant.variants.push(Variant { uri: uri.to_owned(), ..variant });
            return;
        }
        let range = self.range.take().map(|(length, offset)| {
            let begin = offset.unwrap_or(self.range_end);
            begin..begin.saturating_add(length)
        });
        self.range_end = range.as_ref().map_or(0, |range| range.end);
        // An init segment stands for all that follow, until there is another.
        let after = Segment { map: self.next.map.clone(), ..Segment::default() };
        let mut segment = std::mem::replace(&mut self.next, after);
        segment.media = (!self.is_missing).then(|| Resource { uri: uri.to_owned(), range });
        self.is_missing = false;
        self.media.segments.push(segment);
    }
}

/// A time in a playlist; what makes no sense is none.
fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

#[cfg(test)]
mod tests;
