//! Action Message Format: the values in RTMP commands and FLV metadata.
//!
//! What is read is bounded in depth, elements and length of strings before anything is built from it.
//! Typed objects are read as data only; XML documents and externalizable objects are refused. References to
//! earlier objects read as [`Value::Undefined`], so that no loop and no multiplication can arise.

mod amf0;
mod amf3;
mod budget;
mod value;

pub use amf0::{read_all_amf0, read_amf0, write_amf0};
pub use amf3::{read_amf3, write_amf3};
pub use value::{Object, Value};

#[cfg(test)]
mod tests;
