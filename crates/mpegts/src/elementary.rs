//! Frames as transport streams carry them.

use bytes::Bytes;
use headwater_codec::{
    aac::{AdtsHeader, AudioSpecificConfig},
    h264::{self, AvcConfig},
    h265::{self, HevcConfig},
    nal::Nals,
};
use headwater_media::{Codec, TrackParameters};

use crate::error::TsError;

/// How the frames of a track are written.
#[derive(Clone, Debug)]
pub(crate) enum Elementary {
    H264 {
        /// Sequence and picture parameter sets, from the configuration record.
        sets: Vec<Bytes>,
    },
    H265 {
        sets: Vec<Bytes>,
    },
    Aac(AudioSpecificConfig),
}

const START_CODE: [u8; 4] = [0, 0, 0, 1];
/// Access unit delimiters for any kind of slice (ITU-T H.264 §7.3.2.4, H.265 §7.3.2.5).
const DELIMITER_H264: [u8; 2] = [0x09, 0xf0];
const DELIMITER_H265: [u8; 3] = [0x46, 0x01, 0x50];

impl Elementary {
    pub(crate) fn new(parameters: &TrackParameters) -> Result<Elementary, TsError> {
        let config = &parameters.config;
        match parameters.codec {
            Codec::H264 if config.is_empty() => Ok(Elementary::H264 { sets: Vec::new() }),
            Codec::H264 => {
                let record = AvcConfig::parse(config)?;
                Ok(Elementary::H264 { sets: record.sps.into_iter().chain(record.pps).collect() })
            }
            Codec::H265 if config.is_empty() => Ok(Elementary::H265 { sets: Vec::new() }),
            Codec::H265 => {
                use h265::nal_type::{PPS, SPS, VPS};
                let record = HevcConfig::parse(config)?;
                Ok(Elementary::H265 {
                    sets: [VPS, SPS, PPS].iter().flat_map(|kind| record.nals(*kind)).cloned().collect(),
                })
            }
            Codec::Aac => Ok(Elementary::Aac(AudioSpecificConfig::parse(config)?)),
            codec => Err(TsError::Codec(codec)),
        }
    }

    /// ISO/IEC 13818-1 table 2-34.
    pub(crate) fn stream_type(&self) -> u8 {
        match self {
            Elementary::H264 { .. } => 0x1b,
            Elementary::H265 { .. } => 0x24,
            Elementary::Aac(_) => 0x0f,
        }
    }

    pub(crate) fn is_video(&self) -> bool {
        !matches!(self, Elementary::Aac(_))
    }

    /// Appends a frame. Parameter sets go before each random access point that does not bring its own.
    pub(crate) fn write(&self, random_access: bool, frame: &[u8], out: &mut Vec<u8>) -> Result<(), TsError> {
        match self {
            Elementary::H264 { sets } => {
                let sets = sets.as_slice();
                let sets = if random_access && !h264::has_parameter_sets(frame) { sets } else { &[] };
                const DELIMITER: u8 = 9;
                video(&DELIMITER_H264, sets, frame, |nal| h264::unit_type(nal) == DELIMITER, out)
            }
            Elementary::H265 { sets } => {
                let sets = sets.as_slice();
                let sets = if random_access && !h265::has_parameter_sets(frame) { sets } else { &[] };
                video(&DELIMITER_H265, sets, frame, |nal| h265::unit_type(nal) == h265::nal_type::AUD, out)
            }
            Elementary::Aac(config) => {
                out.extend_from_slice(&AdtsHeader::write(config, frame.len()).ok_or(TsError::Adts)?);
                out.extend_from_slice(frame);
                Ok(())
            }
        }
    }
}

fn video(
    delimiter: &[u8],
    sets: &[Bytes],
    frame: &[u8],
    is_delimiter: impl Fn(&[u8]) -> bool,
    out: &mut Vec<u8>,
) -> Result<(), TsError> {
    let mut unit = |nal: &[u8]| {
        out.extend_from_slice(&START_CODE);
        out.extend_from_slice(nal);
    };
    unit(delimiter);
    sets.iter().for_each(|set| unit(set));
    for nal in Nals::new(frame) {
        let nal = nal?;
        if !is_delimiter(nal) {
            unit(nal);
        }
    }
    Ok(())
}
