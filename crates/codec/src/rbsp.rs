//! The bytes of a NAL unit with and without emulation prevention (ITU-T H.264 §7.4.1.1, H.265 §7.4.2.1).

/// Removes the emulation prevention bytes, from at most `limit` bytes of input.
pub(crate) fn unescape(nal: &[u8], limit: usize) -> Vec<u8> {
    let nal = nal.get(..limit).unwrap_or(nal);
    let mut out = Vec::with_capacity(nal.len());
    let mut zeros = 0;
    for &byte in nal {
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        out.push(byte);
    }
    out
}

/// Puts emulation prevention bytes in.
pub(crate) fn escape(rbsp: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(rbsp.len() + rbsp.len() / 64 + 2);
    let mut zeros = 0;
    for &byte in rbsp {
        if zeros == 2 && byte <= 3 {
            out.push(3);
            zeros = 0;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        out.push(byte);
    }
    out
}
