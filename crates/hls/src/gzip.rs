//! Compression of playlists.

use std::cell::RefCell;

use bytes::Bytes;
use flate2::{Compress, Compression, Crc, FlushCompress, Status};

/// A head without name, time and extra fields, of a system that is not told (RFC 1952 §2.3).
const HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

/// The least room that is offered to the compressor, in bytes; it comes back for more.
const ROOM: usize = 1 << 10;

thread_local! {
    /// What a compressor needs is some hundred kilobytes, which cost more than the work on one playlist.
    static COMPRESSOR: RefCell<Compress> = RefCell::new(Compress::new(Compression::fast(), false));
}

/// Compresses a text (RFC 1952; RFC 8216 §6.2.1: playlists should be).
pub(crate) fn gzip(text: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(HEAD.len() + text.len() / 3);
    out.extend_from_slice(&HEAD);
    COMPRESSOR.with_borrow_mut(|compressor| {
        compressor.reset();
        loop {
            out.reserve(ROOM);
            let rest = usize::try_from(compressor.total_in()).ok().and_then(|read| text.get(read..));
            match compressor.compress_vec(rest.unwrap_or_default(), &mut out, FlushCompress::Finish) {
                Ok(Status::Ok | Status::BufError) => {}
                Ok(Status::StreamEnd) | Err(_) => break,
            }
        }
    });
    let mut crc = Crc::new();
    crc.update(text);
    out.extend_from_slice(&crc.sum().to_le_bytes());
    out.extend_from_slice(&crc.amount().to_le_bytes());
    out.into()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;

    use super::*;

    #[test]
    fn one_text_after_the_other_comes_back_as_it_was() {
        for length in [0, 1, 100, 70_000, 3, 5_000] {
            let text: Vec<u8> = (0..length).map(|index| (index * 7 % 61) as u8).collect();
            let compressed = gzip(&text);
            let mut read = Vec::new();
            GzDecoder::new(&compressed[..]).read_to_end(&mut read).unwrap();
            assert_eq!(read, text);
        }
    }
}
