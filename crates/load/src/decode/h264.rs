//! Pictures of H.264, really decoded.

use headwater_codec::{h264::AvcConfig, nal};
use headwater_media::{Frame, TrackParameters};
use openh264::{
    OpenH264API,
    decoder::{Decoder, DecoderConfig},
    formats::YUVSource as _,
};

/// A decoder that begins at the first picture that it can begin at.
pub(super) struct Pictures {
    decoder: Option<Decoder>,
    /// Parameter sets with start codes.
    sets: Vec<u8>,
    stream: Vec<u8>,
    has_begun: bool,
}

impl Pictures {
    pub(super) fn new() -> Pictures {
        let decoder = Decoder::with_api_config(OpenH264API::from_source(), DecoderConfig::new()).ok();
        Pictures { decoder, sets: Vec::new(), stream: Vec::new(), has_begun: false }
    }

    /// Takes parameter sets from the track's record.
    pub(super) fn configure(&mut self, parameters: &TrackParameters) {
        let Ok(config) = AvcConfig::parse(&parameters.config) else { return };
        self.sets.clear();
        for set in config.sps.iter().chain(&config.pps) {
            self.sets.extend([0, 0, 0, 1]);
            self.sets.extend_from_slice(set);
        }
    }

    /// Decodes a picture: its size, or nothing where the decoder gives none for it, or has not begun.
    ///
    /// # Errors
    /// What the decoder says.
    pub(super) fn decode(&mut self, frame: &Frame) -> Result<Option<(u32, u32)>, String> {
        if !self.has_begun && !frame.random_access {
            return Ok(None);
        }
        let decoder = self.decoder.as_mut().ok_or("there is no decoder")?;
        self.stream.clear();
        if frame.random_access {
            self.stream.extend_from_slice(&self.sets);
        }
        nal::to_annexb(&frame.data, &mut self.stream).map_err(|error| error.to_string())?;
        self.has_begun = true;
        let picture = decoder.decode(&self.stream).map_err(|error| error.to_string())?;
        Ok(picture.map(|picture| {
            let (width, height) = picture.dimensions();
            (u32::try_from(width).unwrap_or(0), u32::try_from(height).unwrap_or(0))
        }))
    }
}
