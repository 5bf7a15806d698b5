//! The parameter sets of a track that come in band.

use std::collections::BTreeMap;

use bytes::Bytes;
use headwater_media::limits;

use crate::RtpError;

/// The newest parameter set of each type and id.
#[derive(Debug, Default)]
pub(crate) struct ParameterSets {
    sets: BTreeMap<(u8, u8), Bytes>,
    bytes: usize,
}

impl ParameterSets {
    /// Takes a set; says whether it is new or differs from the one it replaces.
    pub(crate) fn insert(&mut self, key: (u8, u8), nal: &[u8]) -> Result<bool, RtpError> {
        let old = self.sets.get(&key).map_or(0, Bytes::len);
        if self.sets.get(&key).is_some_and(|set| set == nal) {
            return Ok(false);
        }
        let bytes = self.bytes.saturating_sub(old).saturating_add(nal.len());
        if bytes > limits::PARAMETER_SETS_BYTES.get_usize() {
            limits::PARAMETER_SETS_BYTES.hit();
            return Err(RtpError::TooLarge { limit: limits::PARAMETER_SETS_BYTES.name });
        }
        self.bytes = bytes;
        self.sets.insert(key, Bytes::copy_from_slice(nal));
        Ok(true)
    }

    /// The sets of one type, by id.
    pub(crate) fn of_type(&self, nal_type: u8) -> Vec<Bytes> {
        self.sets.range((nal_type, 0)..=(nal_type, u8::MAX)).map(|(_, set)| set.clone()).collect()
    }
}
