//! WHIP as an encoder sees it over HTTP (RFC 9725).

use headwater_media::StreamName;
use http::{Method, StatusCode};
use str0m::media::Direction;

use crate::scene::{FRAGMENT, SDP, Scene, fragment_of, offer_to, scene};

fn offer() -> String {
    offer_to(Direction::SendOnly)
}

const ID: &str = "0123456789abcdef0123456789abcdef";
const TOKEN: (&str, &str) = ("authorization", "Bearer abc.DEF-123_~+/=");

/// Begins a session with a token; yields its path and its entity tag.
async fn begin(scene: &Scene, offer: &str) -> (String, String) {
    let reply = scene.ask(Method::POST, "/new/whip", &[("content-type", SDP), TOKEN], offer.to_owned()).await;
    assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.body);
    (reply.header("location").to_owned(), reply.header("etag").to_owned())
}

fn is_published(scene: &Scene) -> bool {
    scene.hub.find(&StreamName::new("new").unwrap()).is_some()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_offer_is_answered_with_everything_an_encoder_needs() {
    let scene = scene();
    let reply = scene.ask(Method::POST, "/new/whip", &[("content-type", SDP)], offer()).await;
    assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.body);
    assert_eq!(reply.header("content-type"), SDP);
    assert_eq!(reply.header("content-length"), reply.body.len().to_string(), "some clients read no chunks");
    assert!(reply.header("location").starts_with("/new/whip/"));
    assert!(reply.header("etag").starts_with('"'));
    assert_eq!(reply.header("link"), "<stun:stun.example.org:3478>; rel=\"ice-server\"");
    assert_eq!(reply.header("accept-patch"), FRAGMENT);
    for name in ["Location", "ETag", "Link"] {
        assert!(reply.header("access-control-expose-headers").contains(name), "{name} is hidden from pages");
    }
    let answer = &reply.body;
    assert_eq!(answer.matches("a=recvonly\r\n").count(), 2, "{answer}");
    assert!(answer.contains("a=ice-lite\r\n") && answer.contains("a=setup:passive\r\n"), "{answer}");
    let first_candidate = answer.lines().find(|line| line.starts_with("a=candidate")).unwrap();
    assert!(first_candidate.contains(" udp "), "some clients try only the first");
    assert!(is_published(&scene));
    assert_eq!(scene.whip.sessions(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_done_is_refused_with_a_status_and_a_sentence() {
    let scene = scene();
    let good = offer();
    let sdp = [("content-type", SDP)];
    let no_video = good.replace("/90000", "/90001");
    let receiving = good.replace("a=sendonly", "a=recvonly");
    let bad_token = [("content-type", SDP), ("authorization", "Bearer a b")];
    let gone = format!("/new/whip/{ID}");
    type Case<'a> = (Method, &'a str, &'a [(&'a str, &'a str)], &'a str, u16, &'a str);
    let cases: Vec<Case<'_>> = vec![
        (Method::POST, "/live/cam.1/whip", &sdp, &good, 409, "is being published already, over TEST"),
        (Method::POST, "/a%2fb/whip", &sdp, &good, 404, "a stream name may hold only"),
        (Method::POST, "/new/whip", &[], &good, 415, "application/sdp"),
        (Method::POST, "/new/whip", &sdp, "", 400, "not a valid SDP"),
        (Method::POST, "/new/whip", &sdp, &no_video, 422, "the video of the offer has no codec"),
        (Method::POST, "/new/whip", &sdp, &receiving, 422, "offer sendonly sections"),
        (Method::POST, "/new/whip", &bad_token, &good, 401, "bearer token"),
        (Method::GET, "/new/whip", &[], "", 405, "by POST"),
        (Method::HEAD, "/new/whip", &[], "", 405, ""),
        (Method::PUT, "/new/whip", &[], "", 405, "by POST"),
        (Method::DELETE, &gone, &[], "", 404, "POST an offer"),
        (Method::PATCH, &gone, &[("content-type", FRAGMENT)], "", 404, "POST an offer"),
        (Method::POST, "/elsewhere/whip/12", &sdp, &good, 404, "/NAME/whep"),
    ];
    for (method, path, headers, body, status, sentence) in cases {
        let reply = scene.ask(method.clone(), path, headers, body.to_owned()).await;
        assert_eq!(reply.status.as_u16(), status, "{method} {path}: {}", reply.body);
        assert!(reply.body.contains(sentence), "{method} {path}: {}", reply.body);
        assert_eq!(reply.header("access-control-allow-origin"), "*", "pages of other origins can read it");
        assert_eq!(reply.header("www-authenticate") == "Bearer", status == 401);
        assert!(!is_published(&scene), "{method} {path}: nothing is kept");
    }
    assert_eq!(scene.whip.sessions(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_changed_and_ended_only_with_its_token() {
    let scene = scene();
    let offer = offer();
    let (path, tag) = begin(&scene, &offer).await;
    let fragment = fragment_of(&offer);
    let patch = |token: Option<(&'static str, &'static str)>| {
        let headers = [Some(("content-type", FRAGMENT)), Some(("if-match", &*tag)), token];
        let headers: Vec<(&str, &str)> = headers.into_iter().flatten().collect();
        let (scene, path, fragment) = (&scene, &path, fragment.clone());
        async move { scene.ask(Method::PATCH, path, &headers, fragment).await.status }
    };
    assert_eq!(patch(None).await, StatusCode::UNAUTHORIZED);
    assert_eq!(patch(Some(("authorization", "Bearer other"))).await, StatusCode::UNAUTHORIZED);
    assert_eq!(patch(Some(TOKEN)).await, StatusCode::NO_CONTENT);
    assert_eq!(scene.ask(Method::DELETE, &path, &[], "").await.status, StatusCode::UNAUTHORIZED);
    assert!(is_published(&scene));
    let reply = scene.ask(Method::DELETE, &path, &[TOKEN], "").await;
    assert_eq!((reply.status, reply.header("content-length")), (StatusCode::OK, "0"));
    assert!(!is_published(&scene), "the name is free once the answer is there");
    begin(&scene, &offer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ice_restarts_under_a_new_entity_tag() {
    let scene = scene();
    let offer = offer();
    let (path, tag) = begin(&scene, &offer).await;
    let other = fragment_of(&offer).replace("a=ice-ufrag:", "a=ice-ufrag:x");
    let ask = |tag: String| {
        let (scene, path, other) = (&scene, &path, other.clone());
        async move {
            let headers = [("content-type", FRAGMENT), ("if-match", &*tag), TOKEN];
            scene.ask(Method::PATCH, path, &headers, other).await
        }
    };
    let reply = ask(tag.clone()).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.body);
    assert!(reply.body.contains("a=ice-ufrag:") && reply.header("etag") != tag);
    assert_eq!(ask(tag).await.status, StatusCode::PRECONDITION_FAILED);
    let headers = [("content-type", FRAGMENT), TOKEN];
    let reply = scene.ask(Method::PATCH, &path, &headers, other).await;
    assert_eq!(reply.status, StatusCode::PRECONDITION_REQUIRED);
}
