use axum::{Json, response::IntoResponse};
use headwater_access::{Change, Facts, Why};
use headwater_hooks::{Method, OnError, Outcome, Policy, Settings};
use serde_json::{Value, json};

use crate::{back_end::*, clients::*};

/// Answers `connect` with this configuration, and the others with `answer`.
async fn configured(config: Value, answer: impl Fn(&Hook) -> (u16, Value) + Clone + Send + Sync + 'static) -> BackEnd {
    BackEnd::start(move |hook| {
        if hook.method == "connect" {
            return Json(json!({ "restClientConfig": config })).into_response();
        }
        let (status, body) = answer(&hook);
        (axum::http::StatusCode::from_u16(status).unwrap(), Json(body)).into_response()
    })
    .await
}

#[tokio::test]
async fn a_stream_gets_the_name_that_the_application_gives_it() {
    let config = json!({ "playStream": { "restPolicy": "OVERWRITE", "restOverwrite": "name, record" } });
    let answer = |_: &Hook| (200, json!({ "name": "hidden/1", "record": true, "sessionId": "x", "sdp": "y" }));
    let back_end = configured(config, answer).await;
    let (_, gates) = hooks(&back_end.url());
    let visit = connect(&gates, "s").await;
    let admission = visit.admit(play("camera")).await.unwrap();
    assert_eq!(admission.stream.as_str(), "hidden/1");
    assert_eq!(Value::Object(admission.facts.clone()), json!({ "record": true }));
    admission.tell(&Change { status: "PLAYING".into(), ..Change::default() });
    drop(admission);
    let told = back_end.wait_for("stopStream", 1).await.remove(0);
    assert_eq!((&told.body["name"], &told.body["status"]), (&json!("hidden/1"), &json!("STOPPED")));
    let published = visit.admit(publish("camera")).await.unwrap();
    assert_eq!(published.stream.as_str(), "camera", "publishStream was not to be changed");
}

#[tokio::test]
async fn names_that_are_none_are_refused_and_counted() {
    for name in [json!("../../etc/passwd"), json!(""), json!(7), json!(null), json!("a".repeat(10_000))] {
        for (on_error, expected) in [("FAIL", None), ("LOG", Some("camera"))] {
            let policy = json!({ "restPolicy": "OVERWRITE", "restOverwrite": "name", "restOnError": on_error });
            let answer = json!({ "name": name });
            let back_end = configured(json!({ "playStream": policy }), move |_| (200, answer.clone())).await;
            let (hooks, gates) = hooks(&back_end.url());
            let admitted = connect(&gates, "s").await.admit(play("camera")).await;
            let stream = admitted.as_ref().map(|admission| admission.stream.as_str()).ok();
            assert_eq!(stream, expected, "{name} {on_error}");
            assert_eq!(hooks.figures().get(Method::PlayStream, Outcome::Failed), 1, "{name} {on_error}");
        }
    }
}

#[tokio::test]
async fn an_error_counts_as_the_application_wants_it() {
    let config = json!({
        "playStream": { "restOnError": "LOG" },
        "publishStream": { "restOnError": "FAIL" },
        "OnDataEvent": { "restPolicy": "DISABLE" },
    });
    let back_end = configured(config, |_| (403, json!({}))).await;
    let (_, gates) = hooks(&back_end.url());
    let visit = connect(&gates, "s").await;
    assert!(visit.admit(play("camera")).await.is_ok());
    assert_eq!(visit.admit(publish("camera")).await.unwrap_err().why, Why::Forbidden);
    assert!(visit.ask("OnDataEvent", &Facts::new()).await.is_ok());
    assert_eq!(back_end.methods().iter().filter(|method| *method == "OnDataEvent").count(), 0);
}

#[tokio::test]
async fn data_to_the_application_is_its_to_take() {
    let answer = |hook: &Hook| (if hook.body["payload"]["text"] == "good" { 200 } else { 403 }, json!({}));
    let back_end = configured(json!({}), answer).await;
    let (_, gates) = hooks(&back_end.url());
    let visit = connect(&gates, "s").await;
    for (text, is_taken) in [("good", true), ("bad", false)] {
        let facts = json!({ "operationId": "1", "payload": { "text": text }, "sessionId": "forged" });
        let Value::Object(facts) = facts else { unreachable!() };
        assert_eq!(visit.ask("OnDataEvent", &facts).await.is_ok(), is_taken);
    }
    for hook in back_end.wait_for("OnDataEvent", 2).await {
        assert_eq!((&hook.body["sessionId"], &hook.body["operationId"]), (&json!("s"), &json!("1")));
    }
    assert!(visit.ask("unheardOf", &Facts::new()).await.is_ok());
}

#[tokio::test]
async fn fields_that_are_not_wanted_are_left_out() {
    let config = json!({ "playStream": { "restExclude": "createDate,custom" } });
    let back_end = configured(config, |_| (200, json!({}))).await;
    let (_, gates) = hooks(&back_end.url());
    let _admission = connect(&gates, "s").await.admit(play("camera")).await.unwrap();
    let hook = back_end.wait_for("playStream", 1).await.remove(0);
    assert_eq!((hook.body.get("createDate"), &hook.body["name"]), (None, &json!("camera")));
}

#[tokio::test]
async fn those_who_do_not_connect_are_under_the_rules_of_the_configuration() {
    let back_end = BackEnd::start(|_| Json(json!({ "name": "hidden" }))).await;
    for (policy, expected) in [
        (Policy::default(), "camera"),
        (
            Policy {
                mode: headwater_hooks::Mode::Overwrite,
                overwritten: vec!["name".into()],
                on_error: OnError::Fail,
                ..Policy::default()
            },
            "hidden",
        ),
    ] {
        let applications = vec![application("defaultApp", &back_end.url())];
        let (_, gates) = with(Settings { applications, policy, ..Settings::default() });
        assert_eq!(play_once(&gates).await.unwrap().stream.as_str(), expected);
    }
    assert!(!back_end.methods().contains(&"connect".to_owned()));
}

#[tokio::test]
async fn only_hooks_that_are_wanted_are_sent() {
    let back_end = BackEnd::start(|_| status(403)).await;
    let (hooks, gates) = with(Settings {
        applications: vec![application("defaultApp", &back_end.url())],
        methods: vec![Method::PublishStream, Method::StopStream],
        ..Settings::default()
    });
    let visit = connect(&gates, "s").await;
    drop(visit.admit(play("camera")).await.unwrap());
    assert!(visit.admit(publish("camera")).await.is_err());
    back_end.wait_for("stopStream", 1).await;
    drop(visit);
    hooks.stop().await;
    let mut methods = back_end.methods();
    methods.sort();
    assert_eq!(methods, ["publishStream", "stopStream"]);
    assert_eq!(hooks.figures().get(Method::PublishStream, Outcome::Refused), 1);
}

#[tokio::test]
async fn each_client_has_the_application_that_it_names() {
    let shop = BackEnd::start(|_| status(200)).await;
    let rest = BackEnd::start(|_| status(200)).await;
    let applications = vec![application("shop", &shop.url()), application("defaultApp", &rest.url())];
    let (_, gates) = with(Settings { applications, ..Settings::default() });
    let client = |key: Option<&str>| headwater_access::Client { app_key: key.map(str::to_owned), ..page("s") };
    for (key, is_let_in) in [
        (Some("shop"), true),
        (None, true),
        (Some("flashStreamingApp"), true),
        (Some("Shop"), false),
        (Some("x"), false),
    ] {
        let visit = gates.connect(&client(key)).await;
        assert_eq!(visit.is_ok(), is_let_in, "{key:?}");
    }
    let connected = |back_end: &BackEnd| back_end.methods().iter().filter(|method| *method == "connect").count();
    assert_eq!((connected(&shop), connected(&rest)), (1, 2));
    let hook = shop.wait_for("connect", 1).await.remove(0);
    assert_eq!(hook.body["appKey"], "shop");
}

#[tokio::test]
async fn a_connection_is_told_of_when_it_comes_and_goes() {
    let back_end = BackEnd::start(|_| status(200)).await;
    let (_, gates) = hooks(&back_end.url());
    drop(connect(&gates, "s").await);
    let told = back_end.wait_for("ConnectionStatusEvent", 2).await;
    let statuses: Vec<_> = told.iter().map(|hook| hook.body["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["ESTABLISHED", "DISCONNECTED"]);

    let refusing = BackEnd::start(|_| status(403)).await;
    let (hooks, gates) = hooks_of(&refusing);
    assert!(gates.connect(&page("s")).await.is_err());
    hooks.stop().await;
    assert_eq!(refusing.methods(), ["connect"], "of one that was refused no more is said");
}

fn hooks_of(back_end: &BackEnd) -> (headwater_hooks::Hooks, headwater_access::Gates) {
    hooks(&back_end.url())
}
