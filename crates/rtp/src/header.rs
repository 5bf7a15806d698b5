//! A view of an RTP header (RFC 3550 §5.1, RFC 8285).

use rtp_rs::{RtpReader, RtpReaderError};

use crate::RtpError;

/// A packet whose lengths (CSRC list, extension, padding) have been checked against its size.
pub struct Header<'a> {
    reader: RtpReader<'a>,
}

impl<'a> Header<'a> {
    /// Checks a packet.
    ///
    /// # Errors
    /// When it is not RTP version 2 or one of its lengths reaches beyond it.
    pub fn parse(packet: &'a [u8]) -> Result<Header<'a>, RtpError> {
        let reader = RtpReader::new(packet).map_err(|error| {
            RtpError::Header(match error {
                RtpReaderError::BufferTooShort(_) => "fewer than 12 bytes",
                RtpReaderError::UnsupportedVersion(_) => "another version than 2",
                RtpReaderError::HeadersTruncated { .. } => "the CSRC list or the extension reaches beyond the packet",
                RtpReaderError::PaddingLengthInvalid(_) => "the padding is longer than the payload, or zero",
            })
        })?;
        Ok(Header { reader })
    }

    /// The marker bit.
    pub fn marker(&self) -> bool {
        self.reader.mark()
    }

    /// The payload type, 0 to 127.
    pub fn payload_type(&self) -> u8 {
        self.reader.payload_type()
    }

    /// The sequence number.
    pub fn sequence(&self) -> u16 {
        self.reader.sequence_number().into()
    }

    /// The timestamp.
    pub fn timestamp(&self) -> u32 {
        self.reader.timestamp()
    }

    /// The synchronisation source.
    pub fn ssrc(&self) -> u32 {
        self.reader.ssrc()
    }

    /// The contributing sources.
    pub fn csrcs(&self) -> impl Iterator<Item = u32> + '_ {
        self.reader.csrc()
    }

    /// The payload without padding.
    pub fn payload(&self) -> &'a [u8] {
        self.reader.payload()
    }

    /// The header extensions, in the form with one byte or with two before each.
    pub fn extensions(&self) -> Extensions<'a> {
        match self.reader.extension() {
            Some((0xbede, data)) => Extensions { rest: data, wide: false },
            Some((profile, data)) if profile & 0xfff0 == 0x1000 => Extensions { rest: data, wide: true },
            _ => Extensions { rest: &[], wide: false },
        }
    }
}

/// Iterates over header extensions as id and data; stops at the first that reaches beyond the header.
pub struct Extensions<'a> {
    rest: &'a [u8],
    wide: bool,
}

impl<'a> Iterator for Extensions<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        const PADDING: u8 = 0;
        /// RFC 8285 §4.2: in the form with one byte, ends the list.
        const STOP: u8 = 15;
        loop {
            let (&first, rest) = self.rest.split_first()?;
            if first == PADDING {
                self.rest = rest;
                continue;
            }
            let (id, length, rest) = if self.wide {
                let (&length, rest) = rest.split_first()?;
                (first, usize::from(length), rest)
            } else {
                (first >> 4, usize::from(first & 15) + 1, rest)
            };
            let (data, rest) = rest.split_at_checked(length)?;
            self.rest = rest;
            if !self.wide && id == STOP {
                self.rest = &[];
                return None;
            }
            return Some((id, data));
        }
    }
}
