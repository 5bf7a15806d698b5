//! Other applications than before, while clients are there.

use std::time::Duration;

use headwater_access::{Change, Why};
use headwater_hooks::{Hooks, Method, Outcome, SIGNATURE, Settings, Successor};
use tokio::{
    runtime::Handle,
    time::{sleep, timeout},
};

use crate::{back_end::*, clients::*};

fn settings(applications: &[(&str, String)]) -> Settings {
    let applications = applications.iter().map(|(key, url)| application(key, url)).collect();
    Settings { applications, timeout: Duration::from_millis(500), ..Settings::default() }
}

fn change(hooks: &Hooks, settings: Settings) {
    hooks.replace(Successor::new(settings).unwrap());
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let waited = timeout(Duration::from_secs(10), async {
        while !is_so() {
            sleep(Duration::from_millis(5)).await;
        }
    });
    assert!(waited.await.is_ok(), "{what}");
}

#[tokio::test]
async fn an_application_that_is_added_is_asked_about_clients_that_were_there_before() {
    let back_end = BackEnd::start(|hook| status(if hook.body["name"] == "secret" { 403 } else { 200 })).await;
    let (hooks, gates) = with(settings(&[]));
    let visit = gates.connect(&page("early")).await.unwrap();
    let early = visit.admit(publish("secret")).await.unwrap();
    change(&hooks, settings(&[("defaultApp", back_end.url())]));
    assert_eq!(visit.admit(publish("secret")).await.unwrap_err().why, Why::Forbidden);
    assert!(visit.admit(publish("camera")).await.is_ok());
    let methods = back_end.methods();
    assert_eq!(methods.iter().filter(|method| *method == "connect").count(), 1, "it is introduced once: {methods:?}");
    let revoked = timeout(Duration::from_millis(50), early.revoked()).await;
    assert!(revoked.is_err(), "what was allowed before goes on");
    drop((early, visit));
    back_end.wait_for("ConnectionStatusEvent", 2).await;
}

#[tokio::test]
async fn an_application_that_is_taken_out_is_asked_and_told_nothing_more_and_leaves_no_task() {
    // A connection that is kept for its next use is a task as well.
    let back_end = BackEnd::start(|_| [("connection", "close")]).await;
    let (hooks, gates) = with(settings(&[]));
    let tasks = || Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    let keep_alive = Some(Duration::from_millis(20));
    change(&hooks, Settings { keep_alive, ..settings(&[("defaultApp", back_end.url())]) });
    let visit = gates.connect(&page("s")).await.unwrap();
    let camera = visit.admit(publish("camera")).await.unwrap();
    back_end.wait_for("StreamKeepAliveEvent", 2).await;
    change(&hooks, settings(&[]));
    until("no task is left", || tasks() <= before).await;
    let asked = back_end.methods().len();
    camera.tell(&Change::to("PUBLISHING"));
    drop(camera);
    assert!(visit.admit(publish("camera")).await.is_ok(), "nobody is asked");
    drop(visit);
    sleep(Duration::from_millis(100)).await;
    assert_eq!(back_end.methods().len(), asked, "{:?}", back_end.methods());
    assert_eq!(hooks.waiting(), 0);
}

#[tokio::test]
async fn what_waits_for_an_application_that_is_taken_out_has_the_time_of_one_hook() {
    let gone = BackEnd::start(|_| status(200)).await;
    let (hooks, gates) = with(settings(&[("defaultApp", gone.url())]));
    let admission = play_once(&gates).await.unwrap();
    drop(gone);
    for _ in 0..5 {
        admission.tell(&Change::to("PLAYING"));
    }
    until("the events wait", || hooks.waiting() == 5).await;
    change(&hooks, settings(&[]));
    let dropped = || hooks.figures().get(Method::StreamStatusEvent, Outcome::Dropped);
    until("the events are given up", || dropped() == 5).await;
    hooks.stop().await;
}

#[tokio::test]
async fn what_waits_goes_to_where_the_application_is_now_and_is_signed_with_its_key_of_now() {
    let gone = BackEnd::start(|_| status(200)).await;
    let (hooks, gates) = with(settings(&[("defaultApp", gone.url())]));
    let admission = play_once(&gates).await.unwrap();
    drop(gone);
    admission.tell(&Change::to("PLAYING"));
    until("the event waits", || hooks.waiting() == 1).await;
    let here = BackEnd::start(|_| status(200)).await;
    let secret_key = Some(headwater_access::Secret::new("another key"));
    change(&hooks, Settings { secret_key, ..settings(&[("defaultApp", here.url())]) });
    let told = here.wait_for("StreamStatusEvent", 1).await.remove(0);
    assert!(told.headers.contains_key(SIGNATURE));
    drop(admission);
    here.wait_for("stopStream", 1).await;
    assert!(!here.methods().contains(&"playStream".to_owned()), "nobody is asked twice");
}

#[tokio::test]
async fn clients_of_an_application_that_is_gone_are_asked_about_by_those_there_are() {
    let (one, other) = (BackEnd::start(|_| status(200)).await, BackEnd::start(|_| status(200)).await);
    let (hooks, gates) = with(settings(&[("defaultApp", one.url())]));
    let visit = gates.connect(&page("s")).await.unwrap();
    change(&hooks, settings(&[("shop", other.url())]));
    let refused = visit.admit(publish("camera")).await.unwrap_err();
    assert_eq!(refused.why, Why::Forbidden, "it names an application that is not there");
    change(&hooks, settings(&[("shop", other.url()), ("defaultApp", other.url())]));
    assert!(visit.admit(publish("camera")).await.is_ok());
    other.wait_for("connect", 1).await;
    assert!(!one.methods().contains(&"publishStream".to_owned()));
}
