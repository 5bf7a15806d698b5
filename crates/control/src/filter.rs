//! Which streams a request means: fields of the stream object with the values that they must have.

use serde_json::{Map, Value};

use crate::{
    error::ApiError,
    stream_object::{StreamObject, Subject},
};

/// What the body of `find` and `terminate` asks for. Empty, it means everything.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    fields: Map<String, Value>,
    ids: Option<Vec<String>>,
    pub(crate) with_metrics: bool,
}

/// Fields that can be compared, with the kind of their values.
const FIELDS: [(&str, Kind); 17] = [
    ("name", Kind::Text),
    ("mediaSessionId", Kind::Text),
    ("sessionId", Kind::Text),
    ("published", Kind::Flag),
    ("mediaType", Kind::Text),
    ("status", Kind::Text),
    ("mediaProvider", Kind::Text),
    ("hasVideo", Kind::Flag),
    ("hasAudio", Kind::Flag),
    ("videoCodec", Kind::Text),
    ("audioCodec", Kind::Text),
    ("width", Kind::Number),
    ("height", Kind::Number),
    ("createDate", Kind::Number),
    ("remoteAddress", Kind::Text),
    ("userAgent", Kind::Text),
    ("bFrames", Kind::Flag),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Flag,
    Number,
}

impl Kind {
    fn of(value: &Value) -> Option<Kind> {
        match value {
            Value::String(_) => Some(Kind::Text),
            Value::Bool(_) => Some(Kind::Flag),
            Value::Number(_) => Some(Kind::Number),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Kind::Text => "a text",
            Kind::Flag => "true or false",
            Kind::Number => "a number",
        }
    }
}

impl Filter {
    /// Reads the body of a request; an empty one means everything.
    ///
    /// # Errors
    /// Says which field is unknown or has the wrong kind of value.
    pub(crate) fn parse(body: &[u8]) -> Result<Filter, ApiError> {
        if body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Filter::default());
        }
        let value: Value = serde_json::from_slice(body)
            .map_err(|error| ApiError::bad_request("bad_json", format!("The body is not JSON: {error}.")))?;
        let Value::Object(object) = value else {
            return Err(ApiError::bad_request(
                "bad_json",
                "The body must be a JSON object, such as {\"name\": \"demo\"}.",
            ));
        };
        let mut filter = Filter::default();
        for (field, value) in object {
            filter.add(field, value)?;
        }
        Ok(filter)
    }

    fn add(&mut self, field: String, value: Value) -> Result<(), ApiError> {
        match (field.as_str(), value) {
            (_, Value::Null) => {}
            ("mediaSessionIds", value) => self.ids = Some(texts("mediaSessionIds", value)?),
            ("display", value) => self.with_metrics = texts("display", value)?.iter().any(|name| name == "metrics"),
            (_, value) => {
                check_field(&field, &value)?;
                self.fields.insert(field, value);
            }
        }
        Ok(())
    }

    /// What nothing fitted, for people to read.
    pub(crate) fn words(&self) -> String {
        let texts = self.fields.iter().filter(|(field, _)| *field == "name" || *field == "mediaSessionId");
        let words: Vec<_> = texts.map(|(field, value)| format!("{field} {}", shorten(&value.to_string()))).collect();
        if words.is_empty() { "this description".into() } else { words.join(" and ") }
    }

    /// Those that fit.
    pub(crate) fn select(&self, all: Vec<(StreamObject, Subject)>) -> Vec<(StreamObject, Subject)> {
        all.into_iter().filter(|(object, _)| self.fits(object)).collect()
    }

    fn fits(&self, object: &StreamObject) -> bool {
        if self.ids.as_ref().is_some_and(|ids| !ids.contains(&object.media_session_id)) {
            return false;
        }
        if self.fields.is_empty() {
            return true;
        }
        let Ok(Value::Object(object)) = serde_json::to_value(object) else {
            return false;
        };
        self.fields.iter().all(|(field, wanted)| object.get(field) == Some(wanted))
    }
}

fn check_field(field: &str, value: &Value) -> Result<(), ApiError> {
    let Some((_, kind)) = FIELDS.iter().find(|(name, _)| *name == field) else {
        let known: Vec<_> = FIELDS.iter().map(|(name, _)| *name).collect();
        let shown = shorten(field);
        let message = format!("There is no field {shown:?} to look for. There are: {}.", known.join(", "));
        return Err(ApiError::bad_request("unknown_field", message).in_field(shown));
    };
    if Kind::of(value) == Some(*kind) {
        return Ok(());
    }
    Err(ApiError::bad_request("bad_value", format!("{field} must be {}.", kind.name())).in_field(field))
}

fn texts(field: &'static str, value: Value) -> Result<Vec<String>, ApiError> {
    let wrong = || ApiError::bad_request("bad_value", format!("{field} must be a list of texts.")).in_field(field);
    let Value::Array(items) = value else {
        return Err(wrong());
    };
    items
        .into_iter()
        .map(|item| match item {
            Value::String(text) => Ok(text),
            _ => Err(wrong()),
        })
        .collect()
}

/// What a peer sent comes back in errors, but not all of it.
fn shorten(text: &str) -> String {
    text.chars().take(160).collect()
}
