//! The form of `chitchat`'s messages, as far as it has to be known to check them.

use std::net::{Ipv4Addr, SocketAddr};

use super::Malformed;

const MAGIC: u16 = 45_139;
const VERSION: u8 = 0;
/// What the operations of one message may be unpacked to, in bytes. What nodes send is a fifth of it.
const UNPACKED_BYTES_MAX: usize = 4 << 20;

const END: u8 = 0;
const PACKED: u8 = 1;
const PLAIN: u8 = 2;

/// Reads numbers as `chitchat` writes them: the least significant byte first.
pub(super) struct Reader<'a>(&'a [u8]);

/// A node in one of its lives.
pub(super) struct Id<'a> {
    pub(super) node: &'a str,
    pub(super) generation: u64,
    pub(super) address: SocketAddr,
}

/// One step of what a node tells another.
pub(super) enum Operation<'a> {
    /// What follows is told of this node.
    Node { id: Id<'a>, last_gc_version: u64, from_version: u64 },
    /// An entry; of key and value the lengths.
    Entry { key: usize, value: usize, version: u64 },
    /// How far its versions have come.
    Version(u64),
}

/// Bytes that a node takes in a digest.
pub(super) fn digest_bytes(node: &str) -> usize {
    // Length of the name, generation, address of version 4 with its mark and port, three numbers.
    node.len().saturating_add(2 + 8 + 7 + 24)
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader(bytes)
    }

    /// Begins a message.
    pub(super) fn open(message: &'a [u8]) -> Result<Reader<'a>, Malformed> {
        let mut reader = Reader(message);
        let is_known = reader.u16()? == MAGIC && reader.u8()? == VERSION;
        if is_known { Ok(reader) } else { Err(Malformed) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn u8(&mut self) -> Result<u8, Malformed> {
        self.array().map(u8::from_le_bytes)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Malformed> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn text(&mut self) -> Result<&'a str, Malformed> {
        let length = self.u16()?;
        std::str::from_utf8(self.bytes(length.into())?).map_err(|_| Malformed)
    }

    pub(super) fn id(&mut self) -> Result<Id<'a>, Malformed> {
        let (node, generation) = (self.text()?, self.u64()?);
        // Nodes stand for themselves by addresses of version 4 only.
        if self.u8()? != 4 {
            return Err(Malformed);
        }
        let address = Ipv4Addr::from(self.array::<4>()?);
        Ok(Id { node, generation, address: SocketAddr::new(address.into(), self.u16()?) })
    }

    pub(super) fn operation(&mut self) -> Result<Operation<'a>, Malformed> {
        match self.u8()? {
            0 => Ok(Operation::Node { id: self.id()?, last_gc_version: self.u64()?, from_version: self.u64()? }),
            1 => {
                let (key, value, version) = (self.text()?.len(), self.text()?.len(), self.u64()?);
                // Set or withdrawn; nothing here is withdrawn later by itself.
                if self.u8()? <= 1 { Ok(Operation::Entry { key, value, version }) } else { Err(Malformed) }
            }
            2 => self.u64().map(Operation::Version),
            _ => Err(Malformed),
        }
    }

    /// The operations, unpacked from their blocks.
    pub(super) fn unpack(&mut self) -> Result<Vec<u8>, Malformed> {
        let mut unpacked = Vec::new();
        loop {
            let kind = self.u8()?;
            if kind == END {
                return Ok(unpacked);
            }
            let length = self.u16()?;
            let block = self.bytes(length.into())?;
            match kind {
                PLAIN => unpacked.extend_from_slice(block),
                PACKED => {
                    let plain = zstd::bulk::decompress(block, u16::MAX.into()).map_err(|_| Malformed)?;
                    unpacked.extend_from_slice(&plain);
                }
                _ => return Err(Malformed),
            }
            if unpacked.len() > UNPACKED_BYTES_MAX {
                return Err(Malformed);
            }
        }
    }

    fn bytes(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (bytes, rest) = self.0.split_at_checked(length).ok_or(Malformed)?;
        self.0 = rest;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (bytes, rest) = self.0.split_first_chunk::<N>().ok_or(Malformed)?;
        self.0 = rest;
        Ok(*bytes)
    }
}
