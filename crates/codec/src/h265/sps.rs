//! The sequence parameter set of H.265 (ITU-T H.265 §7.3.2.2), as far as the bit depths.

use headwater_media::limits;

use crate::bits::Bits;
use crate::error::check;
use crate::{CodecError, rbsp};

const WHAT: &str = "H.265 sequence parameter set";
const BYTES_MAX: usize = 4_096;

/// What a sequence parameter set says that matters to a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sps {
    /// `sps_seq_parameter_set_id`.
    pub id: u8,
    /// `sps_max_sub_layers_minus1` + 1: the number of temporal layers.
    pub temporal_layers: u8,
    /// `sps_temporal_id_nesting_flag`.
    pub temporal_id_nesting: bool,
    /// Profile, tier and level.
    pub profile: ProfileTierLevel,
    /// `chroma_format_idc`; 1 is 4:2:0.
    pub chroma_format_idc: u8,
    /// Bits of a luma sample.
    pub bit_depth_luma: u8,
    /// Bits of a chroma sample.
    pub bit_depth_chroma: u8,
    /// Width in pixels after the conformance window.
    pub width: u32,
    /// Height in pixels after the conformance window.
    pub height: u32,
    /// `sps_max_num_reorder_pics` of the highest layer: how many pictures may be coded before one that is shown earlier.
    pub max_num_reorder_pics: u32,
}

/// The general part of `profile_tier_level()` (ITU-T H.265 §7.3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProfileTierLevel {
    /// `general_profile_space`.
    pub profile_space: u8,
    /// `general_tier_flag`: whether it is the High tier.
    pub high_tier: bool,
    /// `general_profile_idc`.
    pub profile_idc: u8,
    /// The 32 `general_profile_compatibility_flag`s, the first in the highest bit.
    pub compatibility: u32,
    /// The 48 bits of constraint flags.
    pub constraints: [u8; 6],
    /// `general_level_idc`, thirty times the level.
    pub level_idc: u8,
}

impl Sps {
    /// Reads a NAL unit of type 33, its header of two bytes included.
    ///
    /// # Errors
    /// When it ends early, breaks the syntax, or announces a picture beyond [`limits::PICTURE_SIDE`].
    pub fn parse(nal: &[u8]) -> Result<Sps, CodecError> {
        let data = rbsp::unescape(nal, BYTES_MAX);
        let bits = &mut Bits::new(WHAT, &data);
        if (bits.u(16)? >> 9) & 0x3f != u32::from(super::nal_type::SPS) {
            return Err(CodecError::malformed(WHAT, "the NAL unit has another type"));
        }
        bits.skip(4)?; // sps_video_parameter_set_id
        let sub_layers = bits.u8(3)?;
        if sub_layers > 6 {
            return Err(CodecError::malformed(WHAT, "it has more than 7 temporal layers"));
        }
        let temporal_id_nesting = bits.flag()?;
        let profile = ProfileTierLevel::read(bits, sub_layers)?;
        let id = bits.ue()?;
        if id > 15 {
            return Err(CodecError::malformed(WHAT, "its id is above 15"));
        }
        let chroma_format_idc = bits.ue()?;
        if chroma_format_idc > 3 {
            return Err(CodecError::malformed(WHAT, "chroma_format_idc is above 3"));
        }
        let separate_planes = chroma_format_idc == 3 && bits.flag()?;
        let size = (bits.ue()?, bits.ue()?);
        let window = if bits.flag()? { [bits.ue()?, bits.ue()?, bits.ue()?, bits.ue()?] } else { [0; 4] };
        let (width, height) = picture_size(size, chroma_format_idc, separate_planes, window)?;
        let (luma, chroma) = (bits.ue()?, bits.ue()?);
        if luma > 8 || chroma > 8 {
            return Err(CodecError::malformed(WHAT, "a sample has more than 16 bits"));
        }
        bits.ue()?; // log2_max_pic_order_cnt_lsb_minus4
        let max_num_reorder_pics = read_reorder(bits, sub_layers)?;
        Ok(Sps {
            id: id as u8,
            temporal_layers: sub_layers + 1,
            temporal_id_nesting,
            profile,
            chroma_format_idc: chroma_format_idc as u8,
            bit_depth_luma: luma as u8 + 8,
            bit_depth_chroma: chroma as u8 + 8,
            width,
            height,
            max_num_reorder_pics,
        })
    }
}

impl ProfileTierLevel {
    fn read(bits: &mut Bits<'_>, sub_layers: u8) -> Result<ProfileTierLevel, CodecError> {
        let profile_space = bits.u8(2)?;
        let high_tier = bits.flag()?;
        let profile_idc = bits.u8(5)?;
        let compatibility = bits.u(32)?;
        let mut constraints = [0; 6];
        for byte in &mut constraints {
            *byte = bits.u8(8)?;
        }
        let level_idc = bits.u8(8)?;
        let mut present = [(false, false); 8];
        for layer in present.iter_mut().take(usize::from(sub_layers)) {
            *layer = (bits.flag()?, bits.flag()?);
        }
        if sub_layers > 0 {
            bits.skip(2 * (8 - u32::from(sub_layers)))?; // reserved_zero_2bits
        }
        for (has_profile, has_level) in present {
            bits.skip(if has_profile { 88 } else { 0 } + if has_level { 8 } else { 0 })?;
        }
        Ok(ProfileTierLevel { profile_space, high_tier, profile_idc, compatibility, constraints, level_idc })
    }
}

fn picture_size(
    (width, height): (u32, u32),
    chroma_format_idc: u32,
    separate_planes: bool,
    [left, right, top, bottom]: [u32; 4],
) -> Result<(u32, u32), CodecError> {
    check("H.265 picture width", u64::from(width), &limits::PICTURE_SIDE)?;
    check("H.265 picture height", u64::from(height), &limits::PICTURE_SIDE)?;
    let unit_x = if !separate_planes && matches!(chroma_format_idc, 1 | 2) { 2 } else { 1 };
    let unit_y = if !separate_planes && chroma_format_idc == 1 { 2 } else { 1 };
    let crop_x = (u64::from(left) + u64::from(right)) * unit_x;
    let crop_y = (u64::from(top) + u64::from(bottom)) * unit_y;
    match (u64::from(width).checked_sub(crop_x), u64::from(height).checked_sub(crop_y)) {
        (Some(width @ 1..), Some(height @ 1..)) => Ok((width as u32, height as u32)),
        _ => Err(CodecError::malformed(WHAT, "nothing is left inside the conformance window")),
    }
}

fn read_reorder(bits: &mut Bits<'_>, sub_layers: u8) -> Result<u32, CodecError> {
    let first = if bits.flag()? { 0 } else { sub_layers };
    let mut reorder = 0;
    for _ in first..=sub_layers {
        bits.ue()?; // sps_max_dec_pic_buffering_minus1
        reorder = bits.ue()?;
        bits.ue()?; // sps_max_latency_increase_plus1
    }
    Ok(reorder)
}
