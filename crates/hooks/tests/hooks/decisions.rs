use std::{
    io::{Read, Write},
    net::TcpListener,
    time::{Duration, Instant},
};

use axum::{body::Body, http::Response};
use bytes::Bytes;
use headwater_access::{Credentials, Secret, Why};
use headwater_hooks::{Method, Outcome, Settings, Signer};
use serde_json::json;

use crate::{back_end::*, clients::*};

#[tokio::test]
async fn only_a_200_lets_anybody_in() {
    for (answer, expected) in [
        (200, None),
        (201, Some(Why::Unavailable)),
        (204, Some(Why::Unavailable)),
        (302, Some(Why::Unavailable)),
        (400, Some(Why::Unavailable)),
        (401, Some(Why::Unknown)),
        (403, Some(Why::Forbidden)),
        (404, Some(Why::Unavailable)),
        (429, Some(Why::TooMany)),
        (500, Some(Why::Unavailable)),
    ] {
        let back_end = BackEnd::start(move |_| status(answer)).await;
        let (_, gates) = hooks(&back_end.url());
        let refused = play_once(&gates).await.err().map(|refused| refused.why);
        assert_eq!(refused, expected, "playStream answered {answer}");
        let refused = gates.connect(&page("p")).await.err().map(|refused| refused.why);
        assert_eq!(refused, expected, "connect answered {answer}");
    }
}

#[tokio::test]
async fn an_answer_that_is_not_what_an_application_says_lets_nobody_in() {
    for (answer, is_good) in [("", true), (" \n", true), ("{}", true), ("<html>", false), ("[]", false), ("1", false)] {
        let back_end = BackEnd::start(move |_| answer).await;
        let (hooks, gates) = hooks(&back_end.url());
        assert_eq!(play_once(&gates).await.is_ok(), is_good, "{answer:?}");
        let failed = hooks.figures().get(Method::PlayStream, Outcome::Failed);
        assert_eq!(failed, u64::from(!is_good), "{answer:?}");
    }
}

#[tokio::test]
async fn attack_c16_a_redirect_is_not_followed() {
    let target = BackEnd::start(|_| status(200)).await;
    let url = target.url();
    let back_end = BackEnd::start(move |_| (axum::http::StatusCode::FOUND, [("location", url.clone())])).await;
    let (_, gates) = hooks(&back_end.url());
    assert_eq!(play_once(&gates).await.unwrap_err().why, Why::Unavailable);
    assert_eq!(target.methods(), Vec::<String>::new());
}

#[tokio::test]
async fn attack_c16_an_endless_answer_is_cut_off() {
    let endless = || {
        Body::from_stream(futures_util::stream::repeat_with(|| Ok::<_, axum::Error>(Bytes::from_static(&[b' '; 4096]))))
    };
    let back_end = BackEnd::start(move |_| Response::new(endless())).await;
    let (_, gates) = hooks(&back_end.url());
    let begun = Instant::now();
    let hits = headwater_media::limits::HOOK_ANSWER_BYTES.hits();
    assert_eq!(play_once(&gates).await.unwrap_err().why, Why::Unavailable);
    assert!(begun.elapsed() < Duration::from_secs(2), "cut off by its length, not by time");
    assert!(headwater_media::limits::HOOK_ANSWER_BYTES.hits() > hits);
}

#[tokio::test]
async fn attack_c16_one_who_never_answers_or_drips_has_the_time_of_the_configuration() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let dripping = TcpListener::bind("127.0.0.1:0").unwrap();
    let (silent_at, dripping_at) = (silent.local_addr().unwrap(), dripping.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut stream, _) = dripping.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nx: ");
        while stream.write_all(b"y").is_ok() {
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    for address in [silent_at, dripping_at] {
        let url = format!("http://{address}/hooks");
        let timeout = Duration::from_millis(300);
        let settings = Settings { applications: vec![application("defaultApp", &url)], timeout, ..Settings::default() };
        let (hooks, gates) = with(settings);
        let begun = Instant::now();
        assert_eq!(play_once(&gates).await.unwrap_err().why, Why::Unavailable);
        let took = begun.elapsed();
        assert!(took >= timeout && took < timeout * 3, "{took:?}");
        assert_eq!(hooks.figures().get(Method::PlayStream, Outcome::Unreachable), 1);
    }
    drop(silent);
}

#[tokio::test]
async fn attack_c16_nobody_there_is_a_refusal_at_once() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (_, gates) = hooks(&format!("http://{free}/hooks"));
    let begun = Instant::now();
    assert_eq!(play_once(&gates).await.unwrap_err().why, Why::Unavailable);
    assert!(begun.elapsed() < Duration::from_secs(1));
}

#[tokio::test]
async fn the_application_learns_who_asks_for_what() {
    let back_end = BackEnd::start(|_| "").await;
    let (_, gates) = hooks(&back_end.url());
    let credentials = Credentials {
        token: Some(Secret::new("t")),
        user: Some(("anna".into(), Secret::new("pw"))),
        parameters: vec![("key".into(), Secret::new("k"))],
    };
    let admission = gates.admit(&passer_by("s1").with_credentials(credentials), publish("live/camera")).await.unwrap();
    let hook = back_end.wait_for("publishStream", 1).await.remove(0);
    assert_eq!(hook.headers["content-type"], "application/json");
    for (field, expected) in [
        ("nodeId", json!("headwater")),
        ("appKey", json!("defaultApp")),
        ("sessionId", json!("s1")),
        ("mediaSessionId", json!("live/camera-1")),
        ("name", json!("live/camera")),
        ("published", json!(true)),
        ("mediaProvider", json!("HTTP-FLV")),
        ("token", json!("t")),
        ("user", json!("anna")),
        ("password", json!("pw")),
        ("custom", json!({ "key": "k" })),
    ] {
        assert_eq!(hook.body[field], expected, "{field}");
    }
    drop(admission);
    let hook = back_end.wait_for("unPublishStream", 1).await.remove(0);
    assert_eq!((&hook.body["mediaSessionId"], hook.body.get("token")), (&json!("live/camera-1"), None));
}

#[tokio::test]
async fn hooks_are_signed_over_time_and_body() {
    let back_end = BackEnd::start(|_| "").await;
    let key = Secret::new("canary");
    let (_, gates) = with(Settings {
        applications: vec![application("defaultApp", &back_end.url())],
        secret_key: Some(key.clone()),
        with_wcs_hash: true,
        ..Settings::default()
    });
    drop(play_once(&gates).await.unwrap());
    for method in ["playStream", "stopStream"] {
        let hook = back_end.wait_for(method, 1).await.remove(0);
        let signer = Signer::new(key.clone());
        let signature = hook.headers["headwater-signature"].to_str().unwrap();
        assert!(signer.verify(signature, std::time::SystemTime::now(), &hook.bytes), "{method}");
        assert_eq!(hook.headers["authorization"], signer.sign_as_wcs(&hook.bytes));
    }
}

#[tokio::test]
async fn without_a_key_nothing_is_signed() {
    let back_end = BackEnd::start(|_| "").await;
    let (_, gates) = hooks(&back_end.url());
    play_once(&gates).await.unwrap();
    let hook = back_end.wait_for("playStream", 1).await.remove(0);
    assert_eq!((hook.headers.get("headwater-signature"), hook.headers.get("authorization")), (None, None));
}

#[tokio::test]
async fn who_leaves_while_the_application_thinks_is_told_of() {
    let back_end = BackEnd::slow(Duration::from_millis(300)).await;
    let (_, gates) = hooks(&back_end.url());
    let asking = tokio::spawn(async move { play_once(&gates).await.map(drop) });
    back_end.wait_for("playStream", 1).await;
    asking.abort();
    back_end.wait_for("stopStream", 1).await;
}
