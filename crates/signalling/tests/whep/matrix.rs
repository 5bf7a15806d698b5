//! Which request is answered with what.

use http::{Method, StatusCode};

use crate::scene::{FRAGMENT, SDP, offer, scene};

const ID: &str = "0123456789abcdef0123456789abcdef";

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_done_is_refused_with_a_status_and_a_sentence() {
    let scene = scene();
    let good = offer();
    let live = "/live/cam.1/whep".to_owned();
    let gone = format!("/live/cam.1/whep/{ID}");
    let sdp = [("content-type", SDP)];
    let no_h264 = good.replace("H264", "H269");
    let two_transports = good.lines().filter(|line| !line.starts_with("a=group"));
    let two_transports: String = two_transports.map(|line| format!("{line}\r\n")).collect();
    let bad_type = good.replacen("m=audio 9 UDP/TLS/RTP/SAVPF ", "m=audio 9 UDP/TLS/RTP/SAVPF 200 ", 1);
    let large = "a".repeat(70_000);
    let announced = [("content-type", SDP), ("content-length", "99999999")];
    type Case<'a> = (Method, &'a str, &'a [(&'a str, &'a str)], &'a str, u16, &'a str);
    let cases: Vec<Case<'_>> = vec![
        (Method::POST, "/nobody/whep", &sdp, &good, 404, "there is no live stream nobody"),
        (Method::POST, "/a%2fb/whep", &sdp, &good, 404, "a stream name may hold only"),
        (Method::POST, "/a/b/c/d/e/whep", &sdp, &good, 404, "at most 4 parts"),
        (Method::POST, &live, &[], &good, 415, "application/sdp"),
        (Method::POST, &live, &[("content-type", "text/plain")], &good, 415, "application/sdp"),
        (Method::POST, &live, &sdp, "", 400, "not a valid SDP"),
        (Method::POST, &live, &sdp, "garbage", 400, "not a valid SDP"),
        (Method::POST, &live, &sdp, &two_transports, 400, "a=group:BUNDLE"),
        (Method::POST, &live, &sdp, &bad_type, 400, "media section 0 (audio)"),
        (Method::POST, &live, &sdp, &no_h264, 406, "the stream's video is H264"),
        (Method::POST, &live, &sdp, &large, 413, "65536 bytes"),
        (Method::POST, &live, &announced, &good, 413, "65536 bytes"),
        (Method::GET, &live, &[], "", 405, "/play/live/cam.1"),
        (Method::PUT, &live, &[], "", 405, "POST"),
        (Method::PATCH, &gone, &[("content-type", FRAGMENT)], "", 404, "POST an offer"),
        (Method::DELETE, &gone, &[], "", 404, "POST an offer"),
        (Method::GET, &gone, &[], "", 405, "DELETE"),
        (Method::POST, "/elsewhere", &sdp, &good, 404, "/NAME/whep"),
    ];
    for (method, path, headers, body, status, sentence) in cases {
        let reply = scene.ask(method.clone(), path, headers, body.to_owned()).await;
        assert_eq!(reply.status.as_u16(), status, "{method} {path}: {}", reply.body);
        assert!(reply.body.contains(sentence), "{method} {path}: {}", reply.body);
        assert_eq!(reply.header("content-length"), reply.body.len().to_string());
        assert_eq!(reply.header("content-type"), "text/plain; charset=utf-8");
        assert_eq!(reply.header("access-control-allow-origin"), "*", "pages of other origins can read it");
        assert_eq!(reply.status == StatusCode::METHOD_NOT_ALLOWED, reply.headers.contains_key("allow"));
    }
    assert_eq!(scene.publication.stream().viewer_count(), 0, "nothing is kept of those who were refused");
    assert_eq!(scene.whep.sessions(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_offer_is_answered_with_everything_a_player_needs() {
    let scene = scene();
    let headers = [("content-type", "Application/SDP; charset=utf-8"), ("user-agent", "Player/1")];
    let reply = scene.ask(Method::POST, "/live/cam.1/whep", &headers, offer()).await;
    assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.body);
    assert_eq!(reply.header("content-type"), SDP);
    assert_eq!(reply.header("content-length"), reply.body.len().to_string());
    let id = reply.header("location").strip_prefix("/live/cam.1/whep/").unwrap();
    assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "128 bits of chance: {id}");
    assert!(reply.header("etag").starts_with('"'));
    assert_eq!(reply.header("link"), "<stun:stun.example.org:3478>; rel=\"ice-server\"");
    let exposed = reply.header("access-control-expose-headers");
    assert!(["Location", "ETag", "Link"].iter().all(|name| exposed.contains(name)), "{exposed}");
    assert!(reply.body.contains("a=ice-lite\r\n") && reply.body.contains("m=video 9"));
    let viewers = scene.publication.stream().viewers();
    let peer = viewers[0].peer();
    assert_eq!((peer.protocol, peer.user_agent.as_deref()), ("WebRTC", Some("Player/1")));
    assert_ne!(peer.session, id, "what the API shows does not open the session's address");
}

#[tokio::test(flavor = "multi_thread")]
async fn options_say_what_may_be_asked_also_from_other_origins() {
    let scene = scene();
    let cases = [
        ("/live/cam.1/whep".to_owned(), "POST, OPTIONS", "accept-post", SDP),
        (format!("/live/cam.1/whep/{ID}"), "PATCH, DELETE, OPTIONS", "accept-patch", FRAGMENT),
    ];
    for (path, methods, accept, media_type) in cases {
        let reply = scene.ask(Method::OPTIONS, &path, &[("origin", "https://example.org")], "").await;
        assert_eq!(reply.status, StatusCode::NO_CONTENT);
        assert_eq!(reply.header("allow"), methods);
        assert_eq!(reply.header("access-control-allow-methods"), methods);
        assert_eq!(reply.header(accept), media_type);
        assert!(reply.header("access-control-allow-headers").contains("If-Match"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_says_so() {
    let scene = scene();
    scene.webrtc.stop().await;
    let reply = scene.post("/live/cam.1/whep", offer()).await;
    assert_eq!((reply.status, reply.header("retry-after")), (StatusCode::SERVICE_UNAVAILABLE, "30"));
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_about_to_begin_is_waited_for_and_then_conflicts() {
    let scene = scene();
    let name = headwater_media::StreamName::new("slow").unwrap();
    let _starting = scene.hub.publish(name, headwater_graph::Peer::new("TEST", "slow")).unwrap();
    let reply = scene.post("/slow/whep", offer()).await;
    assert_eq!((reply.status, reply.header("retry-after")), (StatusCode::CONFLICT, "2"), "{}", reply.body);
}
