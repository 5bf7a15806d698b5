//! The description for programs, and the calls that it does not name.

use axum::{body::Body, http::Request};
use serde_json::json;

use super::Server;

#[tokio::test]
async fn the_description_is_openapi_3_1_and_names_every_call_with_its_body_and_answers() {
    let server = Server::new();
    let request = Request::get("/rest-api/openapi.json").body(Body::empty()).unwrap();
    let (status, description) = server.send(request).await;
    assert_eq!(status, 200);
    assert!(description["openapi"].as_str().unwrap().starts_with("3.1"), "{}", description["openapi"]);
    let paths = description["paths"].as_object().unwrap();
    assert_eq!(paths.len(), 49, "{:?}", paths.keys());
    for read in ["/rest-api/events", "/rest-api/statistics"] {
        assert!(
            paths[read]["get"]["responses"]["200"]["content"].is_object() && paths[read]["post"].is_null(),
            "{read}"
        );
    }
    for (path, item) in paths.iter().filter(|(_, item)| item["post"].is_object()) {
        let post = &item["post"];
        assert!(path.starts_with("/rest-api/") && post["responses"]["200"].is_object(), "{path}: {post}");
        assert!(post["responses"]["4XX"]["content"]["application/json"]["schema"]["$ref"].is_string(), "{path}");
        let lists_all = path.ends_with("/find_all");
        let bare = ["config/reload", "cdn/show_nodes", "cdn/show_routes", "node/figures", "load/abilities"]
            .map(|call| format!("/rest-api/{call}"));
        let takes_body = !lists_all && !bare.contains(path);
        assert_eq!(post["requestBody"].is_object(), takes_body, "{path}");
        assert_eq!(item["get"].is_object(), lists_all, "{path}");
    }
    let stream = &description["components"]["schemas"]["Stream"];
    assert_eq!(stream["properties"]["mediaSessionId"]["type"], "string");
    let required = stream["required"].as_array().unwrap();
    assert!(required.contains(&json!("name")) && !required.contains(&json!("conversions")), "{required:?}");
    let text = description.to_string();
    let known: Vec<_> = description["components"]["schemas"].as_object().unwrap().keys().collect();
    for reference in text.split("\"#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(known.iter().any(|known| *known == name), "{name} is not described");
    }
}

#[tokio::test]
async fn calls_of_wcs_that_are_not_here_answer_501_and_misspelt_ones_404() {
    let server = Server::new();
    let cases = [
        ("stream/snapshot", 501),
        ("recorder/startup", 501),
        ("mixer/setAudioVideo", 501),
        ("cdn/profile/add", 501),
        ("call/inject_stream/startup", 501),
        ("stream/finde", 404),
        ("nothing", 404),
        ("%ff", 404),
        ("stream/../stream/find", 404),
        ("mixer", 404),
    ];
    for (call, status) in cases {
        let request = Request::post(format!("/rest-api/{call}")).header("content-type", "application/json");
        let (found, refusal) = server.send(request.body(Body::from("{}")).unwrap()).await;
        let code = if status == 501 { "not_implemented" } else { "unknown_call" };
        assert_eq!((found.as_u16(), &refusal["code"]), (status, &json!(code)), "{call}");
        assert!(refusal["message"].as_str().unwrap().ends_with('.'), "{refusal}");
    }
}

#[test]
fn the_reference_page_has_every_call_and_object() {
    let page = crate::rest_reference();
    for part in ["/rest-api/push/startup", "[PushStartup](#pushstartup)", "### Connection\n", "list of [Pull](#pull)"] {
        assert!(page.contains(part), "no {part} in\n{page}");
    }
    assert!(!page.contains("| object |  |"), "something is not explained");
}
