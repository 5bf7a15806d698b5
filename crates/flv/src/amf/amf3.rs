//! AMF 3.

use std::sync::Arc;

use bytes::{BufMut, BytesMut};
use headwater_media::limits;

use super::{
    Object, Value,
    budget::{Budget, read_text},
};
use crate::{FlvError, Reader};

const UNDEFINED: u8 = 0x00;
const NULL: u8 = 0x01;
const FALSE: u8 = 0x02;
const TRUE: u8 = 0x03;
const INTEGER: u8 = 0x04;
const DOUBLE: u8 = 0x05;
const STRING: u8 = 0x06;
const DATE: u8 = 0x08;
const ARRAY: u8 = 0x09;
const OBJECT: u8 = 0x0a;
const BYTE_ARRAY: u8 = 0x0c;
const VECTOR_INT: u8 = 0x0d;
const VECTOR_UINT: u8 = 0x0e;
const VECTOR_DOUBLE: u8 = 0x0f;
const VECTOR_OBJECT: u8 = 0x10;
/// Larger and smaller whole numbers are written as doubles.
const INTEGERS: std::ops::RangeInclusive<i32> = -0x1000_0000..=0x0fff_ffff;

/// Reads one AMF 3 value, with reference tables of its own.
///
/// # Errors
/// The value is cut off, over a limit of `headwater_media::limits`, or of a refused type.
pub fn read_amf3(reader: &mut Reader) -> Result<Value, FlvError> {
    read(reader, &mut Budget::new())
}

pub(super) fn read(reader: &mut Reader, budget: &mut Budget) -> Result<Value, FlvError> {
    Tables::default().read(reader, budget)
}

/// What later parts of a value may refer to by number. Objects are not kept: references to them read as undefined.
#[derive(Default)]
struct Tables {
    strings: Vec<Arc<str>>,
    traits: Vec<Traits>,
}

#[derive(Clone)]
struct Traits {
    class: Arc<str>,
    members: Arc<[Arc<str>]>,
    dynamic: bool,
}

impl Tables {
    fn read(&mut self, reader: &mut Reader, budget: &mut Budget) -> Result<Value, FlvError> {
        let marker = reader.u8("an AMF 3 type")?;
        Ok(match marker {
            UNDEFINED => Value::Undefined,
            NULL => Value::Null,
            FALSE => Value::Boolean(false),
            TRUE => Value::Boolean(true),
            INTEGER => {
                // Sign-extend 29 bits.
                Value::Integer((read_u29(reader)? << 3) as i32 >> 3)
            }
            DOUBLE => Value::Number(reader.f64("an AMF 3 double")?),
            STRING => Value::String(self.string(reader)?),
            DATE | ARRAY | OBJECT | BYTE_ARRAY | VECTOR_INT..=VECTOR_OBJECT => {
                let head = read_u29(reader)?;
                if head & 1 == 0 {
                    return Ok(Value::Undefined);
                }
                budget.deeper(|budget| self.complex(marker, head >> 1, reader, budget))?
            }
            other => return Err(FlvError::RefusedAmfType(other)),
        })
    }

    fn complex(&mut self, marker: u8, head: u32, reader: &mut Reader, budget: &mut Budget) -> Result<Value, FlvError> {
        Ok(match marker {
            DATE => Value::Date(reader.f64("an AMF 3 date")?),
            ARRAY => self.array(head, reader, budget)?,
            OBJECT => self.object(head, reader, budget)?,
            BYTE_ARRAY => Value::Bytes(reader.take(head as usize, "an AMF 3 byte array")?),
            _ => self.vector(marker, head, reader, budget)?,
        })
    }

    fn string(&mut self, reader: &mut Reader) -> Result<Arc<str>, FlvError> {
        let head = read_u29(reader)?;
        if head & 1 == 0 {
            let known = self.strings.get((head >> 1) as usize);
            return known.cloned().ok_or(FlvError::Malformed("reference to an unknown AMF 3 string"));
        }
        let text = read_text(reader, (head >> 1) as usize)?;
        if !text.is_empty() {
            check_table(self.strings.len())?;
            self.strings.push(text.clone());
        }
        Ok(text)
    }

    /// An array of named values, then dense ones. With names it reads as an associative array.
    fn array(&mut self, dense: u32, reader: &mut Reader, budget: &mut Budget) -> Result<Value, FlvError> {
        let mut named = self.named(reader, budget)?;
        budget.announced(dense.into())?;
        let mut values = Vec::new();
        for _ in 0..dense {
            budget.element()?;
            values.push(self.read(reader, budget)?);
        }
        if named.iter().len() == 0 {
            return Ok(Value::Array(values));
        }
        for (index, value) in values.into_iter().enumerate() {
            named.push(index.to_string(), value);
        }
        Ok(Value::EcmaArray(named))
    }

    fn object(&mut self, head: u32, reader: &mut Reader, budget: &mut Budget) -> Result<Value, FlvError> {
        let traits = self.traits(head, reader, budget)?;
        let mut object = Object::new();
        for member in traits.members.iter() {
            budget.element()?;
            object.push(member.clone(), self.read(reader, budget)?);
        }
        if traits.dynamic {
            for (name, value) in self.named(reader, budget)?.iter() {
                object.push(name, value.clone());
            }
        }
        Ok(if traits.class.is_empty() { Value::Object(object) } else { Value::TypedObject(traits.class, object) })
    }

    fn traits(&mut self, head: u32, reader: &mut Reader, budget: &mut Budget) -> Result<Traits, FlvError> {
        if head & 1 == 0 {
            let known = self.traits.get((head >> 1) as usize);
            return known.cloned().ok_or(FlvError::Malformed("reference to unknown AMF 3 traits"));
        }
        if head & 2 != 0 {
            // An externalizable object is read by its class alone, and classes are only data here.
            return Err(FlvError::RefusedAmfType(OBJECT));
        }
        let count = head >> 3;
        let class = self.string(reader)?;
        budget.announced(count.into())?;
        let members = (0..count).map(|_| self.string(reader)).collect::<Result<_, _>>()?;
        let traits = Traits { class, members, dynamic: head & 4 != 0 };
        check_table(self.traits.len())?;
        self.traits.push(traits.clone());
        Ok(traits)
    }

    fn vector(&mut self, marker: u8, count: u32, reader: &mut Reader, budget: &mut Budget) -> Result<Value, FlvError> {
        budget.announced(count.into())?;
        reader.u8("the fixed flag of an AMF 3 vector")?;
        if marker == VECTOR_OBJECT {
            self.string(reader)?;
        }
        let mut values = Vec::new();
        for _ in 0..count {
            budget.element()?;
            values.push(match marker {
                VECTOR_INT => Value::Number(f64::from(reader.u32("an AMF 3 vector")? as i32)),
                VECTOR_UINT => Value::Number(f64::from(reader.u32("an AMF 3 vector")?)),
                VECTOR_DOUBLE => Value::Number(reader.f64("an AMF 3 vector")?),
                _ => self.read(reader, budget)?,
            });
        }
        Ok(Value::Array(values))
    }

    fn named(&mut self, reader: &mut Reader, budget: &mut Budget) -> Result<Object, FlvError> {
        let mut object = Object::new();
        loop {
            let name = self.string(reader)?;
            if name.is_empty() {
                return Ok(object);
            }
            budget.element()?;
            let value = self.read(reader, budget)?;
            object.push(name, value);
        }
    }
}

fn check_table(length: usize) -> Result<(), FlvError> {
    if length as u64 >= limits::AMF_ELEMENTS.get() {
        limits::AMF_ELEMENTS.hit();
        return Err(FlvError::Limit("size of an AMF 3 reference table"));
    }
    Ok(())
}

/// A number of up to 29 bits in one to four bytes. Source: AMF 3 specification §1.3.1.
fn read_u29(reader: &mut Reader) -> Result<u32, FlvError> {
    let mut value = 0;
    for _ in 0..3 {
        let byte = reader.u8("an AMF 3 number")?;
        value = value << 7 | u32::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Ok(value << 8 | u32::from(reader.u8("an AMF 3 number")?))
}

fn write_u29(value: u32, out: &mut BytesMut) {
    match value {
        0..0x80 => {}
        0x80..0x4000 => out.put_u8((value >> 7) as u8 | 0x80),
        0x4000..0x20_0000 => out.put_slice(&[(value >> 14) as u8 | 0x80, (value >> 7) as u8 | 0x80]),
        _ => {
            let high = [(value >> 22) as u8 | 0x80, (value >> 15) as u8 | 0x80, (value >> 8) as u8 | 0x80];
            out.put_slice(&high);
            return out.put_u8(value as u8);
        }
    }
    out.put_u8(value as u8 & 0x7f);
}

/// Writes a value as AMF 3, without references. Whole numbers beyond 29 bits become doubles.
pub fn write_amf3(value: &Value, out: &mut BytesMut) {
    match value {
        Value::Undefined => out.put_u8(UNDEFINED),
        Value::Null => out.put_u8(NULL),
        Value::Boolean(value) => out.put_u8(if *value { TRUE } else { FALSE }),
        Value::Integer(number) if INTEGERS.contains(number) => {
            out.put_u8(INTEGER);
            write_u29(*number as u32 & 0x1fff_ffff, out);
        }
        Value::Integer(number) => write_double(f64::from(*number), out),
        Value::Number(number) => write_double(*number, out),
        Value::String(text) => {
            out.put_u8(STRING);
            write_string(text, out);
        }
        Value::Date(time) => {
            out.put_slice(&[DATE, 1]);
            out.put_f64(*time);
        }
        Value::Bytes(bytes) => {
            out.put_u8(BYTE_ARRAY);
            write_u29(inline(bytes.len()), out);
            out.put_slice(bytes);
        }
        Value::Array(values) => {
            out.put_u8(ARRAY);
            write_u29(inline(values.len()), out);
            out.put_u8(1);
            values.iter().for_each(|value| write_amf3(value, out));
        }
        Value::EcmaArray(object) => {
            out.put_slice(&[ARRAY, 1]);
            write_named(object, out);
        }
        Value::Object(object) => write_object("", object, out),
        Value::TypedObject(class, object) => write_object(class, object, out),
    }
}

fn inline(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX) << 1 | 1
}

fn write_double(number: f64, out: &mut BytesMut) {
    out.put_u8(DOUBLE);
    out.put_f64(number);
}

fn write_string(text: &str, out: &mut BytesMut) {
    write_u29(inline(text.len()), out);
    out.put_slice(text.as_bytes());
}

/// A dynamic object without sealed members.
fn write_object(class: &str, object: &Object, out: &mut BytesMut) {
    out.put_slice(&[OBJECT, 0x0b]);
    write_string(class, out);
    write_named(object, out);
}

fn write_named(object: &Object, out: &mut BytesMut) {
    for (name, value) in object.iter().filter(|(name, _)| !name.is_empty()) {
        write_string(name, out);
        write_amf3(value, out);
    }
    out.put_u8(1);
}
