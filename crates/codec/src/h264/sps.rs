//! The sequence parameter set of H.264 (ITU-T H.264 §7.3.2.1.1 and annex E).

use headwater_media::limits;

use crate::bits::Bits;
use crate::error::check;
use crate::{CodecError, rbsp};

use super::vui::Vui;

pub(super) const WHAT: &str = "H.264 sequence parameter set";
/// A parameter set with every scaling list and both HRDs has less than this.
pub(super) const BYTES_MAX: usize = 4_096;

/// What a sequence parameter set says that matters to a server.
///
/// A picture size beyond the level that the set names is accepted, as by every decoder: many encoders understate
/// their level. Usability information (VUI) that cannot be read counts as absent for the same reason.
#[derive(Clone, Debug, PartialEq)]
pub struct Sps {
    /// `profile_idc`.
    pub profile_idc: u8,
    /// The constraint flags as they stand in the byte after `profile_idc`.
    pub constraint_flags: u8,
    /// `level_idc`, ten times the level.
    pub level_idc: u8,
    /// `seq_parameter_set_id`.
    pub id: u8,
    /// `chroma_format_idc`; 1 is 4:2:0.
    pub chroma_format_idc: u8,
    /// Bits of a luma sample.
    pub bit_depth_luma: u8,
    /// Bits of a chroma sample.
    pub bit_depth_chroma: u8,
    /// Width in pixels after cropping.
    pub width: u32,
    /// Height in pixels after cropping.
    pub height: u32,
    /// `pic_order_cnt_type`; with 2, pictures are shown in the order in which they are coded.
    pub pic_order_cnt_type: u8,
    /// `max_num_ref_frames`.
    pub max_num_ref_frames: u32,
    /// Whether no picture is coded as fields.
    pub frame_mbs_only: bool,
    /// Pictures in a second, where the set says.
    pub frame_rate: Option<f64>,
    /// `max_num_reorder_frames`, where the set says: how many pictures may be coded before one that is shown earlier.
    pub max_num_reorder_frames: Option<u32>,
    /// `max_dec_frame_buffering`, where the set says.
    pub max_dec_frame_buffering: Option<u32>,
    /// Where in the unescaped NAL unit, in bits, the flags stand that a rewrite changes.
    pub(crate) flags: FlagPositions,
    /// What slice headers are written by.
    pub(crate) coding: Coding,
}

/// What the headers of slices depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Coding {
    /// Bits of `frame_num`.
    pub(crate) frame_num_bits: u32,
    /// Bits of `pic_order_cnt_lsb`, where there is one.
    pub(crate) order_bits: u32,
    /// In a picture.
    pub(crate) macroblocks: u32,
    pub(crate) separate_planes: bool,
}

/// Bit positions in the unescaped NAL unit, header included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct FlagPositions {
    /// `vui_parameters_present_flag`.
    pub(crate) vui: u64,
    /// `bitstream_restriction_flag`, if there is a readable VUI.
    pub(crate) restriction: Option<u64>,
    /// Whether there is a VUI, readable or not.
    pub(crate) has_vui: bool,
}

impl Sps {
    /// Reads a NAL unit of type 7, header byte included.
    ///
    /// # Errors
    /// When it ends early, breaks the syntax, or announces a picture beyond [`limits::PICTURE_SIDE`].
    pub fn parse(nal: &[u8]) -> Result<Sps, CodecError> {
        let data = rbsp::unescape(nal, BYTES_MAX);
        let bits = &mut Bits::new(WHAT, &data);
        if bits.u8(8)? & 0x1f != super::nal_type::SPS {
            return Err(CodecError::malformed(WHAT, "the NAL unit has another type"));
        }
        let (profile_idc, constraint_flags, level_idc) = (bits.u8(8)?, bits.u8(8)?, bits.u8(8)?);
        let id = bits.ue()?;
        if id > 31 {
            return Err(CodecError::malformed(WHAT, "its id is above 31"));
        }
        let chroma = if has_chroma_info(profile_idc) { Chroma::read(bits)? } else { Chroma::default() };
        let frame_num_bits = read_length(bits)?;
        let (pic_order_cnt_type, order_bits) = read_pic_order_cnt(bits)?;
        let max_num_ref_frames = bits.ue()?;
        bits.flag()?; // gaps_in_frame_num_value_allowed_flag
        let (columns, rows) = (bits.ue()?, bits.ue()?);
        let frame_mbs_only = bits.flag()?;
        if !frame_mbs_only {
            bits.flag()?; // mb_adaptive_frame_field_flag
        }
        bits.flag()?; // direct_8x8_inference_flag
        let crop = read_crop(bits)?;
        let (width, height) = picture_size(columns, rows, frame_mbs_only, &chroma, crop)?;
        let fields = if frame_mbs_only { 1 } else { 2 };
        // The side of a picture is bounded.
        let macroblocks = columns.saturating_add(1).saturating_mul(rows.saturating_add(1)).saturating_mul(fields);
        let coding = Coding { frame_num_bits, order_bits, macroblocks, separate_planes: chroma.separate_planes };
        let mut flags = FlagPositions { vui: bits.position(), ..FlagPositions::default() };
        flags.has_vui = bits.flag()?;
        let vui = if flags.has_vui { Vui::read(bits).ok() } else { None };
        flags.restriction = vui.as_ref().map(|vui| vui.restriction_at);
        let restriction = vui.as_ref().and_then(|vui| vui.restriction);
        Ok(Sps {
            profile_idc,
            constraint_flags,
            level_idc,
            id: id as u8,
            chroma_format_idc: chroma.format_idc,
            bit_depth_luma: chroma.bit_depth_luma,
            bit_depth_chroma: chroma.bit_depth_chroma,
            width,
            height,
            pic_order_cnt_type,
            max_num_ref_frames,
            frame_mbs_only,
            frame_rate: vui.as_ref().and_then(|vui| vui.frame_rate),
            max_num_reorder_frames: restriction.map(|r| r.max_num_reorder_frames),
            max_dec_frame_buffering: restriction.map(|r| r.max_dec_frame_buffering),
            flags,
            coding,
        })
    }

    /// Whether pictures may be coded in another order than they are shown in (B-frames).
    ///
    /// `false` is certain; `true` only means that nothing in the set excludes it.
    pub fn may_reorder(&self) -> bool {
        let baseline = self.profile_idc == 66;
        !baseline && self.pic_order_cnt_type != 2 && self.max_num_reorder_frames != Some(0)
    }
}

fn has_chroma_info(profile_idc: u8) -> bool {
    matches!(profile_idc, 100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128 | 138 | 139 | 134 | 135)
}

struct Chroma {
    format_idc: u8,
    separate_planes: bool,
    bit_depth_luma: u8,
    bit_depth_chroma: u8,
}

impl Default for Chroma {
    fn default() -> Chroma {
        Chroma { format_idc: 1, separate_planes: false, bit_depth_luma: 8, bit_depth_chroma: 8 }
    }
}

impl Chroma {
    fn read(bits: &mut Bits<'_>) -> Result<Chroma, CodecError> {
        let format_idc = bits.ue()?;
        if format_idc > 3 {
            return Err(CodecError::malformed(WHAT, "chroma_format_idc is above 3"));
        }
        let separate_planes = format_idc == 3 && bits.flag()?;
        let (luma, chroma) = (bits.ue()?, bits.ue()?);
        if luma > 6 || chroma > 6 {
            return Err(CodecError::malformed(WHAT, "a sample has more than 14 bits"));
        }
        bits.flag()?; // qpprime_y_zero_transform_bypass_flag
        if bits.flag()? {
            let lists = if format_idc == 3 { 12 } else { 8 };
            for index in 0..lists {
                if bits.flag()? {
                    skip_scaling_list(bits, if index < 6 { 16 } else { 64 })?;
                }
            }
        }
        Ok(Chroma {
            format_idc: format_idc as u8,
            separate_planes,
            bit_depth_luma: luma as u8 + 8,
            bit_depth_chroma: chroma as u8 + 8,
        })
    }
}

fn skip_scaling_list(bits: &mut Bits<'_>, size: u32) -> Result<(), CodecError> {
    let mut last = 8i64;
    for _ in 0..size {
        let next = (last + bits.se()?).rem_euclid(256);
        if next == 0 {
            break;
        }
        last = next;
    }
    Ok(())
}

/// The length of a number, four to sixteen bits (§7.4.2.1.1).
fn read_length(bits: &mut Bits<'_>) -> Result<u32, CodecError> {
    match bits.ue()? {
        beyond @ 0..=12 => Ok(beyond + 4),
        _ => Err(CodecError::malformed(WHAT, "a number has more than 16 bits")),
    }
}

/// `pic_order_cnt_type`, and the bits of `pic_order_cnt_lsb` where there is one.
fn read_pic_order_cnt(bits: &mut Bits<'_>) -> Result<(u8, u32), CodecError> {
    let kind = bits.ue()?;
    let mut length = 0;
    match kind {
        0 => length = read_length(bits)?,
        1 => {
            bits.flag()?; // delta_pic_order_always_zero_flag
            bits.se()?; // offset_for_non_ref_pic
            bits.se()?; // offset_for_top_to_bottom_field
            let cycle = bits.ue()?;
            if cycle > 255 {
                return Err(CodecError::malformed(WHAT, "the picture order cycle is longer than 255"));
            }
            for _ in 0..cycle {
                bits.se()?;
            }
        }
        2 => {}
        _ => return Err(CodecError::malformed(WHAT, "pic_order_cnt_type is above 2")),
    }
    Ok((kind as u8, length))
}

/// Left, right, top, bottom, in cropping units.
fn read_crop(bits: &mut Bits<'_>) -> Result<[u32; 4], CodecError> {
    if !bits.flag()? {
        return Ok([0; 4]);
    }
    Ok([bits.ue()?, bits.ue()?, bits.ue()?, bits.ue()?])
}

fn picture_size(
    columns: u32,
    rows: u32,
    frame_mbs_only: bool,
    chroma: &Chroma,
    [left, right, top, bottom]: [u32; 4],
) -> Result<(u32, u32), CodecError> {
    let fields = if frame_mbs_only { 1 } else { 2 };
    let width = (u64::from(columns) + 1) * 16;
    let height = (u64::from(rows) + 1) * 16 * fields;
    check("H.264 picture width", width, &limits::PICTURE_SIDE)?;
    check("H.264 picture height", height, &limits::PICTURE_SIDE)?;
    let subsampled = !chroma.separate_planes;
    let unit_x = if subsampled && matches!(chroma.format_idc, 1 | 2) { 2 } else { 1 };
    let unit_y = if subsampled && chroma.format_idc == 1 { 2 * fields } else { fields };
    let crop_x = (u64::from(left) + u64::from(right)) * unit_x;
    let crop_y = (u64::from(top) + u64::from(bottom)) * unit_y;
    match (width.checked_sub(crop_x), height.checked_sub(crop_y)) {
        (Some(width @ 1..), Some(height @ 1..)) => Ok((width as u32, height as u32)),
        _ => Err(CodecError::malformed(WHAT, "nothing is left after cropping")),
    }
}
