//! Embedded pages and the Web SDK.
//!
//! | address | what it is |
//! |---|---|
//! | `/` | the live streams, and how to send one |
//! | `/play/NAME` | the player of one stream |
//! | `/two-way`, `/player`, `/screen`, `/canvas` | examples of the Web SDK, to use and to copy |
//! | `/console` | the Console, which runs servers by the REST API |
//! | `/rest-api/` | the calls of the REST API, to read and to try |
//! | `/assets/sdk/headwater.js` | the Web SDK, for pages of any site |
//! | `/assets/FILE` | what the pages load: ES modules, style sheets, pictures |
//!
//! The pages are static: what they show comes from the REST API and over WebRTC, asked for by the scripts.
//! So this crate knows no stream, no session and no clock, and needs no build step.

mod assets;
mod page;

#[cfg(test)]
mod tests;

use axum::{
    Router,
    extract::{Path, rejection::PathRejection},
    http::HeaderMap,
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use headwater_media::StreamName;

/// The Console, and the examples of the Web SDK: address and page.
const SINGLE: [(&str, &str); 5] = [
    ("/console", "console.html"),
    ("/two-way", "two-way.html"),
    ("/player", "watch.html"),
    ("/screen", "screen.html"),
    ("/canvas", "canvas.html"),
];

/// The routes of the pages and of what they load.
///
/// It has no fallback, so it can be merged with the other routers of a server.
pub fn router() -> Router {
    let router = Router::new()
        .route("/", get(streams))
        .route("/rest-api", get(|| async { Redirect::to("/rest-api/") }))
        .route("/rest-api/", get(|headers: HeaderMap| async move { page::serve("api.html", &headers) }))
        .route("/play", get(to_streams))
        .route("/play/", get(to_streams))
        .route("/play/{*name}", get(player))
        .route("/assets/{*file}", get(asset));
    SINGLE.into_iter().fold(router, |router, (address, file)| {
        router.route(address, get(move |headers: HeaderMap| async move { page::serve(file, &headers) }))
    })
}

/// A page that says, in words, that nothing is here; for the fallback of a server that serves these pages.
pub fn not_found() -> Response {
    page::missing("There is no page at this address.")
}

async fn streams(headers: HeaderMap) -> Response {
    page::serve("streams.html", &headers)
}

async fn to_streams() -> Redirect {
    Redirect::to("/")
}

async fn player(name: Result<Path<String>, PathRejection>, headers: HeaderMap) -> Response {
    let Ok(Path(name)) = name else {
        return page::missing("The name in the address is not readable text.");
    };
    match StreamName::new(&name) {
        Ok(_) => page::serve("player.html", &headers),
        Err(reason) => page::missing(&sentence(&reason.to_string())),
    }
}

async fn asset(file: Result<Path<String>, PathRejection>, headers: HeaderMap) -> Response {
    match file {
        Ok(Path(file)) => assets::serve(&file, &headers),
        Err(rejection) => rejection.into_response(),
    }
}

/// An error text as a sentence: first letter upper case, full stop at the end.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), letters.as_str()))
}
