use bytes::Bytes;
use headwater_codec::{
    aac::AudioSpecificConfig,
    av1::{Av1Config, Obus, obu_type},
    codec_string,
    h264::AvcConfig,
    h265::{HevcConfig, nal_type},
    nal::AnnexB,
    opus::OpusHead,
    parameters,
    vp9::VpConfig,
};
use headwater_media::{Codec, TrackParameters};
use mp4_atom::{Codec as SampleEntry, Decode, Ftyp, Moov};

use super::{InitTrack, init, needs_new_init};
use crate::Mp4Error;

fn read_back(tracks: &[&TrackParameters]) -> Moov {
    let tracks: Vec<_> = tracks.iter().zip(1..).map(|(parameters, id)| InitTrack { id, parameters }).collect();
    let bytes = init(&tracks).unwrap();
    let mut rest = bytes.as_ref();
    assert_eq!(Ftyp::decode(&mut rest).unwrap().major_brand, (*b"iso6").into());
    let moov = Moov::decode(&mut rest).unwrap();
    assert!(rest.is_empty());
    moov
}

fn contains(tracks: &[&TrackParameters], record: &[u8]) -> bool {
    let tracks: Vec<_> = tracks.iter().zip(1..).map(|(parameters, id)| InitTrack { id, parameters }).collect();
    init(&tracks).unwrap().windows(record.len()).any(|bytes| bytes == record)
}

fn parameters(codec: Codec, config: Bytes) -> TrackParameters {
    parameters::from_config(codec, config).unwrap()
}

/// The first NAL unit for which that holds.
fn first(stream: &[u8], is: impl Fn(u8) -> bool) -> Vec<Bytes> {
    AnnexB::new(stream).find(|nal| is(nal[0])).map(Bytes::copy_from_slice).into_iter().collect()
}

fn h264() -> TrackParameters {
    let stream = include_bytes!("../../../codec/fixtures/high-b.h264");
    let of_type = |wanted: u8| first(stream, |byte| byte & 0x1f == wanted);
    parameters(Codec::H264, AvcConfig::from_parameter_sets(of_type(7), of_type(8)).unwrap().write())
}

fn h265() -> TrackParameters {
    let stream = include_bytes!("../../../codec/fixtures/hevc.h265");
    let of_type = |wanted: u8| first(stream, |byte| (byte >> 1) & 0x3f == wanted);
    let [vps, sps, pps] = [nal_type::VPS, nal_type::SPS, nal_type::PPS].map(of_type);
    parameters(Codec::H265, HevcConfig::from_parameter_sets(vps, sps, pps).unwrap().write())
}

fn av1() -> TrackParameters {
    // Behind the heads of the IVF file and of its first frame.
    let unit = &include_bytes!("../../../codec/fixtures/av1.ivf")[44..];
    let header = Obus::new(unit).flatten().find(|obu| obu.obu_type() == obu_type::SEQUENCE_HEADER).unwrap();
    parameters(Codec::Av1, Av1Config::from_sequence_header(&header).unwrap().write())
}

fn aac() -> TrackParameters {
    parameters(Codec::Aac, AudioSpecificConfig::low_complexity(44_100, 2).write())
}

#[test]
fn every_codec_has_its_entry_with_the_record_of_the_source() {
    let vp9 =
        VpConfig { profile: 0, level: 31, bit_depth: 8, chroma_subsampling: 1, full_range: false, colour: [1; 3] };
    let vp9 = parameters(Codec::Vp9, vp9.write());
    let cases = [(h264(), "avc1"), (h265(), "hvc1"), (av1(), "av01"), (vp9, "vp09"), (aac(), "mp4a")];
    for (parameters, name) in cases {
        let moov = read_back(&[&parameters]);
        let trak = &moov.trak[0];
        assert_eq!(trak.mdia.mdhd.timescale, parameters.clock_rate.hertz());
        assert!(contains(&[&parameters], name.as_bytes()) && contains(&[&parameters], &parameters.config), "{name}");
        assert!(codec_string(&parameters).unwrap().starts_with(name));
        if let Some(video) = parameters.video() {
            assert_eq!(u32::from(trak.tkhd.width.integer()), video.width);
        }
        let defaults = &moov.mvex.unwrap().trex[0];
        assert_eq!((defaults.track_id, defaults.default_sample_description_index), (1, 1));
    }
}

/// What ffmpeg 9 sends for a picture of its own making.
#[test]
fn vp9_whose_record_says_rgb_of_subsampled_samples_has_colours_that_are_not_said() {
    let vp9 =
        VpConfig { profile: 0, level: 21, bit_depth: 8, chroma_subsampling: 1, full_range: false, colour: [2, 2, 0] };
    let moov = read_back(&[&parameters(Codec::Vp9, vp9.write())]);
    let SampleEntry::Vp09(entry) = &moov.trak[0].mdia.minf.stbl.stsd.codecs[0] else { panic!("no vp09") };
    let vpcc = &entry.vpcc;
    assert_eq!((vpcc.profile, vpcc.level, vpcc.matrix_coefficients, vpcc.color_primaries), (0, 21, 2, 2));
}

#[test]
fn he_aac_keeps_its_signalling() {
    let config =
        AudioSpecificConfig { sbr_sample_rate: Some(48_000), ..AudioSpecificConfig::low_complexity(24_000, 2) };
    let parameters = parameters(Codec::Aac, config.write());
    let moov = read_back(&[&parameters]);
    let SampleEntry::Mp4a(entry) = &moov.trak[0].mdia.minf.stbl.stsd.codecs[0] else { panic!("no mp4a") };
    assert_eq!(entry.esds.es_desc.dec_config.dec_specific.as_ref().unwrap().raw, parameters.config);
    assert_eq!(moov.trak[0].mdia.mdhd.timescale, 48_000);
}

#[test]
fn opus_discards_samples_only_where_the_source_says() {
    for (config, pre_skip) in [(Bytes::new(), 0), (OpusHead::new(1, 48_000).write(), 312)] {
        let moov = read_back(&[&parameters(Codec::Opus, config)]);
        let SampleEntry::Opus(entry) = &moov.trak[0].mdia.minf.stbl.stsd.codecs[0] else { panic!("no Opus") };
        assert_eq!(entry.dops.pre_skip, pre_skip);
    }
}

#[test]
fn a_movie_has_a_track_for_each() {
    let moov = read_back(&[&h264(), &aac()]);
    assert_eq!(moov.trak.iter().map(|trak| trak.tkhd.track_id).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(moov.mvhd.next_track_id, 3);
}

#[test]
fn what_mp4_does_not_carry_is_refused_in_words() {
    let refused = |parameters: TrackParameters| init(&[InitTrack { id: 1, parameters: &parameters }]).unwrap_err();
    assert!(matches!(refused(parameters(Codec::Pcmu, Bytes::new())), Mp4Error::Codec { codec: Codec::Pcmu }));
    let unknown = refused(parameters(Codec::H264, Bytes::new()));
    assert!(matches!(unknown, Mp4Error::NoConfiguration { codec: Codec::H264 }), "{unknown}");
    assert!(matches!(init(&[]), Err(Mp4Error::Nothing { .. })));
}

#[test]
fn records_cut_at_any_byte_do_no_harm() {
    for parameters in [h264(), h265(), av1(), aac()] {
        for length in 0..parameters.config.len() {
            let config = parameters.config.slice(..length);
            let cut = TrackParameters { config, ..parameters.clone() };
            let _ = init(&[InitTrack { id: 1, parameters: &cut }]);
        }
    }
}

#[test]
fn a_new_size_or_record_needs_a_new_init_segment_and_another_frame_rate_does_not() {
    let before = h264();
    let mut after = before.clone();
    if let headwater_media::Format::Video(video) = &mut after.format {
        video.frame_rate = Some(12.0);
    }
    assert!(!needs_new_init(&before, &after));
    if let headwater_media::Format::Video(video) = &mut after.format {
        video.width += 2;
    }
    assert!(needs_new_init(&before, &after));
    assert!(needs_new_init(&aac(), &parameters(Codec::Aac, AudioSpecificConfig::low_complexity(48_000, 2).write())));
}
