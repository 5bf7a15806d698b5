//! What may be done with a session.

use std::time::Duration;

use headwater_media::limits;
use http::{Method, StatusCode};

use crate::scene::{FRAGMENT, Scene, fragment_of, offer, scene};

async fn wait_until_empty(scene: &Scene) {
    for _ in 0..200 {
        if scene.whep.sessions() == 0 && scene.publication.stream().viewer_count() == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{} sessions are left", scene.whep.sessions());
}

#[tokio::test(flavor = "multi_thread")]
async fn delete_ends_a_session_once() {
    let scene = scene();
    let (path, ..) = scene.begin().await;
    let reply = scene.ask(Method::DELETE, &path, &[], "").await;
    assert_eq!((reply.status, reply.header("content-length")), (StatusCode::OK, "0"));
    wait_until_empty(&scene).await;
    assert_eq!(scene.ask(Method::DELETE, &path, &[], "").await.status, StatusCode::NOT_FOUND);
    assert_eq!(scene.webrtc.statistics()[0].sessions, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_answers_only_under_its_own_stream() {
    let scene = scene();
    let (path, ..) = scene.begin().await;
    let elsewhere = path.replace("/live/cam.1/", "/other/");
    assert_eq!(scene.ask(Method::DELETE, &elsewhere, &[], "").await.status, StatusCode::NOT_FOUND);
    assert_eq!(scene.whep.sessions(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn candidates_are_taken_under_the_entity_tag_of_the_ice_session() {
    let scene = scene();
    let (path, tag, offer) = scene.begin().await;
    let fragment = fragment_of(&offer);
    let with_type = [("content-type", FRAGMENT)];
    let wrong_type = [("content-type", "application/sdp"), ("if-match", tag.as_str())];
    let no_password = fragment.replace("a=ice-pwd", "a=x");
    let reply = scene.patch(&path, &tag, fragment.clone()).await;
    assert_eq!(reply.status, StatusCode::NO_CONTENT, "{}", reply.body);
    let listed = format!("\"other\", {tag}");
    assert_eq!(scene.patch(&path, &listed, fragment.clone()).await.status, StatusCode::NO_CONTENT);
    let refusals = [
        (scene.ask(Method::PATCH, &path, &with_type, fragment.clone()).await, 428, "If-Match"),
        (scene.patch(&path, "\"other\"", fragment.clone()).await, 412, "ETag"),
        (scene.patch(&path, "*", fragment.clone()).await, 412, "ICE restart"),
        (scene.ask(Method::PATCH, &path, &wrong_type, fragment.clone()).await, 415, FRAGMENT),
        (scene.patch(&path, &tag, no_password).await, 400, "a=ice-pwd is missing"),
        (scene.patch(&path, &tag, "a".repeat(70_000)).await, 413, "bytes"),
    ];
    for (reply, status, sentence) in refusals {
        assert_eq!(reply.status.as_u16(), status, "{}", reply.body);
        assert!(reply.body.contains(sentence), "{}", reply.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_credentials_restart_ice_and_change_the_entity_tag() {
    let scene = scene();
    let (path, tag, first) = scene.begin().await;
    let second = fragment_of(&offer());
    let reply = scene.patch(&path, "*", second.clone()).await;
    assert_eq!((reply.status, reply.header("content-type")), (StatusCode::OK, FRAGMENT), "{}", reply.body);
    let new_tag = reply.header("etag").to_owned();
    assert_ne!(new_tag, tag);
    for line in ["a=ice-ufrag:", "a=ice-pwd:", "a=candidate:", "a=end-of-candidates"] {
        assert!(reply.body.contains(line), "{line} in {}", reply.body);
    }
    assert_eq!(scene.patch(&path, &tag, fragment_of(&first)).await.status, StatusCode::PRECONDITION_FAILED);
    assert_eq!(scene.patch(&path, &new_tag, second).await.status, StatusCode::NO_CONTENT);
    let third = scene.patch(&path, &new_tag, fragment_of(&offer())).await;
    assert_eq!(third.status, StatusCode::OK, "a restart may name the present ICE session as well");
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_h3_a_flood_of_patches_is_refused() {
    let scene = scene();
    let (path, tag, offer) = scene.begin().await;
    let fragment = fragment_of(&offer);
    let mut refused = 0;
    for _ in 0..limits::WEBRTC_PATCHES_PER_SECOND.get() * 2 {
        let reply = scene.patch(&path, &tag, fragment.clone()).await;
        if reply.status == StatusCode::TOO_MANY_REQUESTS {
            assert_eq!(reply.header("retry-after"), "1");
            refused += 1;
        }
    }
    assert!(refused > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_whose_stream_ends_is_gone() {
    let scene = scene();
    let (path, tag, offer) = scene.begin().await;
    let Scene { publication, hub, webrtc, whep, whip, router, _video } = scene;
    publication.end("over");
    for _ in 0..200 {
        if whep.sessions() == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let scene = Scene {
        publication: hub.publish("next".parse().unwrap(), headwater_graph::Peer::new("TEST", "next")).unwrap(),
        hub,
        webrtc,
        whep,
        whip,
        router,
        _video,
    };
    assert_eq!(scene.patch(&path, &tag, fragment_of(&offer)).await.status, StatusCode::NOT_FOUND);
}
