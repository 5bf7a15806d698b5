//! The HTML pages.

use axum::{
    body::Body,
    http::{HeaderMap, Response, StatusCode},
    response::Html,
};
use rust_embed::RustEmbed;

use crate::assets;

#[derive(RustEmbed)]
#[folder = "pages/"]
struct Pages;

/// Where the sentence stands in the page of what is missing.
const REASON: &str = "{reason}";

/// The page of that file name.
pub(crate) fn serve(name: &str, headers: &HeaderMap) -> Response<Body> {
    match Pages::get(name) {
        Some(file) => assets::answer(file, headers),
        None => missing("There is no page at this address."),
    }
}

/// 404 as a page that says why.
pub(crate) fn missing(reason: &str) -> Response<Body> {
    let page = Pages::get("missing.html");
    let template = page.as_ref().map_or(REASON, |file| std::str::from_utf8(&file.data).unwrap_or(REASON));
    assets::safe((StatusCode::NOT_FOUND, Html(template.replace(REASON, &escape(reason)))))
}

/// Text that is safe between tags and in quoted attributes.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}
