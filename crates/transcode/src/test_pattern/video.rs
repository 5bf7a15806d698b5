//! The encoder of the test picture: OpenH264, constrained baseline, no B-frames.

use bytes::Bytes;
use headwater_codec::h264::{self, AvcConfig};
use headwater_media::Codec;
use openh264::OpenH264API;
use openh264::encoder::{
    BitRate, Complexity, Encoder, EncoderConfig, FrameRate, IntraFramePeriod, Profile, QpRange, RateControlMode,
    UsageType, VuiConfig,
};
use openh264::formats::YUVSlices;

use super::canvas::Picture;
use crate::Error;

/// One picture, coded.
pub(super) struct Coded {
    /// NAL units, each behind its length in four bytes, without parameter sets.
    pub(super) data: Bytes,
    /// Whether a decoder can start here.
    pub(super) random_access: bool,
    /// The record of the parameter sets, where the picture came with some.
    pub(super) config: Option<Bytes>,
}

pub(super) struct VideoEncoder {
    encoder: Encoder,
}

impl VideoEncoder {
    pub(super) fn new(bitrate: u32, frame_rate: u32) -> Result<VideoEncoder, Error> {
        let config = EncoderConfig::new()
            .profile(Profile::Baseline)
            .usage_type(UsageType::CameraVideoRealTime)
            .complexity(Complexity::Low)
            // The only mode that keeps to the rate without leaving pictures out.
            .rate_control_mode(RateControlMode::Bufferbased)
            .bitrate(BitRate::from_bps(bitrate))
            .qp(QpRange::new(12, 32))
            .max_frame_rate(FrameRate::from_hz(frame_rate as f32))
            .intra_frame_period(IntraFramePeriod::from_num_frames(frame_rate))
            .skip_frames(false)
            .scene_change_detect(false)
            .background_detection(false)
            .num_threads(1)
            .vui(VuiConfig::bt709());
        let encoder = Encoder::with_api_config(OpenH264API::from_source(), config).map_err(fault)?;
        Ok(VideoEncoder { encoder })
    }

    /// Encodes a picture; `None` if the rate control skips it.
    pub(super) fn encode(&mut self, picture: &Picture, key_frame: bool) -> Result<Option<Coded>, Error> {
        let (width, height) = (picture.width, picture.height);
        let strides = (width, width / 2, width / 2);
        let source = YUVSlices::new((&picture.y, &picture.u, &picture.v), (width, height), strides);
        if key_frame {
            self.encoder.force_intra_frame();
        }
        let stream = self.encoder.encode(&source).map_err(fault)?;
        coded(&stream.to_vec())
    }
}

/// Turns what the encoder gives, a byte stream with start codes, into a frame.
fn coded(stream: &[u8]) -> Result<Option<Coded>, Error> {
    let (mut data, mut sps, mut pps) = (Vec::with_capacity(stream.len() + 16), Vec::new(), Vec::new());
    for nal in headwater_codec::nal::AnnexB::new(stream) {
        match h264::unit_type(nal) {
            7 => sps.push(Bytes::copy_from_slice(nal)),
            8 => pps.push(Bytes::copy_from_slice(nal)),
            _ => headwater_codec::nal::push(nal, &mut data),
        }
    }
    if data.is_empty() {
        return Ok(None);
    }
    let random_access = h264::is_random_access(&data);
    let config = match sps.is_empty() {
        true => None,
        false => Some(AvcConfig::from_parameter_sets(sps, pps).map_err(fault)?.write()),
    };
    Ok(Some(Coded { data: data.into(), random_access, config }))
}

fn fault(reason: impl ToString) -> Error {
    Error::coder(Codec::H264, reason)
}
