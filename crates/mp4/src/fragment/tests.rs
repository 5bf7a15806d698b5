use bytes::{Buf, Bytes};
use mp4_atom::{Decode, Header, Mdat, Moof};

use super::{Run, fragment};
use crate::{Mp4Error, Sample};

fn sample(decode_time: u64, duration: u32, composition_offset: i32, sync: bool, data: &'static [u8]) -> Sample {
    Sample { decode_time, duration, composition_offset, sync, data: Bytes::from_static(data) }
}

fn picture() -> Vec<Sample> {
    let far = u64::from(u32::MAX) * 3;
    vec![
        sample(far, 3_000, 6_000, true, b"key"),
        sample(far + 3_000, 3_000, -3_000, false, b"b"),
        sample(far + 6_000, 2_970, 0, false, b"p-frame"),
    ]
}

#[test]
fn what_is_written_reads_back_with_every_byte_in_its_place() {
    let (picture, sound) = (picture(), [sample(7, 1_024, 0, true, b"aac"), sample(1_031, 1_024, 0, true, b"more")]);
    let runs = [Run { track: 1, samples: &picture }, Run { track: 2, samples: &sound }];
    let fragment = fragment(9, &runs).unwrap();
    let bytes = fragment.join();
    assert_eq!(bytes.len(), fragment.len());
    let mut rest = bytes.as_ref();
    let moof = Moof::decode(&mut rest).unwrap();
    assert_eq!(moof.mfhd.sequence_number, 9);
    for (traf, run) in moof.traf.iter().zip(&runs) {
        assert_eq!((traf.tfhd.track_id, traf.tfhd.default_base_is_moof), (run.track, true));
        assert_eq!(traf.tfdt.as_ref().unwrap().base_media_decode_time, run.samples[0].decode_time);
        let trun = &traf.trun[0];
        let mut at = usize::try_from(trun.data_offset.unwrap()).unwrap();
        assert_eq!(trun.samples.len(), run.samples.len());
        for (entry, sample) in trun.samples.iter().zip(run.samples) {
            let size = entry.size.unwrap() as usize;
            assert_eq!(&bytes[at..at + size], &sample.data[..]);
            at += size;
            assert_eq!(entry.duration, Some(sample.duration));
            assert_eq!(entry.cts.unwrap_or(0), i64::from(sample.composition_offset));
            let flags = entry.flags.or(traf.tfhd.default_sample_flags).unwrap();
            assert_eq!(flags & 0x0001_0000 == 0, sample.sync, "sample_is_non_sync_sample");
        }
    }
    let mdat = Mdat::decode(&mut rest).unwrap();
    assert_eq!(mdat.data, b"keybp-frameaacmore");
    assert!(!rest.has_remaining());
}

#[test]
fn offsets_are_signed_and_times_have_64_bits() {
    let picture = picture();
    let head = fragment(1, &[Run { track: 1, samples: &picture }]).unwrap().head;
    let version = |kind: &[u8; 4]| head[head.windows(4).position(|bytes| bytes == kind).unwrap() + 4];
    assert_eq!((version(b"trun"), version(b"tfdt")), (1, 1));
}

#[test]
fn media_is_not_copied() {
    let picture = picture();
    let fragment = fragment(1, &[Run { track: 1, samples: &picture }]).unwrap();
    let shared = |(here, there): (&Bytes, &Sample)| here.as_ptr() == there.data.as_ptr();
    assert!(fragment.payload.iter().zip(&picture).all(shared));
    let header = Header::decode(&mut &fragment.head[fragment.head.len() - 8..]).unwrap();
    assert_eq!(header.size, Some(11));
}

#[test]
fn holes_and_nothing_are_refused() {
    let mut picture = picture();
    picture.remove(1);
    assert!(matches!(fragment(1, &[Run { track: 4, samples: &picture }]), Err(Mp4Error::Hole { track: 4, .. })));
    assert!(matches!(fragment(1, &[Run { track: 1, samples: &[] }]), Err(Mp4Error::Nothing { .. })));
    assert!(matches!(fragment(1, &[]), Err(Mp4Error::Nothing { .. })));
}
