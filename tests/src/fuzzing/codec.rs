//! Any bytes for the parsers of bitstream headers and decoder configuration records.

use bytes::Bytes;
use headwater_codec::nal::{self, AnnexB, Nals};
use headwater_codec::{aac, av1, codec_string, h264, h265, opus, parameters, vp8, vp9};
use headwater_media::{Codec, limits};

/// The codecs that a first byte chooses from.
pub(super) const CODECS: [Codec; 11] = [
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

/// A codec, and what is left of the input.
pub(super) fn split_codec(data: &[u8]) -> Option<(Codec, &[u8])> {
    let (first, rest) = data.split_first()?;
    CODECS.get(usize::from(*first) % CODECS.len()).map(|codec| (*codec, rest))
}

/// A decoder configuration record of the codec that the first byte says: pictures stay within the limit, and the
/// parameters made of it make themselves again.
pub fn decoder_configuration(data: &[u8]) {
    let Some((codec, record)) = split_codec(data) else { return };
    let record = Bytes::copy_from_slice(record);
    let _ = parameters::nal_length_size(codec, &record);
    let Ok(track) = parameters::from_config(codec, record) else { return };
    let _ = codec_string(&track);
    if let Some(video) = track.video() {
        assert!(u64::from(video.width.max(video.height)) <= limits::PICTURE_SIDE.get());
    }
    assert_eq!(parameters::from_config(codec, track.config.clone()), Ok(track));
}

/// Parameter sets and sequence headers, bare; one that is rewritten says what it said, but for the reordering.
pub fn sequence_headers(data: &[u8]) {
    let _ = (h265::Sps::parse(data), h265::parameter_set_id(data), av1::SequenceHeader::parse(data));
    let _ = (h264::parameter_set_id(data), h264::slice_type(data), h264::recovery_point(data));
    if let Ok(rewritten) = h264::without_reordering(data) {
        let before = h264::Sps::parse(data).expect("it was rewritten, so it can be read");
        let after = h264::Sps::parse(&rewritten).expect("what is written can be read");
        assert_eq!((before.width, before.height, before.id), (after.width, after.height, after.id));
        assert_eq!(after.max_num_reorder_frames, Some(0));
    }
}

/// Frames of NAL units in both forms.
pub fn nal_units(data: &[u8]) {
    let _ = (h264::is_random_access(data), h264::is_disposable(data), h264::has_parameter_sets(data));
    let _ = (h265::is_random_access(data), h265::is_disposable(data), h265::has_parameter_sets(data));
    for size in 0..=5 {
        let _ = nal::widen_lengths(Bytes::copy_from_slice(data), size);
    }
    let frame = nal::from_annexb(data);
    assert!(Nals::new(&frame).flatten().eq(AnnexB::new(data)));
    let mut stream = Vec::new();
    let _ = nal::to_annexb(data, &mut stream);
}

/// The headers of frames of every codec.
pub fn frame_headers(data: &[u8]) {
    let _ = (vp8::FrameHeader::parse(data), vp9::FrameHeader::parse(data), opus::packet_samples(data));
    let _ = (av1::is_key_frame(data), av1::has_sequence_header(data), aac::AdtsHeader::parse(data));
    let (mut sizes, mut obus) = (0, 0);
    for obu in av1::Obus::new(data).flatten() {
        sizes += obu.header.len() + obu.payload.len();
        obus += 1;
    }
    assert!(sizes <= data.len() && obus <= data.len());
}
