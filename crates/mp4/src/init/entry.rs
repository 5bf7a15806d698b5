//! Sample entries: what a decoder must know, box by box.

use bytes::Bytes;
use headwater_codec::{aac::AudioSpecificConfig, opus::OpusHead, vp9::VpConfig};
use headwater_media::{Codec, TrackParameters};
use mp4_atom::{
    Atom, Audio, Av01, Av1c, Avc1, Avcc, Codec as SampleEntry, Dops, Esds, Hvc1, Hvcc, Mp4a, Opus, OpusChannelMapping,
    Visual, Vp09, VpcC,
    esds::{DecoderConfig, DecoderSpecific, EsDescriptor, SLConfig},
};

use crate::Mp4Error;

/// `objectTypeIndication` of MPEG-4 audio, and `streamType` of sound (ISO/IEC 14496-1 §7.2.6.6).
const MPEG4_AUDIO: u8 = 0x40;
const AUDIO_STREAM: u8 = 5;

/// Width and height of a picture as boxes count them; zero for sound.
pub(super) fn size(parameters: &TrackParameters) -> (u16, u16) {
    let video = parameters.video().unwrap_or_default();
    let side = |pixels: u32| u16::try_from(pixels).unwrap_or(u16::MAX);
    (side(video.width), side(video.height))
}

/// The sample entry of a track.
pub(super) fn sample_entry(parameters: &TrackParameters) -> Result<SampleEntry, Mp4Error> {
    let codec = parameters.codec;
    let record = || match parameters.config.is_empty() {
        true => Err(Mp4Error::NoConfiguration { codec }),
        false => Ok(&parameters.config),
    };
    let visual = || {
        let (width, height) = size(parameters);
        Visual { data_reference_index: 1, width, height, ..Visual::default() }
    };
    Ok(match codec {
        Codec::H264 => Avc1 { visual: visual(), avcc: read::<Avcc>(record()?)?, ..Avc1::default() }.into(),
        Codec::H265 => Hvc1 { visual: visual(), hvcc: read::<Hvcc>(record()?)?, ..Hvc1::default() }.into(),
        Codec::Av1 => Av01 { visual: visual(), av1c: read::<Av1c>(record()?)?, ..Av01::default() }.into(),
        Codec::Vp9 => Vp09 { visual: visual(), vpcc: vp9(record()?)?, ..Vp09::default() }.into(),
        Codec::Aac => aac(record()?)?.into(),
        Codec::Opus => opus(parameters)?.into(),
        _ => return Err(Mp4Error::Codec { codec }),
    })
}

/// A record is the body of its box.
fn read<T: Atom>(record: &Bytes) -> Result<T, Mp4Error> {
    Ok(T::decode_body(&mut record.as_ref())?)
}

/// ffmpeg tells of a picture that it has made of RGB that its samples still are, although they are subsampled, which
/// cannot be (VP codec ISO media file format binding, `matrixCoefficients`). The decoder finds the truth in the picture,
/// so nothing is said of its colours then.
fn vp9(record: &Bytes) -> Result<VpcC, Mp4Error> {
    const UNSPECIFIED: u8 = 2;
    const FULL_CHROMA: u8 = 3;
    let config = VpConfig::parse(record)?;
    let [.., matrix] = config.colour;
    if matrix == 0 && config.chroma_subsampling != FULL_CHROMA {
        return read(&VpConfig { colour: [UNSPECIFIED; 3], ..config }.write());
    }
    read(record)
}

fn audio(channels: u8, sample_rate: u32) -> Audio {
    // The field holds 16 bits; rates beyond it are told by the decoder configuration alone.
    let sample_rate = u16::try_from(sample_rate).unwrap_or(0).into();
    Audio { data_reference_index: 1, channel_count: channels.into(), sample_size: 16, sample_rate }
}

fn aac(record: &Bytes) -> Result<Mp4a, Mp4Error> {
    let config = AudioSpecificConfig::parse(record)?;
    let dec_config = DecoderConfig {
        object_type_indication: MPEG4_AUDIO,
        stream_type: AUDIO_STREAM,
        dec_specific: Some(DecoderSpecific { raw: record.to_vec(), ..DecoderSpecific::default() }),
        ..DecoderConfig::default()
    };
    Ok(Mp4a {
        audio: audio(config.channels(), config.sample_rate()),
        esds: Esds { es_desc: EsDescriptor { dec_config, sl_config: SLConfig {}, ..EsDescriptor::default() } },
        btrt: None,
        taic: None,
    })
}

/// Without a record nothing is said about samples to discard: a viewer joins in the middle.
fn opus(parameters: &TrackParameters) -> Result<Opus, Mp4Error> {
    let channels = parameters.audio().map_or(2, |audio| audio.channels);
    let head = match parameters.config.is_empty() {
        true => OpusHead { pre_skip: 0, ..OpusHead::new(channels, parameters.clock_rate.hertz()) },
        false => OpusHead::parse(&parameters.config)?,
    };
    let channel_mapping = match (head.mapping_family, head.mapping.as_ref()) {
        (family @ 1.., &[stream_count, coupled_count, ref table @ ..]) => {
            Some(OpusChannelMapping { family, stream_count, coupled_count, channel_mapping: table.to_vec() })
        }
        _ => None,
    };
    Ok(Opus {
        audio: audio(head.channels, 48_000),
        dops: Dops {
            output_channel_count: head.channels,
            pre_skip: head.pre_skip,
            input_sample_rate: head.input_sample_rate,
            output_gain: head.output_gain,
            channel_mapping,
        },
        btrt: None,
    })
}
