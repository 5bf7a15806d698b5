//! NAL units of H.264 and H.265 in a row: behind lengths, as frames have them, or behind start codes.

use bytes::{BufMut, Bytes, BytesMut};
use headwater_media::limits;

use crate::error::check;
use crate::{CodecError, Reader};

const WHAT: &str = "NAL unit";

/// The NAL units of a frame, each behind its length in four bytes; stops after the first error.
///
/// Empty units are passed over.
#[derive(Clone, Debug)]
pub struct Nals<'a> {
    rest: &'a [u8],
}

impl<'a> Nals<'a> {
    /// Iterates over the data of a frame.
    pub fn new(frame: &'a [u8]) -> Nals<'a> {
        Nals { rest: frame }
    }

    fn read(&mut self) -> Result<&'a [u8], CodecError> {
        let reader = &mut Reader::new(WHAT, self.rest);
        let length = reader.u32()?;
        check("NAL unit size", u64::from(length), &limits::NAL_UNIT_BYTES)?;
        let nal = reader.take(length as usize)?;
        self.rest = reader.rest();
        Ok(nal)
    }
}

impl<'a> Iterator for Nals<'a> {
    type Item = Result<&'a [u8], CodecError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.rest.is_empty() {
            match self.read() {
                Ok([]) => {}
                Ok(nal) => return Some(Ok(nal)),
                Err(error) => {
                    self.rest = &[];
                    return Some(Err(error));
                }
            }
        }
        None
    }
}

/// The NAL units of a byte stream with start codes (ITU-T H.264 annex B, H.265 annex B).
///
/// Bytes before the first start code are passed over.
#[derive(Clone, Debug)]
pub struct AnnexB<'a> {
    rest: &'a [u8],
}

impl<'a> AnnexB<'a> {
    /// Iterates over a byte stream.
    pub fn new(stream: &'a [u8]) -> AnnexB<'a> {
        let rest = find_start_code(stream).and_then(|at| stream.get(at + START_CODE.len()..)).unwrap_or(&[]);
        AnnexB { rest }
    }
}

impl<'a> Iterator for AnnexB<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        while !self.rest.is_empty() {
            let end = find_start_code(self.rest).unwrap_or(self.rest.len());
            let (nal, rest) = self.rest.split_at_checked(end)?;
            self.rest = rest.get(START_CODE.len()..).unwrap_or(&[]);
            let kept = nal.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
            if let Some(nal @ [_, ..]) = nal.get(..kept) {
                return Some(nal);
            }
        }
        None
    }
}

const START_CODE: [u8; 3] = [0, 0, 1];

fn find_start_code(data: &[u8]) -> Option<usize> {
    data.windows(START_CODE.len()).position(|window| window == START_CODE)
}

/// From start codes to lengths of four bytes.
pub fn from_annexb(stream: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(stream.len() + 16);
    for nal in AnnexB::new(stream) {
        push(nal, &mut out);
    }
    out.into()
}

/// From lengths of four bytes to start codes of four bytes.
///
/// # Errors
/// When a length reaches beyond the frame.
pub fn to_annexb(frame: &[u8], out: &mut Vec<u8>) -> Result<(), CodecError> {
    out.reserve(frame.len());
    for nal in Nals::new(frame) {
        let nal = nal?;
        out.extend_from_slice(&[0, 0, 0, 1]);
        out.extend_from_slice(nal);
    }
    Ok(())
}

/// From lengths of `size` bytes, 1 to 4, to lengths of four bytes.
///
/// # Errors
/// When a length reaches beyond the frame, or `size` is something else.
pub fn widen_lengths(frame: Bytes, size: u8) -> Result<Bytes, CodecError> {
    if size == 4 {
        return Ok(frame);
    }
    let reader = &mut Reader::new(WHAT, &frame);
    let mut out = BytesMut::with_capacity(frame.len() + 16);
    while !reader.is_empty() {
        let length = match size {
            1 => u32::from(reader.u8()?),
            2 => u32::from(reader.u16()?),
            3 => (u32::from(reader.u8()?) << 16) | u32::from(reader.u16()?),
            _ => {
                return Err(CodecError::malformed(WHAT, "its length has neither 1 nor 2 nor 4 bytes"));
            }
        };
        out.put_u32(length);
        out.put_slice(reader.take(length as usize)?);
    }
    Ok(out.freeze())
}

/// Appends a NAL unit behind its length in four bytes.
pub fn push(nal: &[u8], out: &mut Vec<u8>) {
    let Ok(length) = u32::try_from(nal.len()) else {
        return;
    };
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(nal);
}
