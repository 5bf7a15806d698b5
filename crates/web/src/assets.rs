//! Embedded files as HTTP answers: type, entity tag, caching and what a browser may do with them.

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header},
    response::IntoResponse,
};
use rust_embed::{EmbeddedFile, RustEmbed};

#[derive(RustEmbed)]
#[folder = "assets/"]
struct Assets;

/// The Web SDK, which pages of other sites load as well.
const SDK: &str = "sdk/";

/// What a page may do: load and reach only its own server, run no inline script, build no script from text. The one
/// policy that is allowed names the worker of the Web SDK.
///
/// Source: Content Security Policy Level 3; Trusted Types.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data:; media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'self'; require-trusted-types-for 'script'; trusted-types headwater-sdk 'allow-duplicates'";

/// On every answer of this crate.
const SAFETY: [(HeaderName, &str); 4] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(self), microphone=(self), display-capture=(self), geolocation=()",
    ),
];

/// The embedded file of that name, or 404.
pub(crate) fn serve(name: &str, headers: &HeaderMap) -> Response<Body> {
    match Assets::get(name) {
        Some(file) if name.starts_with(SDK) => share(answer(&[file], headers)),
        Some(file) => answer(&[file], headers),
        None => safe((StatusCode::NOT_FOUND, "There is no such file.\n")),
    }
}

/// Lets pages of other sites load the file as a module.
fn share(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    response
}

/// Files one behind the other, of the type of the last, or "not modified" for who has them already.
pub(crate) fn answer(files: &[EmbeddedFile], headers: &HeaderMap) -> Response<Body> {
    let tag = entity_tag(files);
    // Files keep their name from version to version, so a browser asks each time; mostly it is told "as before".
    let caching = [(header::ETAG, tag.as_str()), (header::CACHE_CONTROL, "no-cache")];
    if knows(headers, &tag) {
        return safe((StatusCode::NOT_MODIFIED, caching));
    }
    let kind = files.last().map_or("text/plain", |file| file.metadata.mimetype());
    let content_type = [(header::CONTENT_TYPE, format!("{kind}; charset=utf-8"))];
    let body = match files {
        [file] => Body::from(file.data.clone()),
        several => Body::from(several.iter().flat_map(|file| file.data.iter().copied()).collect::<Vec<u8>>()),
    };
    safe((caching, content_type, body))
}

/// Adds what every answer must carry.
pub(crate) fn safe(answer: impl IntoResponse) -> Response<Body> {
    let mut response = answer.into_response();
    for (name, value) in SAFETY {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// A strong tag made from the content. Source: RFC 9110 §8.8.3.
fn entity_tag(files: &[EmbeddedFile]) -> String {
    let hashes = files.iter().map(|file| file.metadata.sha256_hash());
    let digits: String = hashes.flat_map(|hash| hash.into_iter().take(12)).map(|byte| format!("{byte:02x}")).collect();
    format!("\"{digits}\"")
}

/// Whether the client names this tag among those it has. Source: RFC 9110 §13.1.2, weak comparison.
fn knows(headers: &HeaderMap, tag: &str) -> bool {
    let named = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    named.flat_map(|list| list.split(',')).map(str::trim).any(|one| one == "*" || one.trim_start_matches("W/") == tag)
}
