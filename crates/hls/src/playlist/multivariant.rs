//! The multivariant playlist: the renditions of a stream, for players to choose from.

use std::fmt::Write;

/// One way to play a stream (RFC 8216 §4.3.4.2).
#[derive(Clone, Debug, PartialEq)]
pub struct Variant {
    /// The address of its media playlist.
    pub address: String,
    /// The highest bitrate of its segments, in bits per second.
    pub bandwidth: u64,
    /// Their average bitrate.
    pub average_bandwidth: u64,
    /// RFC 6381 names of all that it holds, its audio group included.
    pub codecs: Vec<String>,
    /// Width and height in pixels.
    pub resolution: Option<(u32, u32)>,
    /// Pictures in a second.
    pub frame_rate: Option<f64>,
    /// Whether it goes with the audio group.
    pub has_audio_group: bool,
}

/// Sound that goes with all variants (RFC 8216 §4.3.4.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AudioGroup {
    /// The address of its media playlist.
    pub address: String,
    /// How many channels it has.
    pub channels: Option<u8>,
}

/// The renditions of a stream.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Multivariant {
    /// The first one is what players begin with.
    pub variants: Vec<Variant>,
    /// Sound apart from the picture.
    pub audio: Option<AudioGroup>,
    /// Whether a decoder can start at each segment.
    pub is_independent: bool,
}

const GROUP: &str = "audio";

impl Multivariant {
    /// The playlist as text.
    pub fn write(&self) -> String {
        let mut out = String::from("#EXTM3U\n#EXT-X-VERSION:6\n");
        // Writing to a String never fails.
        let _ = self.write_to(&mut out);
        out
    }

    fn write_to(&self, out: &mut String) -> std::fmt::Result {
        if self.is_independent {
            writeln!(out, "#EXT-X-INDEPENDENT-SEGMENTS")?;
        }
        if let Some(audio) = &self.audio {
            write!(out, "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"{GROUP}\",NAME=\"main\",DEFAULT=YES,AUTOSELECT=YES")?;
            if let Some(channels) = audio.channels {
                write!(out, ",CHANNELS=\"{channels}\"")?;
            }
            writeln!(out, ",URI=\"{}\"", audio.address)?;
        }
        for variant in &self.variants {
            variant.write_to(out)?;
        }
        Ok(())
    }
}

impl Variant {
    fn write_to(&self, out: &mut String) -> std::fmt::Result {
        let (bandwidth, average) = (self.bandwidth.max(1), self.average_bandwidth.max(1));
        write!(out, "#EXT-X-STREAM-INF:BANDWIDTH={bandwidth},AVERAGE-BANDWIDTH={average}")?;
        if !self.codecs.is_empty() {
            write!(out, ",CODECS=\"{}\"", self.codecs.join(","))?;
        }
        if let Some((width, height)) = self.resolution {
            write!(out, ",RESOLUTION={width}x{height}")?;
        }
        if let Some(rate) = self.frame_rate {
            write!(out, ",FRAME-RATE={rate:.3}")?;
        }
        if self.has_audio_group {
            write!(out, ",AUDIO=\"{GROUP}\"")?;
        }
        writeln!(out, "\n{}", self.address)
    }
}
