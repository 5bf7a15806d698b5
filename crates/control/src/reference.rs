//! The reference page of the REST API, made from the same description as `/rest-api/openapi.json`.

use std::fmt::Write;

use serde_json::Value;

use crate::authorisation::rule;
use crate::rest::{calls, missing, openapi};

/// The page, in Markdown.
pub fn rest() -> String {
    let description = openapi::finish(calls().split_for_parts().1);
    let description = serde_json::to_value(description).unwrap_or_default();
    let mut page = String::from(INTRODUCTION);
    write_calls(&mut page, &description);
    page.push_str(MISSING);
    for (group, calls) in missing::GROUPS {
        let calls = calls.iter().map(|call| format!("`{call}`")).collect::<Vec<_>>().join(", ");
        let calls = if calls.is_empty() { "all".to_owned() } else { calls };
        let _ = writeln!(page, "| `/rest-api/{group}/` | {calls} |");
    }
    page.push_str(REFUSALS);
    page.push_str("\n## Objects\n");
    // What is one of several has a page of its own.
    let schemas = entries(&description["components"]["schemas"]).filter(|(_, schema)| schema["oneOf"].is_null());
    for (name, schema) in schemas {
        let about = schema["description"].as_str().unwrap_or_default().replace('\n', " ");
        let _ = write!(page, "\n### {name}\n\n{about}\n\n| field | type | meaning |\n|---|---|---|\n");
        for (field, property) in entries(&schema["properties"]) {
            let meaning = meaning_of(property).replace('\n', " ");
            let _ = writeln!(page, "| `{field}` | {} | {meaning} |", kind(property));
        }
    }
    page
}

const INTRODUCTION: &str = "\
# REST API

<!-- Generated from the calls in crates/control; do not edit. -->

Calls are `POST` with a JSON object as body and the header `Content-Type: application/json`.
Paths, fields and statuses follow Web Call Server 5.2, so that its clients work.
They are on every port of the web server; WCS's clients look for them on 8081, and on 8444 by HTTPS.

`/rest-api/` in a browser shows them to read and to try.
`/rest-api/openapi.json` describes them for programs, as OpenAPI 3.1.

Where `[access]` names users, tokens or keys, each call takes a role, by `Authorization: Basic` or `Authorization: Bearer`; so does `/metrics`, which takes a viewer.
On one of several servers the header `Headwater-Node: NAME`, with a name as `/rest-api/cdn/show_nodes` tells it, has that server answer: the call is passed on to it with the same credentials, which both of them ask for.
Calls that change something stand in the log with who made them, from where, and their status.
See [authorise with tokens](../guide/authorise-with-tokens.md).

## Calls

| call | role | body | answer |
|---|---|---|---|
";

const MISSING: &str = "
## Calls of WCS that are not here yet

These answer 501. What is neither here nor there answers 404.

| below | calls |
|---|---|
";

const REFUSALS: &str = "
## Errors

A refusal is a JSON object with a `code` for programs, a `message` for people and, where one field of the request is at fault, its name in `field`.

| status | code | meaning |
|---|---|---|
| 400 | `bad_json`, `bad_body`, `bad_host` | the request cannot be read, or is nested deeper than the limit `rest_json_depth` |
| 400 | `unknown_field`, `missing_field`, `bad_value` | a field does not exist, is missing or has another kind of value |
| 400 | `bad_query` | what stands behind the question mark of the address makes no sense |
| 400 | `bad_url`, `unknown_host` | the address of another server cannot be used, or its host cannot be found |
| 403 | `forbidden_address` | the other server is not on the public internet and not in `allow` of `[relay]`; of load agents, it is not in `allowed` of `[load]` |
| 401 | `unauthorised` | there are no credentials, or none that are known here |
| 403 | `wrong_role` | the call takes a role that these credentials do not have |
| 403 | `foreign_origin` | a web page of another site sent the call |
| 404 | `not_found` | nothing fits |
| 404 | `unknown_call` | there is no such call |
| 405 | `wrong_method` | the call takes `POST`, or `GET` |
| 409 | `exists`, `name_taken` | there is such a relay or run already, or a publisher of that name |
| 409 | `not_taken` | a client does not take what is sent to it |
| 413 | `body_too_large` | the limit `http_body_bytes` |
| 415 | `not_json` | the body has another content type |
| 421 | `unknown_host` | the request came over loopback under a name that is not in `hosts` of `[http]` |
| 429 | `too_many_failures` | wrong passwords came from this address, more than the limit `access_failures` |
| 501 | `not_implemented` | this server does not have the call yet |
| 503 | `too_many` | the limit `relays`, `events_readers`, `load_runs` or `load_agents` |

## Health

`GET /healthz` answers 200 while the process lives.
`GET /readyz` answers 200 when all listeners are open, and 503 while the server starts or stops.
";

fn write_calls(page: &mut String, description: &Value) {
    for (path, item) in entries(&description["paths"]) {
        let (post, also) = match (&item["post"], &item["get"]) {
            (Value::Null, get) => (get, " (`GET`)"),
            (post, Value::Null) => (post, ""),
            (post, _) => (post, " (also `GET`)"),
        };
        let body = reference(&post["requestBody"]["content"]["application/json"]["schema"]);
        let about = post["summary"].as_str().or(post["description"].as_str()).unwrap_or_default();
        let answers =
            entries(&post["responses"]).filter(|(status, _)| status.len() == 3 && *status != "501" && *status != "4XX");
        let answers = answers.map(|(status, answer)| {
            let object = reference(&answer["content"]["application/json"]["schema"]);
            let object = object.filter(|_| *status == "200").map(|name| format!(" ({name})")).unwrap_or_default();
            format!("{status}: {}{object}", answer["description"].as_str().unwrap_or_default().trim_end_matches('.'))
        });
        let answers = answers.collect::<Vec<_>>().join("; ");
        let role = rule(path).least;
        let body = body.unwrap_or_else(|| "none".to_owned());
        let _ = writeln!(page, "| `{path}`{also}<br>{about} | {role} | {body} | {answers} |");
    }
}

/// What a field means; an object that may be absent says it one level below.
fn meaning_of(property: &Value) -> &str {
    let choices = property["oneOf"].as_array().into_iter().flatten();
    let mut descriptions = std::iter::once(property).chain(choices).map(|part| part["description"].as_str());
    descriptions.find_map(|description| description).unwrap_or_default()
}

fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

/// A link to the object that a schema names, or that its items are.
fn reference(schema: &Value) -> Option<String> {
    let link = |schema: &Value| {
        let name = schema["$ref"].as_str()?.rsplit('/').next()?;
        Some(format!("[{name}](#{})", name.to_lowercase()))
    };
    link(schema).or_else(|| link(&schema["items"]).map(|item| format!("list of {item}")))
}

fn kind(property: &Value) -> &'static str {
    let kinds = match &property["type"] {
        Value::String(kind) => vec![kind.as_str()],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    match kinds.iter().find(|kind| **kind != "null") {
        Some(&"string") => "text",
        Some(&"boolean") => "true or false",
        Some(&"integer" | &"number") => "number",
        Some(&"array") => "list",
        _ => "object",
    }
}
