//! A media presentation description as text.

use std::{io, time::Duration};

use headwater_media::TrackKind;
use jiff::Timestamp;
use quick_xml::{
    Writer,
    events::{BytesDecl, BytesText, Event},
};

use super::mpd::{AdaptationSet, Mpd, PeriodElement, Representation};
use crate::names::{CLOCK, Names};

const NAMESPACE: &str = "urn:mpeg:dash:schema:mpd:2011";
/// ISO/IEC 23009-1 §8.4.
const PROFILE: &str = "urn:mpeg:dash:profile:isoff-live:2011";
/// The address has the time as text (ISO/IEC 23009-1 §5.8.4.11, urn:mpeg:dash:utc:http-xsdate).
const TIMING: &str = "urn:mpeg:dash:utc:http-xsdate:2014";
/// The number of channels by ISO/IEC 23003-3 (ISO/IEC 23009-1 §5.8.5.4).
const CHANNELS: &str = "urn:mpeg:dash:23003:3:audio_channel_configuration:2011";
/// Players stay so many segments behind, unless they know better.
const DELAY_SEGMENTS: u32 = 3;

impl Mpd {
    /// The description as text. `base` goes before each address, `query` behind. Players read it again at `location`
    /// (ISO/IEC 23009-1 §5.3.1.2), or where they have read it before.
    pub fn write(&self, base: &str, query: &str, location: Option<&str>) -> String {
        let mut writer = Writer::new_with_indent(Vec::with_capacity(4_096), b' ', 1);
        // Writing to memory never fails.
        let _ = self.write_to(&mut writer, &Around { base, query, location });
        String::from_utf8(writer.into_inner()).unwrap_or_default()
    }

    fn write_to(&self, writer: &mut Writer<Vec<u8>>, around: &Around<'_>) -> io::Result<()> {
        writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("utf-8"), None)))?;
        let ends = match self.end {
            Some(end) => ("mediaPresentationDuration", seconds(end)),
            None => ("minimumUpdatePeriod", seconds(self.update)),
        };
        let attributes = [
            ("xmlns", NAMESPACE.to_owned()),
            ("profiles", PROFILE.to_owned()),
            ("type", "dynamic".to_owned()),
            ("availabilityStartTime", date(self.anchor)),
            ("publishTime", date(self.published)),
            ends,
            ("minBufferTime", seconds(self.update)),
            ("timeShiftBufferDepth", seconds(self.window)),
            ("suggestedPresentationDelay", seconds(self.longest.max(self.update) * DELAY_SEGMENTS)),
            ("maxSegmentDuration", seconds(self.longest)),
        ];
        let mpd = attributes.iter().fold(writer.create_element("MPD"), |element, (name, value)| {
            element.with_attribute((*name, value.as_str()))
        });
        mpd.write_inner_content(|writer| {
            if let Some(location) = around.location {
                writer.create_element("Location").write_text_content(BytesText::new(location))?;
            }
            self.periods.iter().try_for_each(|period| period.write(writer, around))?;
            let clock = format!("{}{CLOCK}", around.base);
            let timing = writer.create_element("UTCTiming").with_attribute(("schemeIdUri", TIMING));
            timing.with_attribute(("value", clock.as_str())).write_empty().map(drop)
        })?;
        Ok(())
    }
}

/// What stands around each address.
struct Around<'a> {
    base: &'a str,
    query: &'a str,
    location: Option<&'a str>,
}

impl PeriodElement {
    fn write(&self, writer: &mut Writer<Vec<u8>>, around: &Around<'_>) -> io::Result<()> {
        let id = self.start.as_millis().to_string();
        let element = writer.create_element("Period").with_attribute(("id", id.as_str()));
        let element = element.with_attribute(("start", seconds(self.start).as_str()));
        element.write_inner_content(|writer| {
            self.sets.iter().try_for_each(|set| set.write(writer, self.offset, around))
        })?;
        Ok(())
    }
}

impl AdaptationSet {
    fn write(&self, writer: &mut Writer<Vec<u8>>, offset: Duration, around: &Around<'_>) -> io::Result<()> {
        let (id, kind, mime) = match self.kind {
            TrackKind::Video => ("1", "video", "video/mp4"),
            TrackKind::Audio => ("2", "audio", "audio/mp4"),
        };
        let mut element = writer.create_element("AdaptationSet").with_attribute(("id", id));
        element = element.with_attribute(("contentType", kind)).with_attribute(("mimeType", mime));
        if self.representations.len() == 1 {
            element = element.with_attribute(("segmentAlignment", "true"));
        }
        if self.is_independent {
            element = element.with_attribute(("startWithSAP", "1"));
        }
        element.write_inner_content(|writer| {
            self.representations.iter().try_for_each(|one| one.write(writer, offset, around))
        })?;
        Ok(())
    }
}

impl Representation {
    fn write(&self, writer: &mut Writer<Vec<u8>>, offset: Duration, around: &Around<'_>) -> io::Result<()> {
        let mut attributes =
            vec![("id", self.name.as_str().to_owned()), ("bandwidth", self.bandwidth.max(1).to_string())];
        attributes.extend(self.codec.clone().map(|codec| ("codecs", codec)));
        if let Some((width, height)) = self.resolution {
            attributes.extend([("width", width.to_string()), ("height", height.to_string())]);
        }
        attributes.extend(self.frame_rate.map(|rate| ("frameRate", fraction(rate))));
        attributes.extend(self.sound.map(|(rate, _)| ("audioSamplingRate", rate.to_string())));
        let element = attributes.iter().fold(writer.create_element("Representation"), |element, (name, value)| {
            element.with_attribute((*name, value.as_str()))
        });
        element.write_inner_content(|writer| {
            if let Some((_, channels)) = self.sound {
                let element = writer.create_element("AudioChannelConfiguration");
                let element = element.with_attribute(("schemeIdUri", CHANNELS));
                element.with_attribute(("value", channels.to_string().as_str())).write_empty()?;
            }
            self.write_template(writer, offset, around)
        })?;
        Ok(())
    }

    fn write_template(&self, writer: &mut Writer<Vec<u8>>, offset: Duration, around: &Around<'_>) -> io::Result<()> {
        let names = Names { rendition: &self.name, is_ts: false, query: around.query };
        let attributes = [
            ("timescale", self.timescale.to_string()),
            ("presentationTimeOffset", ticks(offset, self.timescale).to_string()),
            ("initialization", format!("{}{}", around.base, names.init(self.key))),
            ("media", format!("{}{}", around.base, names.at("$Time$", self.key))),
        ];
        let element = attributes.iter().fold(writer.create_element("SegmentTemplate"), |element, (name, value)| {
            element.with_attribute((*name, value.as_str()))
        });
        element.write_inner_content(|writer| {
            writer.create_element("SegmentTimeline").write_inner_content(|writer| {
                let mut expected = None;
                for (time, duration, repeats) in runs(&self.segments) {
                    let mut element = writer.create_element("S");
                    if expected != Some(time) {
                        element = element.with_attribute(("t", time.to_string().as_str()));
                    }
                    element = element.with_attribute(("d", duration.to_string().as_str()));
                    if repeats > 0 {
                        element = element.with_attribute(("r", repeats.to_string().as_str()));
                    }
                    element.write_empty()?;
                    expected = Some(time + duration * (repeats + 1));
                }
                Ok(())
            })?;
            Ok(())
        })?;
        Ok(())
    }
}

/// Segments of one length that follow each other, as one: when, how long, and how many more (ISO/IEC 23009-1 §5.3.9.6).
fn runs(segments: &[(u64, u64)]) -> Vec<(u64, u64, u64)> {
    let mut runs: Vec<(u64, u64, u64)> = Vec::new();
    for &(time, duration) in segments {
        match runs.last_mut() {
            Some((first, each, repeats)) if *each == duration && *first + *each * (*repeats + 1) == time => {
                *repeats += 1;
            }
            _ => runs.push((time, duration, 0)),
        }
    }
    runs
}

/// To the nearest tick.
pub(super) fn ticks(time: Duration, timescale: u32) -> u64 {
    let ticks = (time.as_nanos() * u128::from(timescale) + 500_000_000) / 1_000_000_000;
    u64::try_from(ticks).unwrap_or(u64::MAX)
}

/// A rate as xs:string of a number or of a fraction (ISO/IEC 23009-1 §5.3.7, FrameRateType).
fn fraction(rate: f64) -> String {
    let whole = |rate: f64| (rate - rate.round()).abs() < 1e-3;
    match rate {
        rate if whole(rate) => format!("{rate:.0}"),
        rate if whole(rate * 1.001) => format!("{:.0}/1001", rate * 1_001.0),
        rate => format!("{:.0}/1000", rate * 1_000.0),
    }
}

/// An xs:duration.
fn seconds(time: Duration) -> String {
    match time.subsec_nanos() {
        0 => format!("PT{}S", time.as_secs()),
        nanos => format!("PT{}.{:06}S", time.as_secs(), nanos / 1_000),
    }
}

/// An xs:dateTime.
pub(crate) fn date(since_1970: Duration) -> String {
    let time = Timestamp::UNIX_EPOCH.checked_add(since_1970).unwrap_or(Timestamp::UNIX_EPOCH);
    time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

#[cfg(test)]
mod tests;
