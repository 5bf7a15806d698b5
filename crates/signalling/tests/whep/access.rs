//! WHIP and WHEP before a gate: let in, refused, sent elsewhere, kept waiting, sent away.

use std::time::Duration;

use headwater_access::testing::Doorman;
use headwater_media::StreamName;
use headwater_signalling::Entrance;
use http::{Method, StatusCode};
use str0m::media::Direction;
use tokio::time::timeout;

use crate::scene::{Reply, SDP, Scene, gated, offer, offer_to};

const SOON: Duration = Duration::from_secs(10);

fn scene() -> (Doorman, Scene) {
    let doorman = Doorman::default();
    let scene = gated(Entrance::new(doorman.gates()));
    (doorman, scene)
}

async fn ask(scene: &Scene, path: &str, authorization: Option<&str>) -> Reply {
    let mut headers = vec![("content-type", SDP)];
    headers.extend(authorization.map(|value| ("authorization", value)));
    let is_whip = path.split('?').next().unwrap().ends_with("whip");
    let offer = if is_whip { offer_to(Direction::SendOnly) } else { offer() };
    scene.ask(Method::POST, path, &headers, offer).await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_gets_a_status_and_a_sentence_that_pages_can_read() {
    let (_, scene) = scene();
    let cases = [
        ("/secret", None, 403, "the stream is secret"),
        ("/secret", Some("Bearer open"), 403, "the stream is secret"),
        ("/locked", None, 401, "it needs a token"),
        ("/locked", Some("Bearer shut"), 401, "it needs a token"),
        ("/busy", None, 429, "too many have failed"),
        ("/down", None, 503, "nobody could be asked"),
    ];
    for (stream, authorization, status, sentence) in cases {
        for word in ["whip", "whep"] {
            let reply = ask(&scene, &format!("{stream}/{word}"), authorization).await;
            assert_eq!((reply.status.as_u16(), reply.body.trim()), (status, sentence), "{stream}/{word}");
            assert_eq!(reply.header("access-control-allow-origin"), "*");
            assert_eq!(reply.header("www-authenticate"), if status == 401 { "Bearer" } else { "" });
            assert_eq!(reply.header("retry-after").is_empty(), status < 429, "{status}");
        }
    }
    assert_eq!(scene.webrtc.pending(), 0, "nothing is begun for those who are refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_is_not_weighed_for_someone_who_may_not() {
    let (doorman, scene) = scene();
    let no_codec = offer_to(Direction::SendOnly).replace("/90000", "/90001");
    for body in ["", "garbage", &no_codec] {
        for word in ["whip", "whep"] {
            let sdp = [("content-type", SDP)];
            let reply = scene.ask(Method::POST, &format!("/locked/{word}"), &sdp, body.to_owned()).await;
            assert_eq!((reply.status.as_u16(), reply.body.trim()), (401, "it needs a token"), "{word} {body:?}");
            let name = if word == "whip" { "new" } else { "live/cam.1" };
            let reply = scene.ask(Method::POST, &format!("/{name}/{word}"), &sdp, body.to_owned()).await;
            assert!(matches!(reply.status.as_u16(), 400 | 406 | 422), "{word} {body:?}: {reply:?}");
        }
    }
    timeout(SOON, doorman.until("gone")).await.unwrap();
    let failed = doorman.log().iter().filter(|entry| entry.contains(" FAILED: ")).count();
    assert_eq!(failed, 6, "who let them in learns that nothing came of it: {:?}", doorman.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_come_as_bearer_as_basic_and_in_the_query() {
    let (doorman, scene) = scene();
    let reply = ask(&scene, "/locked/whip?appKey=shop&room=7", Some("Bearer open")).await;
    assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.body);
    let session = reply.header("location").to_owned();
    assert_eq!(scene.ask(Method::DELETE, &session, &[], "").await.status, StatusCode::UNAUTHORIZED);
    let token = [("authorization", "Bearer open")];
    assert_eq!(scene.ask(Method::DELETE, &session, &token, "").await.status, StatusCode::OK);
    timeout(SOON, doorman.until("gone")).await.unwrap();
    let reply = ask(&scene, "/locked/whip?token=open", None).await;
    assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.body);
    let reply = ask(&scene, "/other/whip", Some("Basic YW5uOnM6Yw==")).await;
    assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.body);
    let log = doorman.log();
    for entry in ["connect shop token open room=7", "connect none token open", "connect none user ann:s:c"] {
        assert!(log.iter().any(|found| found == entry), "{entry}: {log:?}");
    }
    let ended = ["locked UNPUBLISHED: Stopped by user", "locked over", "gone"];
    assert!(log.windows(3).any(|found| found == ended), "{log:?}");
    let asked = doorman.seen().into_iter().find(|facts| facts.contains_key("sdp")).unwrap();
    assert_eq!((&asked["hasVideo"], &asked["mediaProvider"]), (&true.into(), &"WebRTC".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_keeps_the_name_that_it_was_asked_for_by() {
    let (doorman, scene) = scene();
    let reply = ask(&scene, "/alias/new/whip", None).await;
    assert!(reply.header("location").starts_with("/alias/new/whip/"), "{reply:?}");
    let found = |name: &str| scene.hub.find(&StreamName::new(name).unwrap()).is_some();
    assert!(found("new") && !found("alias/new"));
    let reply = ask(&scene, "/alias/live/cam.1/whep", None).await;
    assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.body);
    let layer = format!("{}/layer", reply.header("location"));
    assert_eq!(scene.ask(Method::GET, &layer, &[], "").await.status, StatusCode::OK);
    assert_eq!(scene.publication.stream().viewer_count(), 1);
    let missing = ask(&scene, "/alias/nothing/whep", None).await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    assert!(missing.body.contains("alias/nothing"), "{}", missing.body);
    let taken = ask(&scene, "/alias/live/cam.1/whip", None).await;
    assert!(taken.body.contains("the stream alias/live/cam.1 is being published"), "{}", taken.body);
    timeout(SOON, doorman.until("alias/nothing FAILED: Stream not found")).await.unwrap();
    timeout(SOON, doorman.until("alias/live/cam.1 FAILED: Stream name is already in use")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leave_that_is_taken_back_ends_the_session() {
    for word in ["whip", "whep"] {
        let (doorman, scene) = scene();
        let path = if word == "whip" { "/new/whip" } else { "/live/cam.1/whep" };
        let reply = ask(&scene, path, None).await;
        assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.body);
        doorman.revoke();
        timeout(SOON, doorman.until("gone")).await.unwrap();
        let name = if word == "whip" { "new" } else { "live/cam.1" };
        let ended = format!("{name} FAILED: the leave has been taken back");
        assert!(doorman.log().contains(&ended), "{:?}", doorman.log());
        let session = reply.header("location").to_owned();
        timeout(SOON, async {
            while scene.ask(Method::DELETE, &session, &[], "").await.status != StatusCode::NOT_FOUND {
                tokio::task::yield_now().await;
            }
        })
        .await
        .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_a_decision_keeps_nobody_else_waiting_and_is_forgotten_when_it_goes() {
    let (doorman, scene) = scene();
    let slow = timeout(Duration::from_millis(200), ask(&scene, "/slow/whip", None));
    assert!(slow.await.is_err(), "it is not decided");
    assert!(doorman.log().contains(&"gone".to_owned()), "{:?}", doorman.log());
    let (waiting, other) = tokio::join!(ask(&scene, "/slow/whip", None), async {
        let other = ask(&scene, "/new/whip", None).await;
        doorman.decide();
        other
    });
    assert_eq!((waiting.status, other.status), (StatusCode::CREATED, StatusCode::CREATED));
}
