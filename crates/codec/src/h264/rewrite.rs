//! Writes a sequence parameter set again with another promise about reordering.

use bytes::Bytes;

use crate::bits::{BitSink, Bits};
use crate::{CodecError, rbsp};

use super::Sps;

/// The same sequence parameter set with `max_num_reorder_frames` 0: a decoder puts out each picture at once.
///
/// Profile, constraint flags, level and everything else stay, bit by bit. The promise is true of a stream without
/// B-frames whose encoder did not say so, and of one from which they were taken out: without it, decoders hold
/// back as many pictures as the level allows.
///
/// # Errors
/// When the set cannot be read, or has usability information that cannot be read to its end.
pub fn without_reordering(sps: &[u8]) -> Result<Bytes, CodecError> {
    let facts = Sps::parse(sps)?;
    let data = rbsp::unescape(sps, super::sps::BYTES_MAX);
    let mut out = BitSink::default();
    match (facts.flags.has_vui, facts.flags.restriction) {
        (true, None) => {
            return Err(CodecError::Unsupported { what: "H.264 usability information that cannot be read" });
        }
        (true, Some(at)) => copy(&data, at, &mut out)?,
        (false, _) => {
            copy(&data, facts.flags.vui, &mut out)?;
            out.put(1, 1); // vui_parameters_present_flag
            out.put(0, 8); // nothing else in it: aspect, overscan, signal, chroma, timing, two HRDs, pic_struct
        }
    }
    put_restriction(&facts, &mut out);
    out.put(1, 1); // rbsp_stop_one_bit
    Ok(rbsp::escape(&out.into_bytes()).into())
}

fn copy(data: &[u8], bit_count: u64, out: &mut BitSink) -> Result<(), CodecError> {
    let mut bits = Bits::new("H.264 sequence parameter set", data);
    for _ in 0..bit_count {
        out.put(bits.u(1)?, 1);
    }
    Ok(())
}

/// ITU-T H.264 §E.1.1; what is not about reordering gets the values that apply when it is absent (§E.2.1).
fn put_restriction(facts: &Sps, out: &mut BitSink) {
    out.put(1, 1); // bitstream_restriction_flag
    out.put(1, 1); // motion_vectors_over_pic_boundaries_flag
    out.put_ue(2); // max_bytes_per_pic_denom
    out.put_ue(1); // max_bits_per_mb_denom
    out.put_ue(15); // log2_max_mv_length_horizontal
    out.put_ue(15); // log2_max_mv_length_vertical
    out.put_ue(0); // max_num_reorder_frames
    out.put_ue(facts.max_num_ref_frames.max(1)); // max_dec_frame_buffering
}
