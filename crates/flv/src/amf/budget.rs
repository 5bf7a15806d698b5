//! What one AMF message may cost to read.

use std::sync::Arc;

use headwater_media::limits;

use crate::{FlvError, Reader};

/// Counts elements and nesting down; shared by the AMF 0 and AMF 3 parts of one message.
pub(super) struct Budget {
    elements: u64,
    depth: u64,
}

impl Budget {
    pub(super) fn new() -> Budget {
        Budget { elements: limits::AMF_ELEMENTS.get(), depth: limits::AMF_DEPTH.get() }
    }

    /// Pays for one element of an object or array.
    pub(super) fn element(&mut self) -> Result<(), FlvError> {
        self.elements = self.elements.checked_sub(1).ok_or_else(|| {
            limits::AMF_ELEMENTS.hit();
            FlvError::Limit("number of AMF elements")
        })?;
        Ok(())
    }

    /// Refuses an announced number of elements that cannot be paid.
    pub(super) fn announced(&self, count: u64) -> Result<(), FlvError> {
        if count > self.elements {
            limits::AMF_ELEMENTS.hit();
            return Err(FlvError::Limit("number of AMF elements"));
        }
        Ok(())
    }

    /// Reads what is one level deeper.
    pub(super) fn deeper<T>(&mut self, read: impl FnOnce(&mut Budget) -> Result<T, FlvError>) -> Result<T, FlvError> {
        self.depth = self.depth.checked_sub(1).ok_or_else(|| {
            limits::AMF_DEPTH.hit();
            FlvError::Limit("depth of AMF values")
        })?;
        let result = read(self);
        self.depth += 1;
        result
    }
}

/// Reads a text of a known length.
pub(super) fn read_text(reader: &mut Reader, length: usize) -> Result<Arc<str>, FlvError> {
    if length as u64 > limits::AMF_STRING_BYTES.get() {
        limits::AMF_STRING_BYTES.hit();
        return Err(FlvError::Limit("length of an AMF string"));
    }
    let bytes = reader.take(length, "an AMF string")?;
    Ok(String::from_utf8_lossy(&bytes).into())
}
