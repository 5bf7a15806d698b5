//! Streams made with ffmpeg's test picture, 66x50 pixels at 10 frames a second; see `fixtures/README.md`.

use bytes::Bytes;
use headwater_codec::nal::{self, AnnexB};

pub(crate) const BASELINE: &[u8] = include_bytes!("../../fixtures/baseline.h264");
pub(crate) const MAIN_B: &[u8] = include_bytes!("../../fixtures/main-b.h264");
pub(crate) const HIGH_B: &[u8] = include_bytes!("../../fixtures/high-b.h264");
pub(crate) const HIGH_422_INTERLACED: &[u8] = include_bytes!("../../fixtures/high422i.h264");
pub(crate) const HEVC: &[u8] = include_bytes!("../../fixtures/hevc.h265");
pub(crate) const VP8: &[u8] = include_bytes!("../../fixtures/vp8.ivf");
pub(crate) const VP9: &[u8] = include_bytes!("../../fixtures/vp9.ivf");
pub(crate) const AV1: &[u8] = include_bytes!("../../fixtures/av1.ivf");

/// The frames of a byte stream, cut at its access unit delimiters and without them.
pub(crate) fn annexb_frames(stream: &[u8], is_delimiter: fn(&[u8]) -> bool) -> Vec<Bytes> {
    let mut frames: Vec<Vec<u8>> = Vec::new();
    for nal in AnnexB::new(stream) {
        match frames.last_mut() {
            _ if is_delimiter(nal) => frames.push(Vec::new()),
            Some(frame) => nal::push(nal, frame),
            None => panic!("a stream begins with a delimiter"),
        }
    }
    frames.into_iter().map(Bytes::from).collect()
}

/// The frames of an IVF file.
pub(crate) fn ivf_frames(file: &[u8]) -> Vec<Bytes> {
    let mut rest = &file[32..];
    let mut frames = Vec::new();
    while let Some((head, tail)) = rest.split_at_checked(12) {
        let (frame, tail) = tail.split_at(u32::from_le_bytes(head[..4].try_into().unwrap()) as usize);
        frames.push(Bytes::copy_from_slice(frame));
        rest = tail;
    }
    frames
}

pub(crate) fn hex(text: &str) -> Bytes {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}
