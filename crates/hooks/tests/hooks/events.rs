use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use headwater_access::Change;
use headwater_hooks::{Method, Outcome};
use headwater_media::limits;
use serde_json::{Value, json};

use crate::{back_end::*, clients::*};

fn change(status: &str) -> Change {
    Change { status: status.into(), ..Change::default() }
}

#[tokio::test]
async fn events_of_a_session_come_in_order_although_some_have_to_be_sent_again() {
    let count = Arc::new(AtomicU32::new(0));
    let answer = move |hook: Hook| match hook.method.as_str() {
        "StreamStatusEvent" if count.fetch_add(1, Relaxed).is_multiple_of(3) => status(503),
        _ => status(200),
    };
    let back_end = BackEnd::start(answer).await;
    let (hooks, gates) = hooks(&back_end.url());
    let admission = play_once(&gates).await.unwrap();
    for number in 0..4 {
        admission.tell(&change(&number.to_string()));
    }
    drop(admission);
    back_end.wait_for("stopStream", 1).await;
    let told = back_end.arrived().into_iter().filter(|hook| hook.method == "StreamStatusEvent");
    let mut told: Vec<_> = told.map(|hook| hook.body["status"].as_str().unwrap().to_owned()).collect();
    let sent = told.len();
    told.dedup();
    assert_eq!(told, ["0", "1", "2", "3"]);
    assert_eq!(sent, 6, "two had to be sent again");
    assert_eq!(hooks.figures().get(Method::StreamStatusEvent, Outcome::Failed), 2);
    assert_eq!(hooks.figures().get(Method::StreamStatusEvent, Outcome::Taken), 4);
}

#[tokio::test]
async fn events_wait_for_an_application_that_is_gone_and_comes_back() {
    let back_end = BackEnd::start(|_| status(200)).await;
    let address = back_end.address;
    let (hooks, gates) = hooks(&back_end.url());
    let admissions = {
        let mut admissions = Vec::new();
        for number in 0..20 {
            admissions.push(gates.admit(&passer_by(&number.to_string()), play("camera")).await.unwrap());
        }
        admissions
    };
    drop(back_end);
    for admission in &admissions {
        admission.tell(&change("PLAYING"));
    }
    let figures = hooks.figures();
    let begun = Instant::now();
    while figures.get(Method::StreamStatusEvent, Outcome::Unreachable) < 22 {
        assert!(begun.elapsed() < Duration::from_secs(10), "it is not tried again");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(hooks.waiting(), 20);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let attempts = figures.get(Method::StreamStatusEvent, Outcome::Unreachable);
    assert!(attempts < 30, "after the first of each, one tries for all: {attempts}");
    let back_end = BackEnd::start_at(address, |_| 200).await;
    let told = back_end.wait_for("StreamStatusEvent", 20).await;
    assert_eq!(told.len(), 20);
    drop(admissions);
    hooks.stop().await;
    assert_eq!((hooks.waiting(), figures.get(Method::StreamStatusEvent, Outcome::Dropped)), (0, 0));
}

#[tokio::test]
async fn an_event_that_is_not_wanted_is_dropped_and_the_next_one_told() {
    let back_end = BackEnd::start(|hook| status(if hook.body["status"] == "BAD" { 400 } else { 200 })).await;
    let (hooks, gates) = hooks(&back_end.url());
    let admission = play_once(&gates).await.unwrap();
    admission.tell(&change("BAD"));
    admission.tell(&change("GOOD"));
    back_end.wait_for("StreamStatusEvent", 2).await;
    drop(admission);
    hooks.stop().await;
    assert_eq!(hooks.figures().get(Method::StreamStatusEvent, Outcome::Dropped), 1);
    assert_eq!(back_end.methods(), ["playStream", "StreamStatusEvent", "StreamStatusEvent", "stopStream"]);
}

#[tokio::test]
async fn attack_k1_events_beyond_the_limit_are_dropped_and_counted() {
    let back_end = BackEnd::start(|hook| status(if hook.method == "playStream" { 200 } else { 503 })).await;
    let (hooks, gates) = hooks(&back_end.url());
    let admission = play_once(&gates).await.unwrap();
    let max = limits::HOOK_EVENTS.get();
    for _ in 0..max + 10 {
        admission.tell(&change("PLAYING"));
    }
    let dropped = hooks.figures().get(Method::StreamStatusEvent, Outcome::Dropped);
    assert!((10..=11).contains(&dropped), "{dropped}");
    assert!(hooks.waiting() <= limits::HOOK_EVENTS.get_usize());
    let large = Change { info: Some("x".repeat(limits::HOOK_EVENT_BYTES.get_usize())), ..change("PLAYING") };
    admission.tell(&large);
    assert_eq!(hooks.figures().get(Method::StreamStatusEvent, Outcome::Dropped), dropped + 1);
}

#[tokio::test]
async fn stopping_waits_until_applications_know_who_has_gone() {
    let back_end = BackEnd::start(|_| status(200)).await;
    let (hooks, gates) = hooks(&back_end.url());
    let visit = connect(&gates, "s").await;
    let admission = visit.admit(publish("camera")).await.unwrap();
    let leaving = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(200)).await;
        drop((admission, visit));
    });
    hooks.stop().await;
    leaving.await.unwrap();
    let mut events = back_end.methods();
    events.retain(|method| method != "connect" && method != "publishStream");
    assert_eq!(events, ["ConnectionStatusEvent", "unPublishStream", "ConnectionStatusEvent"]);
}

#[tokio::test]
async fn stopping_does_not_wait_for_an_application_that_is_gone() {
    let back_end = BackEnd::start(|_| status(200)).await;
    let (hooks, gates) = hooks(&back_end.url());
    let admission = play_once(&gates).await.unwrap();
    drop(back_end);
    drop(admission);
    let begun = Instant::now();
    hooks.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_status_says_what_the_protocol_knows() {
    let back_end = BackEnd::start(|_| status(200)).await;
    let (_, gates) = hooks(&back_end.url());
    let admission = play_once(&gates).await.unwrap();
    let Value::Object(facts) = json!({ "videoCodec": "H264", "width": 640, "sessionId": "forged" }) else {
        unreachable!()
    };
    admission.tell(&Change { facts, info: Some("info".into()), ..change("PLAYING") });
    let body = back_end.wait_for("StreamStatusEvent", 1).await.remove(0).body;
    for (field, expected) in [
        ("status", json!("PLAYING")),
        ("info", json!("info")),
        ("videoCodec", json!("H264")),
        ("width", json!(640)),
        ("sessionId", json!("s1")),
        ("name", json!("camera")),
    ] {
        assert_eq!(body[field], expected, "{field}");
    }
}
