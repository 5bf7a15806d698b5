//! The settings of HLS.

use std::time::Duration;

use headwater_media::limits;

use crate::{container::Format, window::WindowOptions};

/// How streams are packaged.
#[derive(Clone, Copy, Debug)]
pub struct HlsConfig {
    /// The least length of a segment; a segment ends with the group of pictures that passes it.
    pub segment: Duration,
    /// The length of parts; none are listed where this is `None`.
    pub part: Option<Duration>,
    /// How much media a player can go back in.
    pub window: Duration,
    /// What segments are made of where a player asks for nothing.
    pub format: Format,
    /// Package each stream as soon as it is published, and not with the first player.
    pub always: bool,
}

impl Default for HlsConfig {
    fn default() -> HlsConfig {
        HlsConfig {
            segment: Duration::from_secs(2),
            part: Some(Duration::from_millis(200)),
            window: Duration::from_secs(30),
            format: Format::Fmp4,
            always: false,
        }
    }
}

impl HlsConfig {
    /// Transport streams are for older players, which know no parts; those of DASH know no parts either.
    pub(crate) fn window_options(&self, format: Format) -> WindowOptions {
        let part = match format {
            Format::Fmp4 => self.part,
            Format::Ts | Format::Cmaf => None,
        };
        let bytes_max = limits::HLS_WINDOW_BYTES.get();
        WindowOptions { segment: self.segment, part, keep: self.window, bytes_max }
    }
}
