//! The sequence header of AV1 (AV1 §5.5).

use headwater_media::limits;

use crate::CodecError;
use crate::bits::Bits;
use crate::error::check;

const WHAT: &str = "AV1 sequence header";

/// What a sequence header says that matters to a server.
#[derive(Clone, Debug, PartialEq)]
pub struct SequenceHeader {
    /// `seq_profile`.
    pub profile: u8,
    /// `seq_level_idx` of the first operating point.
    pub level_idx: u8,
    /// `seq_tier` of the first operating point.
    pub high_tier: bool,
    /// `reduced_still_picture_header`.
    pub reduced_still_picture: bool,
    /// The largest width in pixels.
    pub width: u32,
    /// The largest height in pixels.
    pub height: u32,
    /// Pictures in a second, where the header says.
    pub frame_rate: Option<f64>,
    /// Bits of a sample.
    pub bit_depth: u8,
    /// Whether there is no chroma.
    pub monochrome: bool,
    /// Whether chroma has half the width.
    pub subsampling_x: bool,
    /// Whether chroma has half the height.
    pub subsampling_y: bool,
    /// `chroma_sample_position`.
    pub chroma_sample_position: u8,
}

impl SequenceHeader {
    /// Reads the payload of a sequence header OBU.
    ///
    /// # Errors
    /// When it ends early or announces a picture beyond [`limits::PICTURE_SIDE`].
    pub fn parse(payload: &[u8]) -> Result<SequenceHeader, CodecError> {
        let bits = &mut Bits::new(WHAT, payload);
        let profile = bits.u8(3)?;
        if profile > 2 {
            return Err(CodecError::malformed(WHAT, "its profile is above 2"));
        }
        bits.flag()?; // still_picture
        let reduced_still_picture = bits.flag()?;
        let operation = if reduced_still_picture { Operation::reduced(bits.u8(5)?) } else { Operation::read(bits)? };
        let (width_bits, height_bits) = (bits.u(4)? + 1, bits.u(4)? + 1);
        let (width, height) = (bits.u(width_bits)? + 1, bits.u(height_bits)? + 1);
        check("AV1 picture width", u64::from(width), &limits::PICTURE_SIDE)?;
        check("AV1 picture height", u64::from(height), &limits::PICTURE_SIDE)?;
        if !reduced_still_picture && bits.flag()? {
            bits.skip(7)?; // lengths of frame ids
        }
        skip_tools(bits, reduced_still_picture)?;
        let colour = Colour::read(bits, profile)?;
        Ok(SequenceHeader {
            profile,
            level_idx: operation.level_idx,
            high_tier: operation.high_tier,
            reduced_still_picture,
            width,
            height,
            frame_rate: operation.frame_rate,
            bit_depth: colour.bit_depth,
            monochrome: colour.monochrome,
            subsampling_x: colour.subsampling_x,
            subsampling_y: colour.subsampling_y,
            chroma_sample_position: colour.chroma_sample_position,
        })
    }
}

/// Timing and the first operating point.
struct Operation {
    level_idx: u8,
    high_tier: bool,
    frame_rate: Option<f64>,
}

impl Operation {
    fn reduced(level_idx: u8) -> Operation {
        Operation { level_idx, high_tier: false, frame_rate: None }
    }

    fn read(bits: &mut Bits<'_>) -> Result<Operation, CodecError> {
        let mut frame_rate = None;
        let mut delay_bits = None;
        if bits.flag()? {
            frame_rate = read_frame_rate(bits)?;
            if bits.flag()? {
                delay_bits = Some(bits.u(5)? + 1);
                bits.skip(42)?; // num_units_in_decoding_tick and two lengths
            }
        }
        let has_display_delay = bits.flag()?;
        let points = bits.u(5)?;
        let mut first = None;
        for _ in 0..=points {
            bits.skip(12)?; // operating_point_idc
            let level_idx = bits.u8(5)?;
            let high_tier = level_idx > 7 && bits.flag()?;
            first.get_or_insert((level_idx, high_tier));
            if let Some(delay_bits) = delay_bits
                && bits.flag()?
            {
                bits.skip(2 * delay_bits + 1)?;
            }
            if has_display_delay && bits.flag()? {
                bits.skip(4)?;
            }
        }
        let (level_idx, high_tier) = first.unwrap_or_default();
        Ok(Operation { level_idx, high_tier, frame_rate })
    }
}

fn read_frame_rate(bits: &mut Bits<'_>) -> Result<Option<f64>, CodecError> {
    let (units_in_tick, time_scale) = (bits.u(32)?, bits.u(32)?);
    let mut ticks = 1.0;
    let equal_interval = bits.flag()?;
    if equal_interval {
        ticks = f64::from(bits.uvlc()?) + 1.0;
    }
    let rate = f64::from(time_scale) / (f64::from(units_in_tick) * ticks);
    Ok((equal_interval && rate.is_finite() && rate > 0.0).then_some(rate))
}

fn skip_tools(bits: &mut Bits<'_>, reduced_still_picture: bool) -> Result<(), CodecError> {
    bits.skip(3)?; // superblock size, filter intra, intra edge filter
    if !reduced_still_picture {
        bits.skip(4)?; // interintra, masked compound, warped motion, dual filter
        let order_hint = bits.flag()?;
        if order_hint {
            bits.skip(2)?; // jnt_comp, ref_frame_mvs
        }
        let chooses_screen_content = bits.flag()?;
        let screen_content = chooses_screen_content || bits.flag()?;
        if screen_content && !bits.flag()? {
            bits.skip(1)?; // seq_force_integer_mv
        }
        if order_hint {
            bits.skip(3)?; // order_hint_bits_minus_1
        }
    }
    bits.skip(3) // superres, cdef, restoration
}

struct Colour {
    bit_depth: u8,
    monochrome: bool,
    subsampling_x: bool,
    subsampling_y: bool,
    chroma_sample_position: u8,
}

impl Colour {
    /// `color_config()` (AV1 §5.5.2).
    fn read(bits: &mut Bits<'_>, profile: u8) -> Result<Colour, CodecError> {
        const SRGB: (u32, u32, u32) = (1, 13, 0);
        let high = bits.flag()?;
        let twelve = profile == 2 && high && bits.flag()?;
        let bit_depth = if twelve {
            12
        } else if high {
            10
        } else {
            8
        };
        let monochrome = profile != 1 && bits.flag()?;
        let description = if bits.flag()? { (bits.u(8)?, bits.u(8)?, bits.u(8)?) } else { (2, 2, 2) };
        let mut colour =
            Colour { bit_depth, monochrome, subsampling_x: true, subsampling_y: true, chroma_sample_position: 0 };
        if monochrome {
            bits.flag()?; // color_range
            return Ok(colour);
        }
        if description == SRGB {
            (colour.subsampling_x, colour.subsampling_y) = (false, false);
            return Ok(colour);
        }
        bits.flag()?; // color_range
        (colour.subsampling_x, colour.subsampling_y) = match profile {
            0 => (true, true),
            1 => (false, false),
            _ if twelve => {
                let x = bits.flag()?;
                (x, x && bits.flag()?)
            }
            _ => (true, false),
        };
        if colour.subsampling_x && colour.subsampling_y {
            colour.chroma_sample_position = bits.u8(2)?;
        }
        Ok(colour)
    }
}
