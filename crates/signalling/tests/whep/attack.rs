//! Requests by the thousand, of sessions that belong to others, and without permission.

use std::collections::HashSet;

use headwater_media::limits;
use http::{Method, StatusCode};

use crate::scene::{FRAGMENT, SDP, fragment_of, offer, offer_to, scene};

#[tokio::test(flavor = "multi_thread")]
async fn attack_h1_a_flood_of_offers_leaves_a_bounded_number_of_sessions() {
    let scene = scene();
    let (limit, offer) = (limits::WEBRTC_PENDING.get_usize(), offer());
    let mut begun = Vec::new();
    for number in 0..limit + 50 {
        let reply = scene.post("/live/cam.1/whep", offer.clone()).await;
        match reply.status {
            StatusCode::CREATED => begun.push(reply.header("location").to_owned()),
            StatusCode::SERVICE_UNAVAILABLE => {
                assert!(number >= limit && !reply.header("retry-after").is_empty(), "{number}: {reply:?}");
                assert!(!reply.body.is_empty());
            }
            other => panic!("{number}: {other} {}", reply.body),
        }
    }
    assert_eq!((begun.len(), scene.webrtc.pending() as usize, scene.whep.sessions()), (limit, limit, limit));
    // One that leaves makes room for one.
    assert_eq!(scene.ask(Method::DELETE, &begun[7], &[], "").await.status, StatusCode::OK);
    assert_eq!(scene.post("/live/cam.1/whep", offer.clone()).await.status, StatusCode::CREATED);
    assert_eq!(scene.post("/live/cam.1/whep", offer).await.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_h2_the_address_of_a_session_cannot_be_guessed_from_another() {
    let scene = scene();
    let (path, tag, offer) = scene.begin().await;
    let mut begun = HashSet::new();
    for _ in 0..50 {
        let (path, ..) = scene.begin().await;
        begun.insert(path);
    }
    assert_eq!(begun.len(), 50);
    // No place of the address has the same character in all, so none of it counts on.
    let own = path.rsplit('/').next().unwrap();
    for place in 0..own.len() {
        let at = |path: &String| path.as_bytes()[path.len() - own.len() + place];
        assert!(begun.iter().map(at).collect::<HashSet<_>>().len() > 4, "place {place}");
    }
    for place in 0..own.len() {
        let mut guess = path.clone().into_bytes();
        let at = path.len() - own.len() + place;
        guess[at] = if guess[at] == b'0' { b'1' } else { b'0' };
        let guess = String::from_utf8(guess).unwrap();
        assert_eq!(scene.patch(&guess, &tag, fragment_of(&offer)).await.status, StatusCode::NOT_FOUND);
        assert_eq!(scene.ask(Method::DELETE, &guess, &[], "").await.status, StatusCode::NOT_FOUND);
    }
    assert_eq!(scene.whep.sessions(), 51, "nobody was sent away");
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_h5_any_method_at_any_address_with_any_permission_is_answered_and_harms_no_session() {
    let scene = scene();
    let token = ("authorization", "Bearer good");
    let publish = offer_to(str0m::media::Direction::SendOnly);
    let begun = scene.ask(Method::POST, "/new/whip", &[("content-type", SDP), token], publish.clone()).await;
    assert_eq!(begun.status, StatusCode::CREATED, "{}", begun.body);
    let (session, tag) = (begun.header("location").to_owned(), begun.header("etag").to_owned());
    let unknown = "/live/cam.1/whep/0123456789abcdef0123456789abcdef";
    let paths = ["/live/cam.1/whep", "/new/whip", &session, unknown, "/new/whip/", "//whip", "/whep"];
    let long = format!("Bearer {}", "x".repeat(10_000));
    let permissions =
        [None, Some(""), Some("Bearer"), Some("Bearer  "), Some("Basic Z29vZA=="), Some("bearer other"), Some(&*long)];
    let methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "OPTIONS", "PROPFIND"];
    for method in methods.map(|method| Method::from_bytes(method.as_bytes()).unwrap()) {
        for path in paths {
            for permission in permissions {
                let given = permission.map(|value| ("authorization", value));
                for kind in [SDP, FRAGMENT] {
                    let headers = [Some(("content-type", kind)), Some(("if-match", &*tag)), given];
                    let headers: Vec<(&str, &str)> = headers.into_iter().flatten().collect();
                    let reply = scene.ask(method.clone(), path, &headers, "v=0\r\n").await;
                    let expected = matches!(reply.status.as_u16(), 204 | 400..=499);
                    assert!(expected, "{method} {path} {permission:?}: {} {}", reply.status, reply.body);
                }
            }
        }
    }
    assert_eq!((scene.whip.sessions(), scene.whep.sessions()), (1, 0));
    assert_eq!(scene.ask(Method::DELETE, &session, &[token], "").await.status, StatusCode::OK);
}
