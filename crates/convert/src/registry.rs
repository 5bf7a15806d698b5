//! The conversions that a server knows, for the graph.

use std::sync::Arc;

use headwater_graph::{Conversion, Converters};
use headwater_media::{Codec, Frame, Packet, TrackParameters};
use headwater_rtp::PacketizerOptions;

use crate::depacketize::Depacketize;
use crate::packetize::Packetize;

/// What comes out of a transcoder, and the transcoder.
pub type Transcoding = (TrackParameters, Box<dyn Conversion<Frame, Frame>>);

/// Makes a conversion from one codec to another, if there is one.
pub type Transcoder = Arc<dyn Fn(&TrackParameters, Codec) -> Option<Transcoding> + Send + Sync>;

/// Packetizers and depacketizers for every codec with a payload format; transcoders are put in.
#[derive(Clone, Default)]
pub struct Registry {
    options: PacketizerOptions,
    transcoder: Option<Transcoder>,
}

impl Registry {
    /// Without transcoders.
    pub fn new() -> Registry {
        Registry::default()
    }

    /// Packetizes in this way.
    #[must_use]
    pub fn with_packetizer_options(self, options: PacketizerOptions) -> Registry {
        Registry { options, ..self }
    }

    /// Asks this for conversions from one codec to another.
    #[must_use]
    pub fn with_transcoder<F>(self, transcoder: F) -> Registry
    where
        F: Fn(&TrackParameters, Codec) -> Option<Transcoding> + Send + Sync + 'static,
    {
        Registry { transcoder: Some(Arc::new(transcoder)), ..self }
    }
}

impl Converters for Registry {
    fn packetizer(&self, input: &TrackParameters) -> Option<Box<dyn Conversion<Frame, Packet>>> {
        Some(Box::new(Packetize::new(headwater_rtp::packetizer(input, self.options)?)))
    }

    fn depacketizer(&self, input: &TrackParameters) -> Option<Box<dyn Conversion<Packet, Frame>>> {
        Some(Box::new(Depacketize::new(input)?))
    }

    fn transcoder(&self, input: &TrackParameters, to: Codec) -> Option<Transcoding> {
        self.transcoder.as_ref()?(input, to)
    }
}
