//! Any bytes for HLS: addresses, and frames of any kind and time on their way into segments and playlists.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use headwater_codec::{aac::AudioSpecificConfig, h264::AvcConfig, parameters::from_config};
use headwater_hls::{
    Address, Container, Format, Item, MediaPlaylist, Names, Numbers, RenditionName, Segmenter, Window, WindowOptions,
    is_hls,
};
use headwater_media::{Codec, TrackParameters};

use super::codec::split_codec;
use super::frames::{Odd, frames};

/// The path of a request: what it is read as is written as the same path, and is known for one of HLS.
pub fn hls_address(data: &[u8]) {
    let Ok(path) = std::str::from_utf8(data) else { return };
    is_hls(path);
    let Some(Address::Of(stream, rendition, item)) = Address::parse(path) else { return };
    for is_ts in [false, true] {
        let names = Names { rendition: &rendition, is_ts, query: "" };
        let written = match item {
            Item::Playlist => names.playlist(),
            Item::Init { key } => names.init(key),
            Item::Segment { sequence, key } => names.segment(sequence, key),
            Item::At { time, key } => names.at(time, key),
            Item::Part { sequence, part, key } => names.part(sequence, part, key),
        };
        let again = format!("{stream}/{written}");
        assert!(is_hls(&format!("/{again}")), "{again}");
        assert_eq!(Address::parse(&again), Some(Address::Of(stream.clone(), rendition.clone(), item)), "{again}");
    }
}

/// A decoder configuration record of the codec that the first byte says, for both containers: what is written can be
/// walked through.
pub fn hls_init(data: &[u8]) {
    let Some((codec, record)) = split_codec(data) else { return };
    let Ok(parameters) = from_config(codec, Bytes::copy_from_slice(record)) else { return };
    for format in [Format::Fmp4, Format::Ts] {
        if let Ok(Some(init)) = Container::new(format).begin(&[Arc::new(parameters.clone())]) {
            assert_eq!(boxes(&init), ["ftyp", "moov"]);
        }
    }
}

/// Frames of a picture and a sound. The first byte says the container, and whether there is a picture. Playlists stay
/// ones that another implementation reads, numbers never run back, each part is whole.
pub fn hls_frames(data: &[u8]) {
    let Some((kind, data)) = data.split_first() else { return };
    let format = if kind & 1 == 0 { Format::Fmp4 } else { Format::Ts };
    let tracks = if kind & 2 == 0 { vec![video(), audio()] } else { vec![audio()] };
    let options = WindowOptions {
        segment: Duration::from_secs(1),
        part: (kind & 4 == 0).then_some(Duration::from_millis(200)),
        keep: Duration::from_secs(5),
        bytes_max: 100_000,
    };
    let mut window = Window::new(options, Numbers { sequence: 10, discontinuity: 0 });
    let container = Container::new(format);
    let Ok(mut segmenter) = Segmenter::new(options, container, tracks.clone(), SystemTime::UNIX_EPOCH) else { return };
    let mut first = 0;
    for Odd { track, what, frame } in frames(data) {
        match what {
            1 => drop(segmenter.interrupt(track, &mut window)),
            2 => drop(segmenter.change(tracks.clone(), &mut window)),
            3 => drop(segmenter.flush(&mut window)),
            _ => {}
        }
        let _ = segmenter.push(track, frame, &mut window);
        let now = window.segments().next().map_or(first, |segment| segment.sequence);
        assert!(now >= first, "numbers run back");
        first = now;
    }
    let _ = segmenter.flush(&mut window);
    check(&window, format);
    window.end();
    check(&window, format);
}

pub(super) fn video() -> Arc<TrackParameters> {
    let sps = Bytes::from_static(&[
        0x67, 0x42, 0xc0, 0x1e, 0xda, 0x02, 0x80, 0xbf, 0xe5, 0xc0, 0x44, 0x00, 0x00, 0x03, 0x00, 0x04, 0x00, 0x00,
        0x03, 0x00, 0xc8, 0x3c, 0x58, 0xba, 0x80,
    ]);
    let pps = Bytes::from_static(&[0x68, 0xce, 0x0f, 0xc8]);
    let record = AvcConfig::from_parameter_sets(vec![sps], vec![pps]).map(|record| record.write());
    let record = record.unwrap_or_else(|error| panic!("these parameter sets are good: {error}"));
    Arc::new(from_config(Codec::H264, record).unwrap_or_else(|error| panic!("so is their record: {error}")))
}

pub(super) fn audio() -> Arc<TrackParameters> {
    let config = AudioSpecificConfig::low_complexity(48_000, 2).write();
    Arc::new(from_config(Codec::Aac, config).unwrap_or_else(|error| panic!("this configuration is good: {error}")))
}

fn check(window: &Window, format: Format) {
    let is_ts = format == Format::Ts;
    let rendition = RenditionName::main();
    let names = Names { rendition: &rendition, is_ts, query: "" };
    for skip in [false, true] {
        let text = MediaPlaylist { window, names, skip, reports: &[] }.write();
        let read = m3u8_rs::parse_media_playlist_res(text.as_bytes());
        let read = read.unwrap_or_else(|error| panic!("{error:?}: {text}"));
        let longest = read.segments.iter().map(|segment| segment.duration.round() as u64).max();
        assert!(longest <= Some(read.target_duration), "{text}");
        assert!(skip || read.segments.len() == window.segments().len(), "{text}");
    }
    let sequences = window.segments().map(|segment| segment.sequence);
    let numbers: Vec<u64> = sequences.collect();
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{numbers:?}");
    for part in window.segments().flat_map(|segment| &segment.parts) {
        if is_ts {
            assert!(part.data.len() % 188 == 0 && part.data.chunks(188).all(|packet| packet[0] == 0x47));
        } else {
            assert_eq!(boxes(&part.data), ["moof", "mdat"]);
        }
    }
}

/// The names of the boxes, one behind the other up to the end (ISO/IEC 14496-12 §4.2).
pub(super) fn boxes(mut data: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    while !data.is_empty() {
        let (size, name) = (data.get(..4), data.get(4..8));
        let (Some(size), Some(name)) = (size, name) else { panic!("a box ends early") };
        let size = size.iter().fold(0, |size, byte| size << 8 | usize::from(*byte));
        assert!(size >= 8 && size <= data.len(), "a box of {size} bytes in {}", data.len());
        names.push(String::from_utf8_lossy(name).into_owned());
        data = &data[size..];
    }
    names
}
