//! Arithmetic coding of a slice whose macroblocks are all skipped (ITU-T H.264 §9.3).
//!
//! The slice has no residual, so its quantiser is free, and with it the state in which the one context that is needed
//! begins: one in which a skipped macroblock is the likely case, and which leaves the others of the tables unused.

use crate::bits::BitSink;

/// `cabac_init_idc`, and the quantiser of the slice.
pub(super) const INIT_IDC: u32 = 2;
pub(super) const QP: i64 = 51;
/// `pStateIdx` of `mb_skip_flag` (ctxIdx 11) then: ((29 * 51) >> 4) + 16 - 64 (§9.3.1.1, table 9-13).
const FIRST_STATE: usize = 44;
/// `rangeTabLPS` from that state to 62, the last one (table 9-44).
const RANGES: [[u32; 4]; 19] = [
    [14, 18, 21, 24],
    [14, 17, 20, 23],
    [13, 16, 19, 22],
    [12, 15, 18, 21],
    [12, 14, 17, 20],
    [11, 14, 16, 19],
    [11, 13, 15, 18],
    [10, 12, 15, 17],
    [10, 12, 14, 16],
    [9, 11, 13, 15],
    [9, 11, 12, 14],
    [8, 10, 12, 14],
    [8, 9, 11, 13],
    [7, 9, 11, 12],
    [7, 9, 10, 12],
    [7, 8, 10, 11],
    [6, 8, 9, 11],
    [6, 7, 9, 10],
    [6, 7, 8, 9],
];
const LAST_STATE: usize = FIRST_STATE + RANGES.len() - 1;

/// The encoder of §9.3.4.2.
struct Encoder<'a> {
    out: &'a mut BitSink,
    low: u32,
    range: u32,
    is_first: bool,
    outstanding: u32,
}

/// The data of a slice in which so many macroblocks are skipped, up to the stop bit.
pub(super) fn put_skipped(macroblocks: u32, out: &mut BitSink) {
    while !out.is_aligned() {
        out.put(1, 1); // cabac_alignment_one_bit
    }
    let mut encoder = Encoder { out, low: 0, range: 510, is_first: true, outstanding: 0 };
    let mut state = FIRST_STATE;
    for left in (0..macroblocks).rev() {
        encoder.likely(state); // mb_skip_flag
        state = (state + 1).min(LAST_STATE);
        encoder.terminate(left == 0); // end_of_slice_flag
    }
}

impl Encoder<'_> {
    /// A bin that has the value which is likely.
    fn likely(&mut self, state: usize) {
        let quarter = (self.range >> 6 & 3) as usize;
        let row = RANGES.get(state.saturating_sub(FIRST_STATE));
        self.range -= row.and_then(|row| row.get(quarter)).copied().unwrap_or(2);
        self.renormalise();
    }

    fn terminate(&mut self, ends: bool) {
        self.range -= 2;
        if !ends {
            return self.renormalise();
        }
        self.low += self.range;
        self.range = 2;
        self.renormalise();
        self.put(self.low >> 9 & 1);
        // The last of them is the stop bit.
        self.out.put(self.low >> 7 & 3 | 1, 2);
    }

    fn renormalise(&mut self) {
        while self.range < 256 {
            match self.low {
                0..256 => self.put(0),
                256..512 => {
                    self.low -= 256;
                    self.outstanding += 1;
                }
                512.. => {
                    self.low -= 512;
                    self.put(1);
                }
            }
            self.range <<= 1;
            self.low <<= 1;
        }
    }

    fn put(&mut self, bit: u32) {
        if !std::mem::replace(&mut self.is_first, false) {
            self.out.put(bit, 1);
        }
        for _ in 0..std::mem::take(&mut self.outstanding) {
            self.out.put(1 - bit, 1);
        }
    }
}
