//! What an operator can set about RTMP and HTTP-FLV. Limits that peers run into are in `headwater_media::limits`.

use std::time::Duration;

/// Settings of RTMP and HTTP-FLV.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RtmpConfig {
    /// How long frames for a viewer are collected before they are written together, in milliseconds. 0 writes
    /// each frame at once; 100 halves the cost of a viewer, 350 is a third of it, at the price of that much delay.
    /// Range 0 to 2000.
    pub merge_window_ms: u64,
    /// Size of the chunks that we send, in bytes. Range 128 to 16777215.
    pub chunk_size: u32,
}

impl Default for RtmpConfig {
    fn default() -> RtmpConfig {
        RtmpConfig { merge_window_ms: 0, chunk_size: 65_536 }
    }
}

impl RtmpConfig {
    /// The merge window, within its range.
    pub fn merge_window(&self) -> Duration {
        Duration::from_millis(self.merge_window_ms.min(2_000))
    }

    /// The chunk size, within its range.
    pub fn chunk_size(&self) -> u32 {
        self.chunk_size.clamp(128, 0xff_ffff)
    }

    /// What is wrong with the settings, in words; nothing if they are good.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.merge_window() != Duration::from_millis(self.merge_window_ms) {
            problems.push(format!("merge_window_ms is {}, but may be at most 2000", self.merge_window_ms));
        }
        if self.chunk_size() != self.chunk_size {
            problems.push(format!("chunk_size is {}, but must be 128 to 16777215", self.chunk_size));
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_out_of_range_are_named_and_the_nearest_good_ones_used() {
        assert!(RtmpConfig::default().problems().is_empty());
        let wild = RtmpConfig { merge_window_ms: 60_000, chunk_size: 1 };
        assert_eq!(wild.problems().len(), 2);
        assert_eq!((wild.merge_window(), wild.chunk_size()), (Duration::from_secs(2), 128));
    }
}
