//! MPEG-2 transport streams, written from frames and taken apart: pure functions of bytes.
//!
//! | module | writes, but for the last, which reads |
//! |---|---|
//! | `packet` | transport packets, continuity counters, clock references (ISO/IEC 13818-1 §2.4.3.2 to §2.4.3.5) |
//! | `tables` | program association and program map (ISO/IEC 13818-1 §2.4.4.3, §2.4.4.8) |
//! | `pes` | packetized elementary streams (ISO/IEC 13818-1 §2.4.3.6) |
//! | `elementary` | H.264 and H.265 with access unit delimiters and parameter sets (ISO/IEC 13818-1 §2.14, §2.17), AAC behind ADTS (ISO/IEC 13818-7 §6.2) |
//! | `reader` | the same back: packets of elementary streams of the first program |

mod elementary;
mod error;
mod packet;
mod pes;
mod reader;
mod tables;
mod writer;

pub use error::TsError;
pub use packet::PACKET_BYTES;
pub use reader::{Pes, ReadError, Reader};
pub use writer::{Unit, Writer};
