//! A cursor over received bytes that never reads past the end.

use bytes::{Buf, Bytes};

use crate::FlvError;

/// Reads big-endian fields off the front of received bytes; slices it hands out share the memory.
#[derive(Clone, Debug)]
pub struct Reader {
    data: Bytes,
}

macro_rules! fields {
    ($($name:ident -> $type:ty, $bytes:literal, $get:expr, $doc:literal;)*) => {
        $(
            #[doc = $doc]
            ///
            /// # Errors
            /// The data ends first; `what` names the field.
            pub fn $name(&mut self, what: &'static str) -> Result<$type, FlvError> {
                if self.data.len() < $bytes {
                    return Err(FlvError::Truncated(what));
                }
                Ok($get(&mut self.data))
            }
        )*
    };
}

impl Reader {
    /// A reader at the start of the data.
    pub fn new(data: Bytes) -> Reader {
        Reader { data }
    }

    fields! {
        u8 -> u8, 1, Bytes::get_u8, "The next byte.";
        u16 -> u16, 2, Bytes::get_u16, "The next two bytes.";
        u24 -> u32, 3, |data: &mut Bytes| data.get_uint(3) as u32, "The next three bytes.";
        i24 -> i32, 3, |data: &mut Bytes| data.get_int(3) as i32, "The next three bytes, two's complement.";
        u32 -> u32, 4, Bytes::get_u32, "The next four bytes.";
        f64 -> f64, 8, Bytes::get_f64, "The next eight bytes, IEEE 754.";
    }

    /// The next `count` bytes.
    ///
    /// # Errors
    /// The data ends first.
    pub fn take(&mut self, count: usize, what: &'static str) -> Result<Bytes, FlvError> {
        if self.data.len() < count {
            return Err(FlvError::Truncated(what));
        }
        Ok(self.data.split_to(count))
    }

    /// The next byte, without moving on.
    pub fn peek(&self) -> Option<u8> {
        self.data.first().copied()
    }

    /// How many bytes are left.
    pub fn remaining(&self) -> usize {
        self.data.len()
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// All that is left.
    pub fn rest(self) -> Bytes {
        self.data
    }
}
