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

/// What all pages begin with: character set, size on phones, colours.
const HEAD: &str = "head.html";

/// The page of that file name, behind the head that all share.
pub(crate) fn serve(name: &str, headers: &HeaderMap) -> Response<Body> {
    match (Pages::get(HEAD), Pages::get(name)) {
        (Some(head), Some(page)) => assets::answer(&[head, page], headers),
        _ => missing("There is no page at this address."),
    }
}

/// 404 as a page that says why.
pub(crate) fn missing(reason: &str) -> Response<Body> {
    let files = [Pages::get(HEAD), Pages::get("missing.html")];
    let template: String = files.iter().flatten().filter_map(|file| std::str::from_utf8(&file.data).ok()).collect();
    let template = if template.contains(REASON) { template } else { REASON.to_owned() };
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
