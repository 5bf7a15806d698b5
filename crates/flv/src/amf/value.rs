//! An AMF value, whichever version it came in.

use std::sync::Arc;

use bytes::Bytes;

/// An AMF value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A number.
    Number(f64),
    /// A whole number of 29 bits (AMF 3 only).
    Integer(i32),
    /// Yes or no.
    Boolean(bool),
    /// A text; bytes that are no UTF-8 are replaced.
    String(Arc<str>),
    /// An anonymous object.
    Object(Object),
    /// An object with the name of its class; the name has no effect.
    TypedObject(Arc<str>, Object),
    /// An associative array.
    EcmaArray(Object),
    /// A dense array.
    Array(Vec<Value>),
    /// Milliseconds since 1970.
    Date(f64),
    /// Raw bytes (AMF 3 only).
    Bytes(Bytes),
    /// Nothing.
    Null,
    /// Not even nothing; also what a reference reads as.
    Undefined,
}

/// Named values in their order on the wire.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Object(Vec<(Arc<str>, Value)>);

impl Object {
    /// No values yet.
    pub fn new() -> Object {
        Object::default()
    }

    /// Appends a value, whether or not there is one of that name.
    pub fn push(&mut self, name: impl Into<Arc<str>>, value: impl Into<Value>) {
        self.0.push((name.into(), value.into()));
    }

    /// The same with one more value, for building.
    #[must_use]
    pub fn with(mut self, name: impl Into<Arc<str>>, value: impl Into<Value>) -> Object {
        self.push(name, value);
        self
    }

    /// The first value of that name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(key, _)| &**key == name).map(|(_, value)| value)
    }

    /// The text of that name.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Value::as_str)
    }

    /// The number of that name.
    pub fn number(&self, name: &str) -> Option<f64> {
        self.get(name).and_then(Value::as_f64)
    }

    /// All names and values, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (&**name, value))
    }
}

impl Value {
    /// The text, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The number, if it is one.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Value::Number(number) | Value::Date(number) => Some(*number),
            Value::Integer(number) => Some(f64::from(*number)),
            _ => None,
        }
    }

    /// The truth value, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Boolean(value) => Some(*value),
            _ => None,
        }
    }

    /// The named values, if it has such.
    pub fn as_object(&self) -> Option<&Object> {
        match self {
            Value::Object(object) | Value::TypedObject(_, object) | Value::EcmaArray(object) => Some(object),
            _ => None,
        }
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Value {
        Value::Number(number)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Value {
        Value::Boolean(value)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::String(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::String(text.into())
    }
}

impl From<Object> for Value {
    fn from(object: Object) -> Value {
        Value::Object(object)
    }
}

impl From<Vec<Value>> for Value {
    fn from(values: Vec<Value>) -> Value {
        Value::Array(values)
    }
}
