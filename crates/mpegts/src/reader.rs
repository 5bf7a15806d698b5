//! Transport packets -> packets of elementary streams.

use std::ops::Range;

use crate::packet::PACKET_BYTES;

const SYNC: u8 = 0x47;
const PAT: u16 = 0;

/// One packet of an elementary stream (ISO/IEC 13818-1 §2.4.3.6): one picture, or packets of sound that follow each
/// other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pes {
    /// The id of the transport packets that it came in.
    pub pid: u16,
    /// What it carries, as the program map says (ISO/IEC 13818-1 table 2-34): 0x1b is H.264, 0x24 H.265, 0x0f AAC
    /// behind ADTS.
    pub stream_type: u8,
    /// When it is shown, in ticks of 90 kHz; 33 bits.
    pub pts: Option<u64>,
    /// When it is decoded, if that is another time.
    pub dts: Option<u64>,
    /// Whether its first transport packet says that a decoder can start here.
    pub random_access: bool,
    /// The coded bytes, as the elementary stream has them: NAL units behind start codes, AAC behind ADTS.
    pub data: Vec<u8>,
}

/// Why bytes are no transport stream.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// A packet does not begin as it should.
    #[error("no transport stream: the packet at byte {at} does not begin with the sync byte")]
    Sync {
        /// Where, counted from the beginning of what was read.
        at: usize,
    },
    /// What was read ends within a packet.
    #[error("the transport stream ends within a packet")]
    Short,
    /// A packet or a table says of itself what cannot be.
    #[error("malformed {0}")]
    Malformed(&'static str),
}

/// Reads the first program of a transport stream that comes in pieces which begin and end with whole units, as
/// segments of HLS do.
///
/// Tables that need more than one transport packet are not read, nor is the order of packets checked.
#[derive(Debug, Default)]
pub struct Reader {
    map: Option<u16>,
    streams: Vec<Stream>,
}

#[derive(Debug)]
struct Stream {
    pid: u16,
    kind: u8,
    /// The unit that is not whole yet.
    unit: Option<Unit>,
}

#[derive(Debug)]
struct Unit {
    random_access: bool,
    bytes: Vec<u8>,
}

impl Reader {
    /// A reader that has seen nothing yet.
    pub fn new() -> Reader {
        Reader::default()
    }

    /// Reads a piece; its packets of elementary streams come in the order of their ends.
    ///
    /// # Errors
    /// It is no transport stream; what was whole until there is lost.
    pub fn read(&mut self, piece: &[u8]) -> Result<Vec<Pes>, ReadError> {
        let mut found = Vec::new();
        let packets = piece.chunks_exact(PACKET_BYTES);
        if !packets.remainder().is_empty() {
            return Err(ReadError::Short);
        }
        for (index, packet) in packets.enumerate() {
            self.packet(packet, index * PACKET_BYTES, &mut found)?;
        }
        for index in 0..self.streams.len() {
            self.end(index, &mut found)?;
        }
        Ok(found)
    }

    fn packet(&mut self, packet: &[u8], at: usize, found: &mut Vec<Pes>) -> Result<(), ReadError> {
        let [SYNC, high, low, control, rest @ ..] = packet else { return Err(ReadError::Sync { at }) };
        let begins = high & 0x40 != 0;
        let pid = u16::from_be_bytes([high & 0x1f, *low]);
        let (mut payload, mut random_access) = (rest, false);
        if control & 0x20 != 0 {
            let (length, fields) = rest.split_first().ok_or(ReadError::Malformed("adaptation field"))?;
            let (field, after) =
                fields.split_at_checked(usize::from(*length)).ok_or(ReadError::Malformed("adaptation field"))?;
            random_access = field.first().is_some_and(|flags| flags & 0x40 != 0);
            payload = after;
        }
        if control & 0x10 == 0 || high & 0x80 != 0 {
            return Ok(());
        }
        if pid == PAT {
            return self.association(begins, payload);
        }
        if self.map == Some(pid) {
            return self.map(begins, payload);
        }
        let Some(index) = self.streams.iter().position(|stream| stream.pid == pid) else { return Ok(()) };
        if begins {
            self.end(index, found)?;
        }
        let Some(stream) = self.streams.get_mut(index) else { return Ok(()) };
        if begins {
            stream.unit = Some(Unit { random_access, bytes: Vec::with_capacity(4_096) });
        }
        if let Some(unit) = &mut stream.unit {
            unit.bytes.extend_from_slice(payload);
        }
        Ok(())
    }

    /// Hands on the unit of a stream, which is whole.
    fn end(&mut self, index: usize, found: &mut Vec<Pes>) -> Result<(), ReadError> {
        let Some(stream) = self.streams.get_mut(index) else { return Ok(()) };
        if let Some(unit) = stream.unit.take() {
            found.push(read_unit(stream.pid, stream.kind, unit)?);
        }
        Ok(())
    }

    /// ISO/IEC 13818-1 §2.4.4.3.
    fn association(&mut self, begins: bool, payload: &[u8]) -> Result<(), ReadError> {
        let Some(table) = section(begins, payload, 0x00)? else { return Ok(()) };
        for entry in table.as_chunks::<4>().0 {
            let [program_high, program_low, high, low] = *entry;
            if [program_high, program_low] != [0, 0] {
                self.map = Some(u16::from_be_bytes([high & 0x1f, low]));
                break;
            }
        }
        Ok(())
    }

    /// ISO/IEC 13818-1 §2.4.4.8.
    fn map(&mut self, begins: bool, payload: &[u8]) -> Result<(), ReadError> {
        const WRONG: ReadError = ReadError::Malformed("program map");
        let Some(table) = section(begins, payload, 0x02)? else { return Ok(()) };
        let [_, _, high, low, rest @ ..] = table else { return Err(WRONG) };
        let (_, mut rest) = rest.split_at_checked(length(*high, *low)).ok_or(WRONG)?;
        let mut streams = Vec::new();
        while let [kind, high, low, info_high, info_low, after @ ..] = rest {
            let pid = u16::from_be_bytes([high & 0x1f, *low]);
            rest = after.split_at_checked(length(*info_high, *info_low)).ok_or(WRONG)?.1;
            let known = self.streams.iter().position(|stream| stream.pid == pid && stream.kind == *kind);
            let unit = known.and_then(|index| self.streams.get_mut(index)?.unit.take());
            streams.push(Stream { pid, kind: *kind, unit });
        }
        self.streams = streams;
        Ok(())
    }
}

/// Twelve bits.
fn length(high: u8, low: u8) -> usize {
    usize::from(u16::from_be_bytes([high & 0x0f, low]))
}

/// The entries of a table of this id, without its head and its checksum; nothing for a continued or another one.
fn section(begins: bool, payload: &[u8], id: u8) -> Result<Option<&[u8]>, ReadError> {
    const WRONG: ReadError = ReadError::Malformed("table");
    const HEAD: usize = 5;
    const CHECKSUM: usize = 4;
    if !begins {
        return Ok(None);
    }
    let (pointer, rest) = payload.split_first().ok_or(WRONG)?;
    let table = rest.get(usize::from(*pointer)..).ok_or(WRONG)?;
    let [found, high, low, body @ ..] = table else { return Err(WRONG) };
    if *found != id {
        return Ok(None);
    }
    // A table that is longer than the rest of its packet goes on in the next one.
    let Some(body) = body.get(..length(*high, *low)) else { return Ok(None) };
    let range: Range<usize> = HEAD..body.len().saturating_sub(CHECKSUM);
    body.get(range).map(Some).ok_or(WRONG)
}

/// ISO/IEC 13818-1 §2.4.3.6.
fn read_unit(pid: u16, stream_type: u8, unit: Unit) -> Result<Pes, ReadError> {
    const WRONG: ReadError = ReadError::Malformed("packet of an elementary stream");
    let Unit { random_access, mut bytes } = unit;
    let [0, 0, 1, _, long_high, long_low, _, flags, fields, rest @ ..] = &bytes[..] else { return Err(WRONG) };
    let (fields, payload) = rest.split_at_checked(usize::from(*fields)).ok_or(WRONG)?;
    let pts = (flags & 0x80 != 0).then(|| fields.first_chunk::<5>().map(time)).flatten();
    let dts = (flags & 0xc0 == 0xc0).then(|| fields.get(5..)?.first_chunk::<5>().map(time)).flatten();
    // Zero stands for any length.
    let long = usize::from(u16::from_be_bytes([*long_high, *long_low]));
    let head = bytes.len() - payload.len();
    let end = if long == 0 { bytes.len() } else { (long + 6).clamp(head, bytes.len().max(head)) };
    bytes.truncate(end);
    bytes.drain(..head);
    Ok(Pes { pid, stream_type, pts, dts, random_access, data: bytes })
}

/// 33 bits, with a marker after each part.
fn time(bytes: &[u8; 5]) -> u64 {
    let [a, b, c, d, e] = bytes.map(u64::from);
    (a >> 1 & 0x07) << 30 | b << 22 | (c >> 1) << 15 | d << 7 | e >> 1
}

#[cfg(test)]
mod tests;
