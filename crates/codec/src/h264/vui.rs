//! Video usability information of H.264 (ITU-T H.264 §E.1.1).

use crate::CodecError;
use crate::bits::Bits;

use super::sps::WHAT;

pub(super) struct Vui {
    pub(super) frame_rate: Option<f64>,
    /// Where `bitstream_restriction_flag` stands, in bits.
    pub(super) restriction_at: u64,
    pub(super) restriction: Option<Restriction>,
}

#[derive(Clone, Copy)]
pub(super) struct Restriction {
    pub(super) max_num_reorder_frames: u32,
    pub(super) max_dec_frame_buffering: u32,
}

impl Vui {
    pub(super) fn read(bits: &mut Bits<'_>) -> Result<Vui, CodecError> {
        const EXTENDED_SAR: u32 = 255;
        if bits.flag()? && bits.u(8)? == EXTENDED_SAR {
            bits.skip(32)?;
        }
        if bits.flag()? {
            bits.flag()?; // overscan_appropriate_flag
        }
        if bits.flag()? {
            bits.skip(4)?; // video_format, video_full_range_flag
            if bits.flag()? {
                bits.skip(24)?; // colour primaries, transfer, matrix
            }
        }
        if bits.flag()? {
            bits.ue()?; // chroma_sample_loc_type_top_field
            bits.ue()?; // chroma_sample_loc_type_bottom_field
        }
        let frame_rate = read_frame_rate(bits)?;
        let nal_hrd = read_hrd(bits)?;
        let vcl_hrd = read_hrd(bits)?;
        if nal_hrd || vcl_hrd {
            bits.flag()?; // low_delay_hrd_flag
        }
        bits.flag()?; // pic_struct_present_flag
        let restriction_at = bits.position();
        let restriction = if bits.flag()? { Some(Restriction::read(bits)?) } else { None };
        Ok(Vui { frame_rate, restriction_at, restriction })
    }
}

impl Restriction {
    fn read(bits: &mut Bits<'_>) -> Result<Restriction, CodecError> {
        bits.flag()?; // motion_vectors_over_pic_boundaries_flag
        for _ in 0..4 {
            bits.ue()?; // max_bytes_per_pic_denom, max_bits_per_mb_denom, log2 of the longest motion vectors
        }
        Ok(Restriction { max_num_reorder_frames: bits.ue()?, max_dec_frame_buffering: bits.ue()? })
    }
}

fn read_frame_rate(bits: &mut Bits<'_>) -> Result<Option<f64>, CodecError> {
    if !bits.flag()? {
        return Ok(None);
    }
    let (units_in_tick, time_scale) = (bits.u(32)?, bits.u(32)?);
    bits.flag()?; // fixed_frame_rate_flag
    let rate = f64::from(time_scale) / (2.0 * f64::from(units_in_tick));
    Ok((rate.is_finite() && rate > 0.0).then_some(rate))
}

fn read_hrd(bits: &mut Bits<'_>) -> Result<bool, CodecError> {
    if !bits.flag()? {
        return Ok(false);
    }
    let count = bits.ue()?;
    if count > 31 {
        return Err(CodecError::malformed(WHAT, "an HRD has more than 32 buffers"));
    }
    bits.skip(8)?; // bit_rate_scale, cpb_size_scale
    for _ in 0..=count {
        bits.ue()?; // bit_rate_value_minus1
        bits.ue()?; // cpb_size_value_minus1
        bits.flag()?; // cbr_flag
    }
    bits.skip(20)?; // four lengths of five bits
    Ok(true)
}
