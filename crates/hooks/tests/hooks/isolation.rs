use std::{
    net::TcpListener,
    time::{Duration, Instant},
};

use headwater_access::{Change, Gates};
use headwater_hooks::{Method, Outcome, Settings};
use tokio::task::JoinSet;

use crate::{back_end::*, clients::*};

/// Takes connections and says nothing.
fn hanging() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hooks", listener.local_addr().unwrap());
    (listener, url)
}

async fn come(
    gates: &Gates,
    key: &str,
    number: usize,
) -> Result<headwater_access::Admission, headwater_access::Refused> {
    let client = headwater_access::Client { app_key: Some(key.into()), ..passer_by(&format!("{key}-{number}")) };
    gates.admit(&client, play("camera")).await
}

#[tokio::test]
async fn attack_k1_an_application_that_hangs_delays_nobody_but_its_own_clients() {
    let (_listener, dead) = hanging();
    let alive = BackEnd::start(|_| status(200)).await;
    let applications = vec![application("dead", &dead), application("alive", &alive.url())];
    let (hooks, gates) = with(Settings { applications, timeout: Duration::from_secs(2), ..Settings::default() });

    let mut waiting = JoinSet::new();
    for number in 0..1_000 {
        let gates = gates.clone();
        waiting.spawn(async move {
            let begun = Instant::now();
            (come(&gates, "dead", number).await.is_err(), begun.elapsed())
        });
    }
    let mut slowest = Duration::ZERO;
    let mut admitted = Vec::new();
    for number in 0..1_000 {
        let begun = Instant::now();
        let admission = come(&gates, "alive", number).await.unwrap();
        admission.tell(&Change { status: "PLAYING".into(), ..Change::default() });
        admitted.push(admission);
        slowest = slowest.max(begun.elapsed());
    }
    assert!(slowest < Duration::from_millis(500), "the slowest of 1,000 took {slowest:?}");
    alive.wait_for("StreamStatusEvent", 1_000).await;

    for (is_refused, took) in waiting.join_all().await {
        assert!(is_refused && took < Duration::from_secs(3), "refused {is_refused} after {took:?}");
    }
    let unreachable = hooks.figures().get(Method::PlayStream, Outcome::Unreachable);
    assert_eq!(unreachable, 1_000);
}

#[tokio::test]
async fn attack_k1_the_events_of_one_application_do_not_wait_for_those_of_another() {
    let (_listener, dead) = hanging();
    let alive = BackEnd::start(|_| status(200)).await;
    let applications = vec![application("dead", &dead), application("alive", &alive.url())];
    let methods = vec![Method::StreamStatusEvent];
    let (hooks, gates) = with(Settings { applications, methods, ..Settings::default() });
    let lost = come(&gates, "dead", 0).await.unwrap();
    for _ in 0..20_000 {
        lost.tell(&Change { status: "PLAYING".into(), ..Change::default() });
    }
    let told = come(&gates, "alive", 0).await.unwrap();
    told.tell(&Change { status: "PLAYING".into(), ..Change::default() });
    let begun = Instant::now();
    alive.wait_for("StreamStatusEvent", 1).await;
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    assert!(hooks.figures().get(Method::StreamStatusEvent, Outcome::Dropped) >= 10_000);
}

#[tokio::test]
async fn a_slow_application_decides_about_many_at_once() {
    let back_end = BackEnd::slow(Duration::from_millis(200)).await;
    let (hooks, gates) = hooks(&back_end.url());
    let begun = Instant::now();
    let mut coming = JoinSet::new();
    for number in 0..1_000 {
        let gates = gates.clone();
        coming.spawn(async move { gates.admit(&passer_by(&number.to_string()), play("camera")).await.map(drop) });
    }
    let refused = coming.join_all().await.into_iter().filter(Result::is_err).count();
    assert_eq!(refused, 0, "all within their time: {:?}", begun.elapsed());
    assert_eq!(hooks.figures().get(Method::PlayStream, Outcome::Taken), 1_000);
}
