//! The tables by which a decoder finds the streams (ISO/IEC 13818-1 §2.4.4).

/// Where the program map is.
pub(crate) const PMT: u16 = 0x1000;
const PROGRAM: u16 = 1;

/// Which kind of stream is where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) pid: u16,
    /// ISO/IEC 13818-1 table 2-34.
    pub(crate) stream_type: u8,
}

/// The program association: one program.
pub(crate) fn pat() -> Vec<u8> {
    let mut body = Vec::from(PROGRAM.to_be_bytes());
    body.extend_from_slice(&(0xe000 | PMT).to_be_bytes());
    section(0x00, 1, &body)
}

/// The program map.
pub(crate) fn pmt(clock: u16, entries: &[Entry]) -> Vec<u8> {
    let mut body = Vec::from((0xe000 | clock).to_be_bytes());
    body.extend_from_slice(&[0xf0, 0]);
    for entry in entries {
        body.push(entry.stream_type);
        body.extend_from_slice(&(0xe000 | entry.pid).to_be_bytes());
        body.extend_from_slice(&[0xf0, 0]);
    }
    section(0x02, PROGRAM, &body)
}

/// A section of a table, behind the pointer to it, with its checksum.
fn section(table: u8, extension: u16, body: &[u8]) -> Vec<u8> {
    let length = (5 + body.len() + 4) as u16; // a handful of entries
    let mut out = vec![0, table];
    out.extend_from_slice(&(0xb000 | length).to_be_bytes());
    out.extend_from_slice(&extension.to_be_bytes());
    // Version 0, in force; the first section and the last.
    out.extend_from_slice(&[0xc1, 0, 0]);
    out.extend_from_slice(body);
    let checksum = crc(out.get(1..).unwrap_or_default());
    out.extend_from_slice(&checksum.to_be_bytes());
    out
}

/// ISO/IEC 13818-1 annex A.
fn crc(bytes: &[u8]) -> u32 {
    bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte) << 24, |crc, _| {
            let polynomial = if crc >> 31 == 1 { 0x04c1_1db7 } else { 0 };
            crc << 1 ^ polynomial
        })
    })
}
