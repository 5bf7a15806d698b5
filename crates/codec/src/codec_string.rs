//! The names of codecs that browsers and playlists use (RFC 6381).

use std::fmt::Write;

use headwater_media::{Codec, TrackParameters};

use crate::aac::AudioSpecificConfig;
use crate::av1::{Av1Config, SequenceHeader};
use crate::h264::AvcConfig;
use crate::h265::HevcConfig;
use crate::vp9::VpConfig;

/// The value for the `codecs` parameter of a MIME type, such as `avc1.64001f`.
///
/// `None` when the configuration record that it is made of is missing or bad, or the codec has no such name.
pub fn codec_string(parameters: &TrackParameters) -> Option<String> {
    let config = &parameters.config;
    match parameters.codec {
        Codec::H264 => Some(format!("avc1.{}", AvcConfig::parse(config).ok()?.profile_level_id())),
        Codec::H265 => Some(h265(&HevcConfig::parse(config).ok()?)),
        Codec::Av1 => av1(&Av1Config::parse(config).ok()?),
        Codec::Vp8 => Some("vp8".into()),
        Codec::Vp9 => {
            let record = VpConfig::parse(config).ok()?;
            Some(format!("vp09.{:02}.{:02}.{:02}", record.profile, record.level, record.bit_depth))
        }
        Codec::Aac => {
            let record = AudioSpecificConfig::parse(config).ok()?;
            let object_type = match (record.parametric_stereo, record.sbr_sample_rate) {
                (true, _) => 29,
                (false, Some(_)) => 5,
                (false, None) => record.object_type,
            };
            Some(format!("mp4a.40.{object_type}"))
        }
        Codec::Opus => Some("opus".into()),
        Codec::Mp3 => Some("mp4a.6b".into()),
        _ => None,
    }
}

/// ISO/IEC 14496-15 §E.3.
fn h265(record: &HevcConfig) -> String {
    let [_, kind, c0, c1, c2, c3, constraints @ .., level, _, _, _, _, _, _, _, _, _] = &record.head;
    let space = ["", "A", "B", "C"].get(usize::from(kind >> 6)).copied().unwrap_or("");
    let profile = kind & 0x1f;
    let compatibility = u32::from_be_bytes([*c0, *c1, *c2, *c3]).reverse_bits();
    let tier = if kind & 0x20 != 0 { 'H' } else { 'L' };
    let mut text = format!("hvc1.{space}{profile}.{compatibility:X}.{tier}{level}");
    let kept = constraints.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    for byte in constraints.iter().take(kept) {
        let _ = write!(text, ".{byte:X}");
    }
    text
}

/// AV1 in ISOBMFF §5.
fn av1(record: &Av1Config) -> Option<String> {
    let [_, profile_level, format, _] = record.head;
    let (profile, level) = (profile_level >> 5, profile_level & 0x1f);
    let tier = if format & 0x80 != 0 { 'H' } else { 'M' };
    let depth = match record.sequence_header() {
        Some(obu) => SequenceHeader::parse(obu.payload).ok()?.bit_depth,
        None => 8 + 2 * ((format >> 6) & 1) + 2 * ((format >> 5) & 1),
    };
    Some(format!("av01.{profile}.{level:02}{tier}.{depth:02}"))
}
