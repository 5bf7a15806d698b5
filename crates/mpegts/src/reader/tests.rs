use bytes::Bytes;
use headwater_codec::{aac::AudioSpecificConfig, nal::from_annexb, parameters::from_config};
use headwater_media::{Codec, TrackParameters};

use super::*;
use crate::{Unit as Written, Writer};

fn video() -> TrackParameters {
    from_config(Codec::H264, Bytes::new()).unwrap()
}

fn audio() -> TrackParameters {
    from_config(Codec::Aac, AudioSpecificConfig::low_complexity(48_000, 2).write()).unwrap()
}

fn picture(kind: u8, bytes: usize) -> Vec<u8> {
    let mut frame = Vec::new();
    let unit: Vec<u8> = std::iter::once(kind).chain((0..bytes).map(|at| at as u8 | 1)).collect();
    headwater_codec::nal::push(&unit, &mut frame);
    frame
}

/// Two pictures, of which the first is large, and a packet of sound between them.
fn segment() -> Vec<u8> {
    let mut writer = Writer::new([&video(), &audio()]).unwrap();
    let mut out = Vec::new();
    writer.tables(&mut out);
    let (key, delta) = (picture(0x65, 70_000), picture(0x41, 170));
    let late = (1 << 33) - 90_000 - 1_500;
    let unit = |dts, random_access, data| Written { pts: dts + 3_000, dts, random_access, data };
    writer.units(0, &[unit(late, true, &key)], &mut out).unwrap();
    let sound = Written { pts: 9_000, dts: 9_000, random_access: true, data: &[7; 300] };
    writer.units(1, &[sound, sound], &mut out).unwrap();
    writer.units(0, &[unit(late + 3_000, false, &delta)], &mut out).unwrap();
    out
}

#[test]
fn what_is_written_reads_back_with_its_times() {
    let mut reader = Reader::new();
    // Units are handed on as they end, and a second piece goes on by the tables of the first.
    let segment = segment();
    for piece in [&segment[..], &segment[2 * PACKET_BYTES..]] {
        let mut found = reader.read(piece).unwrap();
        found.sort_by_key(|unit| (unit.pid, unit.data.len()));
        let [delta, key, sound] = &found[..] else { panic!("{} units", found.len()) };
        assert_eq!((key.stream_type, delta.stream_type, sound.stream_type), (0x1b, 0x1b, 0x0f));
        assert_eq!((key.random_access, delta.random_access), (true, false));
        // A second is added by the writer, and the count begins anew after 33 bits.
        assert_eq!((key.dts, key.pts), (Some((1 << 33) - 1_500), Some(1_500)));
        assert_eq!((delta.dts, delta.pts), (Some(1_500), Some(4_500)));
        assert_eq!((sound.dts, sound.pts), (None, Some(99_000)));
        let nals = |unit: &Pes| from_annexb(&unit.data).len();
        assert_eq!((nals(key), nals(delta)), (70_000 + 1 + 4 + 6, 170 + 1 + 4 + 6));
        assert_eq!((sound.data.len(), &sound.data[7..10]), (2 * 307, &[7; 3][..]));
    }
}

#[test]
fn what_is_cut_or_bent_does_no_harm() {
    let segment = segment();
    for length in 0..6 * PACKET_BYTES {
        let read = Reader::new().read(&segment[..length]);
        assert_eq!(read.is_err(), !length.is_multiple_of(PACKET_BYTES) || read.is_err(), "{length}");
    }
    assert_eq!(Reader::new().read(&segment[1..189]), Err(ReadError::Sync { at: 0 }));
    assert_eq!(Reader::new().read(&[0; 100]), Err(ReadError::Short));
    for at in 0..4 * PACKET_BYTES {
        for value in [0, 1, 0x47, 0x7f, 0xff] {
            let mut bent = segment[..8 * PACKET_BYTES].to_vec();
            bent[at] = value;
            let mut reader = Reader::new();
            let _ = reader.read(&bent);
            let _ = reader.read(&segment);
        }
    }
}
