//! Every parser on bytes that are not what they claim to be: no panic, and no work without end.

use bytes::Bytes;
use headwater_codec::{aac, av1, h264, h265, nal, opus, parameters, vp8, vp9};
use headwater_media::Codec;
use proptest::prelude::*;

use crate::fixtures::{AV1, BASELINE, HEVC, HIGH_422_INTERLACED, HIGH_B, VP8, VP9};

const CODECS: [Codec; 11] = [
    Codec::H264,
    Codec::H265,
    Codec::Vp8,
    Codec::Vp9,
    Codec::Av1,
    Codec::Aac,
    Codec::Opus,
    Codec::Pcmu,
    Codec::Pcma,
    Codec::G722,
    Codec::Mp3,
];

fn parse_everything(data: &[u8]) {
    let bytes = Bytes::copy_from_slice(data);
    for codec in CODECS {
        if let Ok(track) = parameters::from_config(codec, bytes.clone()) {
            let _ = headwater_codec::codec_string(&track);
        }
        let _ = parameters::nal_length_size(codec, &bytes);
    }
    let _ =
        (h264::Sps::parse(data), h264::without_reordering(data), h264::slice_type(data), h264::recovery_point(data));
    let _ = (h264::is_random_access(data), h264::is_disposable(data), h264::has_parameter_sets(data));
    let _ = (h265::Sps::parse(data), h265::is_random_access(data), h265::has_parameter_sets(data));
    let _ = (av1::SequenceHeader::parse(data), av1::is_key_frame(data), av1::has_sequence_header(data));
    let _ = (vp8::FrameHeader::parse(data), vp9::FrameHeader::parse(data), opus::packet_samples(data));
    let _ = (aac::AdtsHeader::parse(data), nal::from_annexb(data));
    for size in 0..6 {
        let _ = nal::widen_lengths(bytes.clone(), size);
    }
}

#[test]
fn every_length_of_zeros_and_ones_is_harmless() {
    for length in 0..=1_500 {
        for byte in [0x00, 0xff, 0x67, 0x42] {
            parse_everything(&vec![byte; length]);
        }
    }
}

#[test]
fn real_bytes_cut_anywhere_or_with_one_byte_changed_are_harmless() {
    for stream in [BASELINE, HIGH_B, HIGH_422_INTERLACED, HEVC, VP8, VP9, AV1] {
        let start = if stream.starts_with(b"DKIF") { 44 } else { 4 };
        let head = &stream[start..(start + 100).min(stream.len())];
        for cut in 0..head.len() {
            parse_everything(&head[..cut]);
            for byte in [0x00, 0xff, head[cut] ^ 0x80, head[cut] ^ 1] {
                let mut changed = head.to_vec();
                changed[cut] = byte;
                parse_everything(&changed);
            }
        }
    }
}

proptest! {
    #[test]
    fn random_bytes_are_harmless(data in proptest::collection::vec(any::<u8>(), 0..300)) {
        parse_everything(&data);
    }

    #[test]
    fn a_rewritten_parameter_set_reads_as_one_without_reordering(tail in proptest::collection::vec(any::<u8>(), 3..80)) {
        let nal = [&[0x67][..], &tail].concat();
        if let Ok(rewritten) = h264::without_reordering(&nal) {
            let (before, after) = (h264::Sps::parse(&nal).unwrap(), h264::Sps::parse(&rewritten).unwrap());
            prop_assert_eq!(after.max_num_reorder_frames, Some(0));
            prop_assert_eq!((before.width, before.height, before.id), (after.width, after.height, after.id));
        }
    }
}
