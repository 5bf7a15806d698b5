//! NAL units behind their lengths: checks them, and brings other length sizes to four bytes.

use bytes::{BufMut, Bytes, BytesMut};
use headwater_media::{Codec, limits};

use crate::FlvError;

/// Reads how many bytes a NAL unit's length has from a configuration record, and rewrites the record to four.
pub(crate) fn normalise_config(codec: Codec, config: Bytes) -> Result<(Bytes, usize), FlvError> {
    let (at, name) = match codec {
        Codec::H264 => (4, "an AVC configuration record"),
        _ => (21, "an HEVC configuration record"),
    };
    let byte = *config.get(at).ok_or(FlvError::Truncated(name))?;
    if config.first() != Some(&1) && codec == Codec::H264 {
        return Err(FlvError::Malformed("AVC configuration record of an unknown version"));
    }
    let size = usize::from(byte & 3) + 1;
    if size == 4 {
        return Ok((config, 4));
    }
    let mut rewritten = BytesMut::from(config.as_ref());
    if let Some(byte) = rewritten.get_mut(at) {
        *byte |= 3;
    }
    Ok((rewritten.freeze(), size))
}

/// Whether a record sent under the number of AVC is an HEVC record: some encoders hide HEVC there.
pub(crate) fn is_hevc_record(config: &[u8]) -> bool {
    let avc_sps = config.get(8).is_some_and(|header| header & 0x1f == 7);
    let hevc_array = config.get(23).is_some_and(|header| (32..=34).contains(&(header & 0x3f)));
    !avc_sps && hevc_array
}

/// Checks that lengths and data agree, and brings lengths of `size` bytes to four.
///
/// Data whose lengths are right is handed back as it is. Bytes at the end that are too few for another unit are
/// cut off. Where lengths are rewritten, empty units are left out, so that the result is bounded by the input.
pub(crate) fn normalise_frame(data: Bytes, size: usize) -> Result<Bytes, FlvError> {
    let (units, end) = walk(&data, size)?;
    if units == 0 {
        return Err(FlvError::Malformed("a frame without a NAL unit"));
    }
    if size == 4 {
        return Ok(data.slice(..end));
    }
    let mut out = BytesMut::with_capacity(end.saturating_add(units.saturating_mul(4)));
    let mut rest = data.get(..end).unwrap_or_default();
    while let Some((unit, after)) = split_unit(rest, size) {
        if !unit.is_empty() {
            out.put_u32(u32::try_from(unit.len()).unwrap_or(u32::MAX));
            out.put_slice(unit);
        }
        rest = after;
    }
    Ok(out.freeze())
}

/// Counts the NAL units that hold something and finds where the last one ends.
fn walk(data: &[u8], size: usize) -> Result<(usize, usize), FlvError> {
    let mut rest = data;
    let mut units = 0;
    while rest.len() > size {
        let Some((unit, after)) = split_unit(rest, size) else {
            return Err(FlvError::Truncated("a NAL unit"));
        };
        if unit.len() as u64 > limits::NAL_UNIT_BYTES.get() {
            limits::NAL_UNIT_BYTES.hit();
            return Err(FlvError::Limit("size of a NAL unit"));
        }
        units += usize::from(!unit.is_empty());
        rest = after;
    }
    Ok((units, data.len().saturating_sub(rest.len())))
}

fn split_unit(data: &[u8], size: usize) -> Option<(&[u8], &[u8])> {
    let (length, rest) = data.split_at_checked(size)?;
    let length = length.iter().fold(0usize, |sum, byte| sum << 8 | usize::from(*byte));
    rest.split_at_checked(length)
}
