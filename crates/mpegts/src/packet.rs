//! Transport packets (ISO/IEC 13818-1 §2.4.3.2).

/// Bytes of a transport packet.
pub const PACKET_BYTES: usize = 188;
const HEADER_BYTES: usize = 4;
const PAYLOAD_BYTES_MAX: usize = PACKET_BYTES - HEADER_BYTES;
const SYNC: u8 = 0x47;

/// The packets of one id, counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pid {
    pub(crate) number: u16,
    continuity: u8,
}

/// What the first packet of a unit says besides (ISO/IEC 13818-1 §2.4.3.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Start {
    /// A decoder can start at it.
    pub(crate) random_access: bool,
    /// The program clock, in ticks of 90 kHz.
    pub(crate) clock: Option<u64>,
}

impl Pid {
    pub(crate) fn new(number: u16) -> Pid {
        Pid { number, continuity: 0 }
    }

    /// Writes a unit in as many packets as it needs; what it leaves of the last one is stuffed.
    pub(crate) fn write(&mut self, start: Start, unit: &[u8], out: &mut Vec<u8>) {
        out.reserve(unit.len() / PAYLOAD_BYTES_MAX * PACKET_BYTES + 2 * PACKET_BYTES);
        let mut adaptation = start.fields();
        let mut rest = unit;
        let mut begins = true;
        while begins || !rest.is_empty() {
            let room = PAYLOAD_BYTES_MAX - adaptation.len();
            let (piece, after) = rest.split_at(rest.len().min(room));
            stuff(&mut adaptation, room - piece.len());
            self.header(begins, !adaptation.is_empty(), out);
            out.extend_from_slice(&adaptation);
            out.extend_from_slice(piece);
            adaptation.clear();
            rest = after;
            begins = false;
        }
    }

    fn header(&mut self, begins: bool, has_adaptation: bool, out: &mut Vec<u8>) {
        let [high, low] = self.number.to_be_bytes();
        let control = if has_adaptation { 0x30 } else { 0x10 };
        out.extend_from_slice(&[SYNC, u8::from(begins) << 6 | high & 0x1f, low, control | self.continuity]);
        self.continuity = (self.continuity + 1) & 0x0f;
    }
}

impl Start {
    /// The adaptation field, its length included; nothing where it says nothing.
    fn fields(self) -> Vec<u8> {
        if self == Start::default() {
            return Vec::new();
        }
        let mut field = vec![0, u8::from(self.random_access) << 6 | u8::from(self.clock.is_some()) << 4];
        if let Some(clock) = self.clock {
            // 33 bits of 90 kHz, six reserved, nine of 27 MHz, which are zero.
            let [_, _, bytes @ ..] = ((clock & 0x1_ffff_ffff) << 15 | 0x7e00).to_be_bytes();
            field.extend_from_slice(&bytes);
        }
        set_length(&mut field);
        field
    }
}

/// Lengthens an adaptation field by so many bytes. One byte alone is the length of nothing.
fn stuff(field: &mut Vec<u8>, bytes: usize) {
    if bytes == 0 {
        return;
    }
    let long = field.len() + bytes;
    if field.is_empty() {
        field.push(0);
        if long > 1 {
            field.push(0);
        }
    }
    field.resize(long, 0xff);
    set_length(field);
}

fn set_length(field: &mut [u8]) {
    let rest = field.len().saturating_sub(1);
    if let Some(length) = field.first_mut() {
        // A field is shorter than a packet.
        *length = rest as u8;
    }
}
