//! Pictures that show the one before them again, written without a decoder: every macroblock is skipped.
//!
//! A P picture whose macroblocks are all skipped takes each from the same place of the picture before (ITU-T H.264
//! §8.4.1.1), and costs some tens of bytes.

mod cabac;

use bytes::Bytes;

use super::{AvcConfig, Sps, nal_type, unit_type};
use crate::{
    CodecError,
    bits::{BitSink, Bits},
    nal::{self, Nals},
    rbsp,
};

const PPS: &str = "H.264 picture parameter set";
const SLICE: &str = "H.264 slice header";
/// A picture parameter set up to what is read of it, and a slice header.
const BYTES_MAX: usize = 256;
/// All P pictures, of all slices (table 7-6).
const ALL_P: u32 = 5;
/// nal_ref_idc 1, nal_unit_type 1.
const NAL_HEADER: u8 = 0x21;

/// What follows an IDR picture and shows it again.
#[derive(Clone, Debug)]
pub struct Repeat {
    sps: Sps,
    pps: Pps,
    /// `pic_order_cnt_lsb` of the IDR picture.
    order: u32,
}

#[derive(Clone, Debug)]
struct Pps {
    id: u32,
    sps: u32,
    is_cabac: bool,
    /// bottom_field_pic_order_in_frame_present_flag
    has_bottom_order: bool,
    is_weighted: bool,
    /// pic_init_qp_minus26
    qp: i64,
    has_deblocking_control: bool,
}

impl Repeat {
    /// What follows this frame. Nothing where it is no IDR picture, or coded as fields or in another way in which hardly
    /// anybody sends.
    pub fn of(config: &AvcConfig, frame: &[u8]) -> Option<Repeat> {
        let idr = Nals::new(frame).flatten().find(|nal| unit_type(nal) == nal_type::IDR)?;
        let sets = || config.pps.iter().filter_map(|set| Pps::parse(set).ok().flatten());
        let id = pps_id(idr).ok()?;
        let pps = sets().find(|pps| pps.id == id)?;
        let sps = config.sps.iter().filter_map(|set| Sps::parse(set).ok()).find(|sps| u32::from(sps.id) == pps.sps)?;
        let coding = &sps.coding;
        let is_usual = sps.frame_mbs_only && !coding.separate_planes && sps.max_num_ref_frames > 0;
        if !is_usual || sps.pic_order_cnt_type == 1 {
            return None;
        }
        let order = order_of(idr, &sps).ok()?;
        Some(Repeat { sps, pps, order })
    }

    /// The frame that is so many after the IDR picture, from one on, as a NAL unit behind its length.
    pub fn write(&self, number: u32) -> Bytes {
        let (Repeat { sps, pps, order }, coding) = (self, &self.sps.coding);
        let mut out = BitSink::default();
        out.put(NAL_HEADER.into(), 8);
        out.put_ue(0); // first_mb_in_slice
        out.put_ue(ALL_P);
        out.put_ue(pps.id);
        out.put(low(number, coding.frame_num_bits), coding.frame_num_bits);
        if sps.pic_order_cnt_type == 0 {
            let order = order.wrapping_add(number.wrapping_mul(2));
            out.put(low(order, coding.order_bits), coding.order_bits);
            if pps.has_bottom_order {
                out.put_ue(0); // delta_pic_order_cnt_bottom
            }
        }
        out.put(1, 1); // num_ref_idx_active_override_flag
        out.put_ue(0); // num_ref_idx_l0_active_minus1
        out.put(0, 1); // ref_pic_list_modification_flag_l0
        if pps.is_weighted {
            put_no_weights(sps, &mut out);
        }
        out.put(0, 1); // adaptive_ref_pic_marking_mode_flag
        if pps.is_cabac {
            out.put_ue(cabac::INIT_IDC);
        }
        let qp = if pps.is_cabac { cabac::QP - 26 - pps.qp } else { 0 };
        put_se(qp, &mut out); // slice_qp_delta
        if pps.has_deblocking_control {
            out.put_ue(1); // disable_deblocking_filter_idc
        }
        if pps.is_cabac {
            cabac::put_skipped(coding.macroblocks, &mut out);
        } else {
            out.put_ue(coding.macroblocks); // mb_skip_run
            out.put(1, 1); // rbsp_stop_one_bit
        }
        let mut frame = Vec::new();
        nal::push(&rbsp::escape(&out.into_bytes()), &mut frame);
        frame.into()
    }
}

impl Pps {
    /// Nothing for one with slice groups or redundant pictures (§7.3.2.2).
    fn parse(nal: &[u8]) -> Result<Option<Pps>, CodecError> {
        let data = rbsp::unescape(nal, BYTES_MAX);
        let bits = &mut Bits::new(PPS, &data);
        bits.u8(8)?;
        let (id, sps) = (bits.ue()?, bits.ue()?);
        let (is_cabac, has_bottom_order) = (bits.flag()?, bits.flag()?);
        if bits.ue()? > 0 {
            return Ok(None);
        }
        bits.ue()?; // num_ref_idx_l0_default_active_minus1
        bits.ue()?; // num_ref_idx_l1_default_active_minus1
        let is_weighted = bits.flag()?;
        bits.u(2)?; // weighted_bipred_idc
        let qp = bits.se()?;
        bits.se()?; // pic_init_qs_minus26
        bits.se()?; // chroma_qp_index_offset
        let has_deblocking_control = bits.flag()?;
        bits.flag()?; // constrained_intra_pred_flag
        let has_redundant = bits.flag()?;
        let pps = Pps { id, sps, is_cabac, has_bottom_order, is_weighted, qp, has_deblocking_control };
        Ok((!has_redundant && (-88..=25).contains(&qp)).then_some(pps))
    }
}

fn pps_id(idr: &[u8]) -> Result<u32, CodecError> {
    let data = rbsp::unescape(idr, BYTES_MAX);
    let bits = &mut Bits::new(SLICE, &data);
    bits.u8(8)?;
    bits.ue()?; // first_mb_in_slice
    bits.ue()?; // slice_type
    bits.ue()
}

/// `pic_order_cnt_lsb` of an IDR picture whose fields are not apart (§7.3.3).
fn order_of(idr: &[u8], sps: &Sps) -> Result<u32, CodecError> {
    let data = rbsp::unescape(idr, BYTES_MAX);
    let bits = &mut Bits::new(SLICE, &data);
    bits.u8(8)?;
    for _ in 0..3 {
        bits.ue()?; // first_mb_in_slice, slice_type, pic_parameter_set_id
    }
    bits.u(sps.coding.frame_num_bits)?;
    bits.ue()?; // idr_pic_id
    if sps.pic_order_cnt_type == 0 { bits.u(sps.coding.order_bits) } else { Ok(0) }
}

/// §7.3.3.2: the one picture that is referred to has no weights of its own.
fn put_no_weights(sps: &Sps, out: &mut BitSink) {
    out.put_ue(0); // luma_log2_weight_denom
    if sps.chroma_format_idc != 0 {
        out.put_ue(0); // chroma_log2_weight_denom
    }
    out.put(0, 1); // luma_weight_l0_flag
    if sps.chroma_format_idc != 0 {
        out.put(0, 1); // chroma_weight_l0_flag
    }
}

/// Exp-Golomb code of a signed number (§9.1.1).
fn put_se(value: i64, out: &mut BitSink) {
    let magnitude = u32::try_from(value.unsigned_abs()).unwrap_or(0).saturating_mul(2);
    out.put_ue(if value > 0 { magnitude - 1 } else { magnitude });
}

fn low(value: u32, bits: u32) -> u32 {
    value & 1u32.checked_shl(bits).map_or(u32::MAX, |end| end - 1)
}
