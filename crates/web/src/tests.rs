use axum::{
    body::Body,
    http::{Request, Response, StatusCode, header},
};
use http_body_util::BodyExt;
use tower::ServiceExt;

use crate::router;

const PAGES: [&str; 9] =
    ["/", "/play/demo", "/play/-bad", "/two-way", "/player", "/screen", "/canvas", "/rest-api/", "/console"];

async fn get(path: &str) -> Response<Body> {
    request(Request::get(path)).await
}

async fn request(request: axum::http::request::Builder) -> Response<Body> {
    router().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

async fn text(response: Response<Body>) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

fn value<'a>(response: &'a Response<Body>, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn every_file_comes_with_its_type() {
    let cases = [
        ("/", "text/html; charset=utf-8"),
        ("/play/demo", "text/html; charset=utf-8"),
        ("/two-way", "text/html; charset=utf-8"),
        ("/assets/sdk/headwater.js", "text/javascript; charset=utf-8"),
        ("/play/live/room_2/cam.3", "text/html; charset=utf-8"),
        ("/assets/player.js", "text/javascript; charset=utf-8"),
        ("/assets/base.css", "text/css; charset=utf-8"),
        ("/assets/icons.svg", "image/svg+xml; charset=utf-8"),
    ];
    for (path, expected) in cases {
        let response = get(path).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        assert_eq!(value(&response, "content-type"), expected, "{path}");
        assert!(!text(response).await.is_empty(), "{path}");
    }
}

#[tokio::test]
async fn no_answer_lets_a_page_run_or_reach_what_is_not_ours() {
    for path in ["/", "/rest-api/", "/play/demo", "/play/-bad", "/assets/player.js", "/assets/nothing.js"] {
        let response = get(path).await;
        let policy = value(&response, "content-security-policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{path}: {policy}");
        assert!(!policy.contains("unsafe") && !policy.contains("http"), "{path}: {policy}");
        assert_eq!(value(&response, "x-content-type-options"), "nosniff", "{path}");
        assert_eq!(value(&response, "referrer-policy"), "no-referrer", "{path}");
        let allowed = value(&response, "permissions-policy");
        assert!(allowed.starts_with("camera=(self), microphone=(self), display-capture=(self)"), "{path}: {allowed}");
    }
}

#[tokio::test]
async fn pages_hold_no_inline_script_style_or_foreign_address() {
    for path in PAGES {
        let page = text(get(path).await).await;
        assert!(page.starts_with("<!doctype html>"), "{path}");
        for once in ["<head>", "</head>", "<title>", "name=\"viewport\"", "/assets/theme.js", "<body "] {
            assert_eq!(page.matches(once).count(), 1, "{path}: {once}");
        }
        for forbidden in ["<style", " style=", " onclick=", " onload=", "src=\"http", "href=\"http", "javascript:"] {
            assert!(!page.contains(forbidden), "{path} holds {forbidden}");
        }
        let scripts = page.matches("<script").count();
        assert_eq!(scripts, page.matches(" src=\"/assets/").count(), "{path}: every script is a file of ours");
    }
}

#[tokio::test]
async fn what_the_pages_name_is_there() {
    for page in PAGES {
        let body = text(get(page).await).await;
        let named = body.split(['"', '#']).filter(|part| part.starts_with("/assets/"));
        for asset in named {
            assert_eq!(get(asset).await.status(), StatusCode::OK, "{page} names {asset}");
        }
    }
}

/// The path of a module that another one imports.
fn imported(from: &str, import: &str) -> String {
    let mut folder = from.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut import = import.trim_start_matches("./");
    while let Some(rest) = import.strip_prefix("../") {
        folder = folder.rsplit_once('/').map_or("", |(folder, _)| folder);
        import = rest;
    }
    format!("{folder}/{import}")
}

#[tokio::test]
async fn modules_import_only_modules_that_are_there() {
    let scripts = [
        "streams.js",
        "player.js",
        "two-way.js",
        "watch.js",
        "screen.js",
        "canvas.js",
        "api-page.js",
        "console/main.js",
    ];
    let mut waiting: Vec<_> = scripts.iter().map(|file| format!("/assets/{file}")).collect();
    let mut seen = waiting.clone();
    while let Some(file) = waiting.pop() {
        let response = get(&file).await;
        assert_eq!(response.status(), StatusCode::OK, "{file}");
        let source = text(response).await;
        let lines = source.lines().filter(|line| line.contains(" from '") || line.contains("import('./"));
        let quoted = lines.flat_map(|line| line.split('\''));
        let imports = quoted.filter(|path| path.starts_with("./") || path.starts_with("../"));
        for import in imports.map(|import| imported(&file, import)) {
            if !seen.contains(&import) {
                waiting.push(import.clone());
                seen.push(import);
            }
        }
    }
    for module in
        ["whep.js", "stream.js", "meter.js", "wsplayer.js", "ways/hls.js"].map(|file| format!("/assets/sdk/{file}"))
    {
        assert!(seen.contains(&module), "{module} of {seen:?}");
    }
}

#[tokio::test]
async fn pages_of_any_site_may_load_the_sdk_and_nothing_else() {
    let shared = get("/assets/sdk/headwater.js").await;
    assert_eq!(value(&shared, "access-control-allow-origin"), "*");
    for path in ["/", "/two-way", "/assets/player.js"] {
        assert_eq!(value(&get(path).await, "access-control-allow-origin"), "", "{path}");
    }
}

#[tokio::test]
async fn a_file_the_browser_has_is_not_sent_again() {
    for path in ["/", "/play/demo", "/assets/player.js"] {
        let first = get(path).await;
        assert_eq!(value(&first, "cache-control"), "no-cache", "{path}");
        let tag = value(&first, "etag").to_owned();
        assert!(tag.starts_with('"') && tag.ends_with('"') && tag.len() > 10, "{path}: {tag}");

        for known in [tag.clone(), format!("W/{tag}"), format!("\"old\", {tag}"), "*".to_owned()] {
            let again = request(Request::get(path).header(header::IF_NONE_MATCH, &known)).await;
            assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{path} {known}");
            assert_eq!(value(&again, "etag"), tag, "{path}");
            assert!(text(again).await.is_empty(), "{path}");
        }
        let other = request(Request::get(path).header(header::IF_NONE_MATCH, "\"old\"")).await;
        assert_eq!(other.status(), StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn head_tells_the_same_without_a_body() {
    let response = request(Request::head("/play/demo")).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(value(&response, "content-type"), "text/html; charset=utf-8");
    assert!(text(response).await.is_empty());
}

#[tokio::test]
async fn a_bad_name_gets_a_page_that_says_what_is_wrong() {
    let cases = [
        ("/play/-cam", "must begin with a letter or a digit"),
        ("/play/a//b", "empty part between slashes"),
        ("/play/a/b/c/d/e", "at most 4 parts"),
        ("/play/%3Cscript%3E", "found &#39;&lt;&#39;"),
        ("/play/a%20b", "may hold only letters, digits"),
        ("/play/%FF", "not readable text"),
    ];
    for (path, expected) in cases {
        let response = get(path).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
        assert_eq!(value(&response, "content-type"), "text/html; charset=utf-8", "{path}");
        let page = text(response).await;
        assert!(page.contains(expected), "{path}: {page}");
        assert!(!page.contains("<script>"), "{path}");
    }
}

#[tokio::test]
async fn no_file_outside_the_embedded_ones_is_served() {
    for path in
        ["/assets/../Cargo.toml", "/assets/%2e%2e/Cargo.toml", "/assets/..%2fsrc%2flib.rs", "/assets/%2fetc%2fpasswd"]
    {
        assert_eq!(get(path).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn the_player_without_a_name_leads_to_the_list() {
    for path in ["/play", "/play/"] {
        let response = get(path).await;
        assert_eq!(response.status(), StatusCode::SEE_OTHER, "{path}");
        assert_eq!(value(&response, "location"), "/", "{path}");
    }
}

#[tokio::test]
async fn the_page_for_other_addresses_says_so() {
    let response = crate::not_found();
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert!(text(response).await.contains("There is no page at this address."));
}
