//! Bytes of a payload that read otherwise for one viewer than in the lane.

/// The most bytes that one holds.
const BYTES_MAX: usize = 4;

/// A few bytes in a row that take the place of those in a payload while it is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Patch {
    at: u8,
    length: u8,
    bytes: [u8; BYTES_MAX],
}

impl Patch {
    /// These bytes from that place on. `None` where they are too many, or stand too far behind.
    pub(crate) fn new(at: usize, bytes: &[u8]) -> Option<Patch> {
        let mut patch = Patch { at: at.try_into().ok()?, length: bytes.len().try_into().ok()?, bytes: [0; BYTES_MAX] };
        patch.bytes.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(patch)
    }

    /// Writes them over those of the payload. One that ends before them stays as it is.
    pub(crate) fn apply(&self, payload: &mut [u8]) {
        let (at, length) = (usize::from(self.at), usize::from(self.length));
        if let (Some(place), Some(bytes)) = (payload.get_mut(at..at + length), self.bytes.get(..length)) {
            place.copy_from_slice(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_changes_its_own_bytes_alone() {
        let mut payload = [1, 2, 3, 4, 5];
        Patch::new(2, &[8, 9]).unwrap().apply(&mut payload);
        assert_eq!(payload, [1, 2, 8, 9, 5]);
        Patch::new(4, &[7, 7]).unwrap().apply(&mut payload);
        assert_eq!(payload, [1, 2, 8, 9, 5], "it would reach beyond the end");
        assert_eq!((Patch::new(256, &[0]), Patch::new(0, &[0; 5])), (None, None));
    }
}
