//! The transcoder as a conversion of the stream graph.

use std::sync::Arc;

use headwater_graph::{Conversion, LaneWriter};
use headwater_media::{Codec, Frame, TrackParameters};

use crate::{AudioTranscoder, Output};

/// A conversion of a track into another codec, and what comes out of it.
///
/// `None` where this build has no coder for one of the two, or the track's configuration is not usable.
pub fn transcoder(input: &TrackParameters, to: Codec) -> Option<(TrackParameters, Box<dyn Conversion<Frame, Frame>>)> {
    match AudioTranscoder::new(input, to) {
        Ok(transcoder) => Some((transcoder.parameters().clone(), Box::new(transcoder))),
        Err(error) => {
            tracing::debug!(%error, from = %input.codec, %to, "no conversion");
            None
        }
    }
}

impl Conversion<Frame, Frame> for AudioTranscoder {
    fn parameters(&mut self, parameters: &Arc<TrackParameters>, out: &mut LaneWriter<Frame>) {
        self.set_input(parameters);
        out.set_parameters(AudioTranscoder::parameters(self).clone());
    }

    fn item(&mut self, frame: &Frame, out: &mut LaneWriter<Frame>) {
        self.push(frame, &mut |output| write(output, out));
    }

    fn discontinuity(&mut self, out: &mut LaneWriter<Frame>) {
        AudioTranscoder::discontinuity(self, &mut |output| write(output, out));
    }
}

fn write(output: Output, out: &mut LaneWriter<Frame>) {
    match output {
        Output::Parameters(parameters) => out.set_parameters(parameters),
        Output::Discontinuity => out.discontinuity(),
        Output::Frame(frame) => out.push(frame),
    }
}

#[cfg(all(test, not(feature = "fdk-aac")))]
mod tests {
    use super::*;

    #[test]
    fn without_its_library_aac_is_not_offered() {
        let opus = crate::encoder(Codec::Opus, 2).map(|encoder| encoder.parameters()).unwrap();
        assert!(transcoder(&opus, Codec::Aac).is_none());
        assert!(transcoder(&opus, Codec::Pcma).is_some());
        let aac = TrackParameters { codec: Codec::Aac, config: vec![0x11, 0x90].into(), ..opus };
        assert!(transcoder(&aac, Codec::Opus).is_none());
    }
}
