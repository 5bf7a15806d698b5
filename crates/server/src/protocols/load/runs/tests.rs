use std::time::Duration;

use headwater_load::{Reason, SourcePlan, TaskPlan};
use headwater_net::Reach;
use serde_json::json;

use super::*;

fn runs(allowed: &[&str]) -> Runs {
    let dialer = Dialer::new(Reach::only(allowed.iter().copied()).unwrap(), None).unwrap();
    Runs::new(allowed.iter().map(ToString::to_string).collect(), None, dialer)
}

/// Agents that play where nobody listens, and try again until they are told to leave.
fn order(name: &str, host: &str, count: u32) -> LoadOrder {
    let target = format!("http://{host}:1/camera/whep?token=hidden");
    let task = json!({ "what": "play", "target": target, "count": count, "rate": 100, "churn": 10 });
    serde_json::from_value(json!({ "uri": name, "tasks": [task], "holdS": 60 })).unwrap()
}

async fn wait(what: &str, mut is_so: impl FnMut() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting).await.expect(what);
}

#[tokio::test]
async fn load_goes_nowhere_unless_it_is_allowed_and_the_refusal_names_the_key() {
    for (allowed, host) in
        [(&[][..], "127.0.0.1"), (&["10.0.0.0/8"][..], "127.0.0.1"), (&["127.0.0.0/8"][..], "8.8.8.8")]
    {
        let runs = runs(allowed);
        let refused = runs.start(order("load://a", host, 1)).await.unwrap_err();
        assert!(
            matches!(&refused, LoadRefused::Forbidden(words) if words.contains("`allowed` in [load]")),
            "{refused:?}"
        );
        assert!(runs.list().is_empty());
    }
}

#[tokio::test]
async fn orders_that_make_no_sense_are_refused() {
    let runs = runs(&["127.0.0.0/8"]);
    let mut dance = order("load://a", "127.0.0.1", 1);
    dance.tasks[0].target = "gopher://127.0.0.1/a".into();
    let none = LoadOrder { tasks: Vec::new(), ..order("load://a", "127.0.0.1", 1) };
    let many = order("load://a", "127.0.0.1", u32::MAX);
    let named = |name: &str| order(name, "127.0.0.1", 1);
    let user = order("load://a", "user:password@127.0.0.1", 1);
    let long = format!("load://{}", "a".repeat(65));
    for order in [dance, none, many, named("evening"), named("load://"), named("load://a/b"), named(&long), user] {
        let refused = runs.start(order).await.unwrap_err();
        assert!(matches!(refused, LoadRefused::Order(_)), "{refused:?}");
    }
}

#[tokio::test]
async fn runs_have_names_of_their_own_a_limit_and_end_when_told() {
    let runs = runs(&["127.0.0.0/8"]);
    let begun = runs.start(order("load://a", "127.0.0.1", 3)).await.unwrap();
    assert!(!begun.tasks[0].target.contains("hidden"), "{begun:?}");
    let taken = runs.start(order("load://a", "127.0.0.1", 1)).await.unwrap_err();
    assert!(matches!(taken, LoadRefused::NameTaken(_)), "{taken:?}");
    let rest = order("load://b", "127.0.0.1", u32::try_from(limits::LOAD_AGENTS.get() - 2).unwrap());
    assert!(matches!(runs.start(rest).await.unwrap_err(), LoadRefused::TooMany(_)));
    wait("failures are counted", || {
        let tasks = runs.results("load://a").unwrap().run.tasks;
        tasks[0].failures.iter().any(|failure| failure.reason == Reason::ConnectionRefused && failure.count >= 3)
    })
    .await;
    for number in 1..limits::LOAD_RUNS.get() {
        runs.start(order(&format!("load://more-{number}"), "127.0.0.1", 1)).await.unwrap();
    }
    let refused = runs.start(order("load://one-more", "127.0.0.1", 1)).await.unwrap_err();
    assert!(matches!(refused, LoadRefused::TooMany(_)), "{refused:?}");
    assert!(runs.terminate("load://nobody").is_none());
    runs.terminate("load://a").unwrap();
    wait("the run is over", || runs.results("load://a").is_some_and(|found| found.run.state == "DONE")).await;
    wait("its place is free", || runs.going_on().0 as u64 == limits::LOAD_RUNS.get() - 1).await;
    runs.start(order("load://a", "127.0.0.1", 1)).await.unwrap();
    tokio::time::timeout(Duration::from_secs(20), runs.stop()).await.unwrap();
    assert!(runs.list().is_empty());
}

#[tokio::test]
async fn kinds_are_those_that_orders_are_taken_of() {
    let runs = runs(&["127.0.0.0/8"]);
    let abilities = runs.abilities();
    assert_eq!(abilities.allowed, ["127.0.0.0/8"]);
    let kinds: Vec<_> = abilities.kinds.iter().map(|kind| (kind.what, kind.protocol)).collect();
    for expected in
        [("play", "WHEP"), ("publish", "WHIP"), ("pairs", "WHIP and WHEP"), ("websocket", "session protocol")]
    {
        assert!(kinds.contains(&expected), "{expected:?} of {kinds:?}");
    }
    for kind in abilities.kinds {
        let target = [("{http}", "http://127.0.0.1:1"), ("{ws}", "ws://127.0.0.1:1"), ("{rtmp}", "rtmp://127.0.0.1:1")];
        let target =
            target.iter().fold(kind.target.replace("{name}", "a"), |url, (hole, with)| url.replace(hole, with));
        let mut order = order("load://kind", "127.0.0.1", 1);
        let stream = kind.takes_stream.then(|| "a".to_owned());
        let what = serde_json::from_value(json!(kind.what)).unwrap();
        order.tasks[0] = TaskPlan { what, target, stream, churn: 0.0, ..order.tasks[0].clone() };
        order.source = SourcePlan { width: 64, height: 64, bitrate: 50_000, ..SourcePlan::default() };
        let begun = runs.start(order).await;
        assert!(begun.is_ok(), "{} by {}: {begun:?}", kind.what, kind.protocol);
        runs.terminate("load://kind");
        wait("it is over", || runs.going_on().0 == 0).await;
    }
}
