//! AMF 0.

use std::sync::Arc;

use bytes::{BufMut, BytesMut};

use super::{
    Object, Value, amf3,
    budget::{Budget, read_text},
};
use crate::{FlvError, Reader};

const NUMBER: u8 = 0x00;
const BOOLEAN: u8 = 0x01;
const STRING: u8 = 0x02;
const OBJECT: u8 = 0x03;
const NULL: u8 = 0x05;
const UNDEFINED: u8 = 0x06;
const REFERENCE: u8 = 0x07;
const ECMA_ARRAY: u8 = 0x08;
const OBJECT_END: u8 = 0x09;
const STRICT_ARRAY: u8 = 0x0a;
const DATE: u8 = 0x0b;
const LONG_STRING: u8 = 0x0c;
const UNSUPPORTED: u8 = 0x0d;
const TYPED_OBJECT: u8 = 0x10;
const AVM_PLUS: u8 = 0x11;

/// Reads one AMF 0 value; a value marked as AMF 3 within it is read as such.
///
/// # Errors
/// The value is cut off, over a limit of `headwater_media::limits`, or of a refused type.
pub fn read_amf0(reader: &mut Reader) -> Result<Value, FlvError> {
    read(reader, &mut Budget::new())
}

/// Reads AMF 0 values to the end of the data, all against one budget, as they stand in a command or data message.
///
/// # Errors
/// As [`read_amf0`].
pub fn read_all_amf0(reader: &mut Reader) -> Result<Vec<Value>, FlvError> {
    let mut budget = Budget::new();
    let mut values = Vec::new();
    while !reader.is_empty() {
        budget.element()?;
        values.push(read(reader, &mut budget)?);
    }
    Ok(values)
}

fn read(reader: &mut Reader, budget: &mut Budget) -> Result<Value, FlvError> {
    Ok(match reader.u8("an AMF type")? {
        NUMBER => Value::Number(reader.f64("an AMF number")?),
        BOOLEAN => Value::Boolean(reader.u8("an AMF boolean")? != 0),
        STRING => Value::String(read_string(reader)?),
        LONG_STRING => {
            let length = reader.u32("the length of an AMF string")?;
            Value::String(read_text(reader, length as usize)?)
        }
        OBJECT => Value::Object(budget.deeper(|budget| read_object(reader, budget))?),
        ECMA_ARRAY => {
            // The count is a hint that many writers leave at zero.
            reader.u32("the count of an AMF array")?;
            Value::EcmaArray(budget.deeper(|budget| read_object(reader, budget))?)
        }
        TYPED_OBJECT => {
            let class = read_string(reader)?;
            Value::TypedObject(class, budget.deeper(|budget| read_object(reader, budget))?)
        }
        STRICT_ARRAY => Value::Array(budget.deeper(|budget| read_array(reader, budget))?),
        DATE => {
            let time = reader.f64("an AMF date")?;
            reader.u16("an AMF time zone")?;
            Value::Date(time)
        }
        REFERENCE => {
            reader.u16("an AMF reference")?;
            Value::Undefined
        }
        NULL => Value::Null,
        UNDEFINED | UNSUPPORTED => Value::Undefined,
        AVM_PLUS => amf3::read(reader, budget)?,
        other => return Err(FlvError::RefusedAmfType(other)),
    })
}

fn read_string(reader: &mut Reader) -> Result<Arc<str>, FlvError> {
    let length = reader.u16("the length of an AMF string")?;
    read_text(reader, length.into())
}

/// Reads names and values up to the end marker. Data that just ends there counts as an end, as some encoders
/// leave the marker out.
fn read_object(reader: &mut Reader, budget: &mut Budget) -> Result<Object, FlvError> {
    let mut object = Object::new();
    while !reader.is_empty() {
        let name = read_string(reader)?;
        if name.is_empty() && reader.peek() == Some(OBJECT_END) {
            reader.u8("an AMF object end")?;
            break;
        }
        budget.element()?;
        let value = read(reader, budget)?;
        object.push(name, value);
    }
    Ok(object)
}

fn read_array(reader: &mut Reader, budget: &mut Budget) -> Result<Vec<Value>, FlvError> {
    let count = reader.u32("the count of an AMF array")?;
    budget.announced(count.into())?;
    let mut values = Vec::new();
    for _ in 0..count {
        budget.element()?;
        values.push(read(reader, budget)?);
    }
    Ok(values)
}

/// Writes a value as AMF 0; raw bytes, which it has no type for, as AMF 3 within it.
pub fn write_amf0(value: &Value, out: &mut BytesMut) {
    match value {
        Value::Number(number) => write_number(*number, out),
        Value::Integer(number) => write_number(f64::from(*number), out),
        Value::Boolean(value) => out.put_slice(&[BOOLEAN, u8::from(*value)]),
        Value::String(text) => write_string(text, out),
        Value::Object(object) => {
            out.put_u8(OBJECT);
            write_object(object, out);
        }
        Value::TypedObject(class, object) => {
            out.put_u8(TYPED_OBJECT);
            write_name(class, out);
            write_object(object, out);
        }
        Value::EcmaArray(object) => {
            out.put_u8(ECMA_ARRAY);
            out.put_u32(u32::try_from(object.iter().len()).unwrap_or(u32::MAX));
            write_object(object, out);
        }
        Value::Array(values) => {
            out.put_u8(STRICT_ARRAY);
            out.put_u32(u32::try_from(values.len()).unwrap_or(u32::MAX));
            values.iter().for_each(|value| write_amf0(value, out));
        }
        Value::Date(time) => {
            out.put_u8(DATE);
            out.put_f64(*time);
            out.put_u16(0);
        }
        Value::Bytes(_) => {
            out.put_u8(AVM_PLUS);
            amf3::write_amf3(value, out);
        }
        Value::Null => out.put_u8(NULL),
        Value::Undefined => out.put_u8(UNDEFINED),
    }
}

fn write_number(number: f64, out: &mut BytesMut) {
    out.put_u8(NUMBER);
    out.put_f64(number);
}

fn write_string(text: &str, out: &mut BytesMut) {
    match u16::try_from(text.len()) {
        Ok(length) => {
            out.put_u8(STRING);
            out.put_u16(length);
        }
        Err(_) => {
            out.put_u8(LONG_STRING);
            out.put_u32(u32::try_from(text.len()).unwrap_or(u32::MAX));
        }
    }
    out.put_slice(text.as_bytes());
}

/// Writes a name; one too long for its length field is cut, between characters.
fn write_name(name: &str, out: &mut BytesMut) {
    let name = name.get(..name.floor_char_boundary(usize::from(u16::MAX))).unwrap_or_default();
    out.put_u16(u16::try_from(name.len()).unwrap_or(0));
    out.put_slice(name.as_bytes());
}

fn write_object(object: &Object, out: &mut BytesMut) {
    for (name, value) in object.iter() {
        write_name(name, out);
        write_amf0(value, out);
    }
    out.put_slice(&[0, 0, OBJECT_END]);
}
