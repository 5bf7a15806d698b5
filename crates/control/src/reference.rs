//! The reference page of the REST API, made from the types that it answers with.

use schemars::schema_for;
use serde_json::Value;

use crate::stream_object::{Conversion, StreamObject};

/// The page, in Markdown.
pub fn rest() -> String {
    let mut page = String::from(INTRODUCTION);
    page.push_str("\n## Stream object\n\n");
    page.push_str("A publisher's stream, or one viewer's stay at it. Fields that are not known are left out.\n\n");
    table(&mut page, schema_for!(StreamObject).as_value());
    page.push_str("\n### Conversion\n\n");
    page.push_str("A codec conversion that is made once for all who need it.\n\n");
    table(&mut page, schema_for!(Conversion).as_value());
    page
}

const INTRODUCTION: &str = "\
# REST API

<!-- Generated from the types in crates/control; do not edit. -->

Calls are `POST` with a JSON object as body and the header `Content-Type: application/json`.
Paths, fields and statuses follow Web Call Server 5.2, so that its clients work.

| call | body | answer |
|---|---|---|
| `/rest-api/stream/find_all` (also `GET`) | none | 200 and all stream objects, publishers and viewers; 404 if there are none |
| `/rest-api/stream/find` | fields of the stream object with the values that they must have, `mediaSessionIds` with a list of ids, `display` with `[\"metrics\"]` for figures | 200 and the stream objects that fit; 404 if none does |
| `/rest-api/stream/terminate` | the same; an empty body means every stream | 200 with an empty body once the order is given; 404 if nothing fits |

Any other call below `/rest-api` answers 501.

## Errors

A refusal is a JSON object with a `code` for programs, a `message` for people and, where one field of the request is at fault, its name in `field`.

| status | code | meaning |
|---|---|---|
| 400 | `bad_json`, `bad_body`, `bad_host` | the request cannot be read |
| 400 | `unknown_field`, `bad_value` | a field does not exist or has another kind of value |
| 403 | `foreign_origin` | a web page of another site sent the call |
| 404 | `not_found` | nothing fits |
| 405 | `wrong_method` | the call takes `POST` |
| 413 | `body_too_large` | the limit `http_body_bytes` |
| 415 | `not_json` | the body has another content type |
| 421 | `unknown_host` | the request came over loopback under a name that is not in `hosts` of `[http]` |
| 501 | `not_implemented` | this server does not have the call yet |

## Health

`GET /healthz` answers 200 while the process lives.
`GET /readyz` answers 200 when all listeners are open, and 503 while the server starts or stops.
";

fn table(page: &mut String, schema: &Value) {
    page.push_str("| field | type | meaning |\n|---|---|---|\n");
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        return;
    };
    for (name, property) in properties {
        let about = property.get("description").and_then(Value::as_str).unwrap_or_default();
        page.push_str(&format!("| `{name}` | {} | {} |\n", kind(property), about.replace('\n', " ")));
    }
}

fn kind(property: &Value) -> &'static str {
    let kinds = match property.get("type") {
        Some(Value::String(kind)) => vec![kind.as_str()],
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    match kinds.first() {
        Some(&"string") => "text",
        Some(&"boolean") => "true or false",
        Some(&"integer" | &"number") => "number",
        Some(&"array") => "list",
        _ => "object",
    }
}
