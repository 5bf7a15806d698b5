use std::{
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering::Relaxed},
    },
    time::Duration,
};

use headwater_access::{Change, Why};
use headwater_hooks::Settings;
use tokio::time::timeout;

use crate::{back_end::*, clients::*};

const INTERVAL: Duration = Duration::from_millis(100);

fn asked_about(url: &str) -> headwater_access::Gates {
    with(Settings {
        applications: vec![application("defaultApp", url)],
        keep_alive: Some(INTERVAL),
        ..Settings::default()
    })
    .1
}

#[tokio::test]
async fn a_stream_goes_on_until_the_application_says_no() {
    let answer = Arc::new(AtomicU16::new(200));
    let shared = answer.clone();
    let back_end = BackEnd::start(move |hook| match hook.method.as_str() {
        "StreamKeepAliveEvent" => status(shared.load(Relaxed)),
        _ => status(200),
    })
    .await;
    let gates = asked_about(&back_end.url());
    let admission = gates.admit(&passer_by("s"), publish("camera")).await.unwrap();
    admission.tell(&Change { status: "PUBLISHING".into(), ..Change::default() });
    for (count, going_well) in [(2, 200), (4, 500), (6, 404)] {
        answer.store(going_well, Relaxed);
        back_end.wait_for("StreamKeepAliveEvent", count).await;
        assert!(timeout(Duration::from_millis(5), admission.revoked()).await.is_err(), "{going_well}");
    }
    answer.store(403, Relaxed);
    let refused = timeout(Duration::from_secs(5), admission.revoked()).await.unwrap();
    assert_eq!((refused.why, refused.sentence.as_str()), (Why::Forbidden, "Terminated by keep-alive"));
    let again = timeout(Duration::from_secs(5), admission.revoked()).await.unwrap();
    assert_eq!(again, refused, "whoever asks later hears the same");
    let body = back_end.wait_for("StreamKeepAliveEvent", 1).await.remove(0).body;
    assert_eq!((&body["published"], &body["name"]), (&true.into(), &"camera".into()));
    assert_eq!(body["status"], "PUBLISHING");
}

#[tokio::test]
async fn a_stream_that_is_over_is_not_asked_about() {
    let back_end = BackEnd::start(|_| status(200)).await;
    let gates = asked_about(&back_end.url());
    let admission = gates.admit(&passer_by("s"), publish("camera")).await.unwrap();
    back_end.wait_for("StreamKeepAliveEvent", 1).await;
    drop(admission);
    back_end.wait_for("unPublishStream", 1).await;
    let before = back_end.methods().len();
    tokio::time::sleep(INTERVAL * 4).await;
    assert!(back_end.methods().len() <= before + 1, "one may have been under way");
}
