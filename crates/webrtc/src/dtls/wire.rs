//! Records and the handshake messages in them, as far as they are not sealed.

/// A record and what follows it (RFC 6347 §4.1).
pub(super) struct Record<'a> {
    pub(super) header: &'a [u8; 13],
    pub(super) fragment: &'a [u8],
    pub(super) rest: &'a [u8],
}

impl<'a> Record<'a> {
    /// The first one of a datagram.
    pub(super) fn split(datagram: &'a [u8]) -> Option<Record<'a>> {
        let (header, after) = datagram.split_first_chunk::<13>()?;
        let [.., high, low] = *header;
        let (fragment, rest) = after.split_at_checked(usize::from(u16::from_be_bytes([high, low])))?;
        Some(Record { header, fragment, rest })
    }

    /// Whether it carries handshake messages (type 22, RFC 5246 §6.2.1) and is not sealed, as all from epoch 1 on are.
    pub(super) fn is_plain_handshake(&self) -> bool {
        matches!(self.header, [22, _, _, 0, 0, ..])
    }
}

/// A handshake message, or a part of one, and what follows it (RFC 6347 §4.2.2).
pub(super) struct Message<'a> {
    /// Its type (RFC 5246 §7.4).
    pub(super) kind: u8,
    pub(super) header: &'a [u8; 12],
    /// Bytes of the whole message.
    pub(super) length: u32,
    /// Whether all of it is here.
    pub(super) is_whole: bool,
    /// `None` if it is cut off.
    pub(super) rest: Option<&'a [u8]>,
}

impl<'a> Message<'a> {
    /// The first one of a record, or of a whole handshake.
    pub(super) fn split(messages: &'a [u8]) -> Option<Message<'a>> {
        let (header, after) = messages.split_first_chunk()?;
        let [kind, l0, l1, l2, _, _, o0, o1, o2, p0, p1, p2] = *header;
        let [length, offset, part] =
            [[l0, l1, l2], [o0, o1, o2], [p0, p1, p2]].map(|[a, b, c]| u32::from_be_bytes([0, a, b, c]));
        let rest = usize::try_from(part).ok().and_then(|part| Some(after.split_at_checked(part)?.1));
        Some(Message { kind, header, length, is_whole: offset == 0 && part == length, rest })
    }
}
