//! What is known of the track of sound that goes out.

use bytes::Bytes;
use headwater_codec::aac::{AudioSpecificConfig, FRAME_SAMPLES};
use headwater_flv::{MediaWriter, Prefix};
use headwater_media::{AudioFormat, ClockRate, Codec, Format, TrackParameters};

use super::silence::silence;

/// The first bytes of a tag body with the configuration of AAC.
const AAC_CONFIG: [u8; 2] = [0xaf, 0];
/// Rate of G.711.
const G711: ClockRate = ClockRate::new(8_000).unwrap();
/// What a track has that is made for a stream without sound.
const MADE: ClockRate = ClockRate::new(48_000).unwrap();

/// The format of a track, and how its frames are written.
pub(super) struct SoundTrack {
    pub(super) parameters: TrackParameters,
    pub(super) writer: MediaWriter,
    /// Whether it stands for the sound that the stream itself lacks.
    pub(super) is_made: bool,
}

impl SoundTrack {
    fn new(parameters: TrackParameters, is_made: bool) -> Option<SoundTrack> {
        let writer = MediaWriter::new(&parameters)?;
        Some(SoundTrack { parameters, writer, is_made })
    }

    /// The track of a stream that has no sound of its own: AAC-LC, 48 kHz, stereo, which all servers take.
    pub(super) fn made() -> Option<SoundTrack> {
        SoundTrack::new(made(), true)
    }

    /// The track whose configuration or frame this is the beginning of; of AAC, the configuration alone tells.
    pub(super) fn read(prefix: &[u8], payload: &Bytes) -> Option<SoundTrack> {
        let parameters = match prefix.first()? >> 4 {
            7 => g711(Codec::Pcma),
            8 => g711(Codec::Pcmu),
            10 if is_config(prefix) => aac(payload)?,
            _ => return None,
        };
        SoundTrack::new(parameters, false)
    }

    /// Whether a frame with this header can be of the track.
    pub(super) fn has_frame(&self, prefix: &[u8]) -> bool {
        prefix.first() == self.writer.frame(true, 0).first()
    }

    /// How many samples a frame of the stream's own has, by the clock of the track.
    pub(super) fn samples(&self, payload: &Bytes) -> usize {
        match self.parameters.codec {
            Codec::Aac => FRAME_SAMPLES as usize,
            _ => payload.len(),
        }
    }

    pub(super) fn rate(&self) -> ClockRate {
        self.parameters.clock_rate
    }

    pub(super) fn prefix(&self) -> Prefix {
        self.writer.frame(true, 0)
    }

    /// A silent frame of so many samples.
    pub(super) fn silence(&self, samples: usize) -> Option<Bytes> {
        silence(&self.parameters, samples)
    }
}

/// Whether a tag body of sound is a configuration.
pub(super) fn is_config(prefix: &[u8]) -> bool {
    prefix == AAC_CONFIG
}

/// What a track is that is made for a stream without sound.
pub(super) fn made() -> TrackParameters {
    let config = AudioSpecificConfig::low_complexity(MADE.hertz(), 2).write();
    let format = Format::Audio(AudioFormat { sample_rate: MADE.hertz(), channels: 2 });
    TrackParameters { codec: Codec::Aac, clock_rate: MADE, format, config }
}

pub(super) fn g711(codec: Codec) -> TrackParameters {
    let format = Format::Audio(AudioFormat { sample_rate: G711.hertz(), channels: 1 });
    TrackParameters { codec, clock_rate: G711, format, config: Bytes::new() }
}

fn aac(config: &Bytes) -> Option<TrackParameters> {
    let parsed = AudioSpecificConfig::parse(config).ok()?;
    let format = Format::Audio(AudioFormat { sample_rate: parsed.sample_rate(), channels: parsed.channels() });
    let clock_rate = ClockRate::new(parsed.core_sample_rate)?;
    Some(TrackParameters { codec: Codec::Aac, clock_rate, format, config: config.clone() })
}
