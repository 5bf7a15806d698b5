//! Packets of elementary streams (ISO/IEC 13818-1 §2.4.3.6).

/// The first stream of a kind.
pub(crate) const VIDEO: u8 = 0xe0;
pub(crate) const AUDIO: u8 = 0xc0;

/// Begins a packet; its payload follows. Times are in ticks of 90 kHz.
pub(crate) fn header(stream: u8, pts: u64, dts: u64, payload_bytes: usize) -> Vec<u8> {
    let has_dts = pts != dts;
    let fields: usize = if has_dts { 10 } else { 5 };
    // A picture may be of any length, which zero stands for; sound must say it.
    let length = u16::try_from(3 + fields + payload_bytes).ok().filter(|_| stream != VIDEO).unwrap_or(0);
    let mut out = Vec::with_capacity(9 + fields + payload_bytes);
    out.extend_from_slice(&[0, 0, 1, stream]);
    out.extend_from_slice(&length.to_be_bytes());
    // Data is aligned: the payload begins with an access unit.
    out.extend_from_slice(&[0x84, if has_dts { 0xc0 } else { 0x80 }, fields as u8]);
    out.extend_from_slice(&time(if has_dts { 3 } else { 2 }, pts));
    if has_dts {
        out.extend_from_slice(&time(1, dts));
    }
    out
}

fn time(prefix: u8, ticks: u64) -> [u8; 5] {
    let ticks = ticks & 0x1_ffff_ffff;
    let marked = |shift: u32| ((ticks >> shift & 0x7fff) as u16) << 1 | 1;
    let ([a, b], [c, d]) = (marked(15).to_be_bytes(), marked(0).to_be_bytes());
    [prefix << 4 | ((ticks >> 30) as u8) << 1 | 1, a, b, c, d]
}
