use headwater_codec::{aac::AudioSpecificConfig, h264::AvcConfig, nal::AnnexB};

use super::*;
use crate::{InitTrack, Run, fragment, init};

fn h264() -> TrackParameters {
    let stream = include_bytes!("../../../codec/fixtures/high-b.h264");
    let of_type = |wanted: u8| {
        let nal = AnnexB::new(stream).find(|nal| nal[0] & 0x1f == wanted);
        nal.map(Bytes::copy_from_slice).into_iter().collect()
    };
    let record = AvcConfig::from_parameter_sets(of_type(7), of_type(8)).unwrap();
    parameters::from_config(Codec::H264, record.write()).unwrap()
}

fn aac() -> TrackParameters {
    parameters::from_config(Codec::Aac, AudioSpecificConfig::low_complexity(48_000, 2).write()).unwrap()
}

fn sample(decode_time: u64, composition_offset: i32, sync: bool, data: &'static [u8]) -> Sample {
    Sample { decode_time, duration: 3_000, composition_offset, sync, data: Bytes::from_static(data) }
}

fn movie() -> (Bytes, Bytes, Vec<Sample>) {
    let (video, audio) = (h264(), aac());
    let tracks = [InitTrack { id: 1, parameters: &video }, InitTrack { id: 2, parameters: &audio }];
    let far = u64::from(u32::MAX) * 3;
    let samples = vec![
        sample(far, 6_000, true, b"\0\0\0\x03key"),
        sample(far + 3_000, -3_000, false, b"\0\0\0\x01b"),
        sample(far + 6_000, 0, true, b"sound"),
    ];
    let runs = [Run { track: 1, samples: &samples[..2] }, Run { track: 2, samples: &samples[2..] }];
    (init(&tracks).unwrap(), fragment(1, &runs).unwrap().join(), samples)
}

#[test]
fn what_is_written_reads_back() {
    let (init, fragment, written) = movie();
    let movie = Movie::parse(&init).unwrap();
    let kinds: Vec<_> = movie.tracks().iter().map(|track| (track.id, track.kind)).collect();
    assert_eq!(kinds, [(1, Some(TrackKind::Video)), (2, Some(TrackKind::Audio))]);
    assert_eq!(movie.tracks()[0].parameters.as_ref(), Some(&h264()));
    assert_eq!(movie.tracks()[1].parameters.as_ref().unwrap().config, aac().config);
    // Two in one piece, as a segment of several fragments is.
    let twice = Bytes::from([fragment.clone(), fragment].concat());
    let read = movie.samples(&twice).unwrap();
    let tracks: Vec<u32> = read.iter().map(|(track, _)| track.id).collect();
    assert_eq!(tracks, [1, 1, 2, 1, 1, 2]);
    assert!(read.iter().zip(written.iter().cycle()).all(|((_, read), written)| read == written), "{read:?}");
}

#[test]
fn what_is_cut_or_bent_does_no_harm() {
    let (init, fragment, _) = movie();
    for length in 0..init.len() {
        assert!(Movie::parse(&init[..length]).is_err(), "{length}");
    }
    let movie = Movie::parse(&init).unwrap();
    for length in 1..fragment.len() {
        assert!(movie.samples(&fragment.slice(..length)).is_err(), "{length}");
    }
    for at in 0..fragment.len() {
        for value in [0, 1, 0x7f, 0xff] {
            let mut bent = fragment.to_vec();
            bent[at] = value;
            let _ = movie.samples(&bent.into());
        }
    }
    for at in 0..init.len() {
        let mut bent = init.to_vec();
        bent[at] ^= 0xff;
        let _ = Movie::parse(&bent);
    }
    assert!(matches!(Movie { tracks: Vec::new() }.samples(&fragment), Err(ReadError::Track(1))));
}
