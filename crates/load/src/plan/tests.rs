use std::time::Duration;

use super::*;

const PLAN: &str = r#"
name = "fifty"
hold_s = 5

[source]
width = 640
height = 360

[[task]]
what = "publish"
target = "http://127.0.0.1:8080/load-{i}/whip"
count = 5

[[task]]
what = "play"
target = "http://127.0.0.1:8080/load-{i}/whep?x=1"
count = 50
streams = 5
rate = 25.0
token = "very-secret"

[expect]
loss_max = 0.001
"#;

fn bounds() -> Bounds {
    Bounds { agents_max: 100, rate_max: 100.0, time_max: Duration::from_secs(3_600) }
}

#[test]
fn a_run_file_is_read_and_checked() {
    let plan = Plan::from_toml(PLAN).unwrap();
    plan.check(&bounds()).unwrap();
    assert_eq!(plan.agents(), 55);
    assert_eq!((plan.source.width, plan.source.frame_rate, plan.source.bitrate), (640, 30, 2_000_000));
    let viewers = &plan.tasks[1];
    assert_eq!(viewers.pause(), Duration::from_millis(40));
    let urls = [0, 4, 5, 49].map(|agent| Target::of(viewers, agent).unwrap().url.to_string());
    assert_eq!(urls, [1, 5, 1, 5].map(|n| format!("http://127.0.0.1:8080/load-{n}/whep?x=1")));
    let target = Target::of(viewers, 0).unwrap();
    assert_eq!((target.protocol, target.place(), target.is_secure()), (Protocol::Whep, ("127.0.0.1", 8_080), false));
    assert_eq!(target.token().as_deref(), Some("very-secret"));
}

#[test]
fn json_says_the_same() {
    let plan = Plan::from_toml(PLAN).unwrap();
    let json = serde_json::to_string(&plan).unwrap();
    assert_eq!(Plan::from_json(&json).unwrap(), plan);
    let camel = r#"{"name":"x","holdS":1,"tasks":[{"what":"play","target":"http://h/s/whep","count":1,"rampS":2}],
        "expect":{"lossMax":0.5,"firstPictureP95Ms":10}}"#;
    let plan = Plan::from_json(camel).unwrap();
    assert_eq!((plan.hold_s, plan.tasks[0].ramp_s, plan.expect.loss_max), (1.0, Some(2.0), Some(0.5)));
}

#[test]
fn secrets_are_not_shown() {
    let plan = Plan::from_toml(PLAN).unwrap();
    assert!(!format!("{plan:?}").contains("very-secret"));
    assert_eq!(plan.tasks[1].shown(), "http://127.0.0.1:8080/load-{i}/whep");
}

/// Changes the plan, and yields what is said of it.
fn refused(change: impl FnOnce(&mut Plan)) -> String {
    let mut plan = Plan::from_toml(PLAN).unwrap();
    change(&mut plan);
    plan.check(&bounds()).unwrap_err().to_string()
}

#[test]
fn what_cannot_be_run_is_refused_and_where_it_stands_is_said() {
    type Change = fn(&mut Plan);
    let cases: [(Change, &str); 19] = [
        (|plan| plan.tasks.clear(), "no task"),
        (|plan| plan.tasks[1].count = 500, "the number of agents is 505, and no more than 100"),
        (|plan| plan.tasks[1].count = 0, "task[1].count or .streams is 0"),
        (|plan| plan.tasks[1].rate = 200.0, "task[1].rate is"),
        (|plan| plan.tasks[1].rate = 0.0, "task[1].rate is 0; it has to be above zero"),
        (|plan| plan.tasks[1].rate = f64::NAN, "task[1].rate is NaN"),
        (|plan| plan.tasks[1].ramp_s = Some(0.0), "task[1].rate is inf"),
        (|plan| plan.tasks[1].churn = 1_000.0, "task[1].churn is 1000"),
        (|plan| plan.hold_s = -1.0, "hold_s is -1"),
        (|plan| plan.hold_s = 1e9, "the length of the run"),
        (|plan| plan.tasks[0].target = "http://127.0.0.1/one/whip".into(), "task[0]: publishers need a name each"),
        (|plan| plan.tasks[0].streams = Some(2), "task[0]: two publishers cannot share"),
        (|plan| plan.tasks[1].playback = Some("http://h/x".into()), "task[1]: only pairs"),
        (|plan| plan.tasks[1].target = "ftp://h/x".into(), "task[1].target: \"ftp\" is no scheme"),
        (|plan| plan.tasks[1].target = "x".into(), "task[1].target: not a URL"),
        (|plan| plan.tasks[1].target = "ws://127.0.0.1:8080".into(), "say `stream`"),
        (|plan| plan.source.width = 641, "source.width is 641"),
        (|plan| plan.source.frame_rate = 0, "source.frame_rate is 0"),
        (|plan| plan.source.bitrate = 1, "source.bitrate is 1"),
    ];
    for (change, words) in cases {
        let said = refused(change);
        assert!(said.contains(words), "{said:?} does not say {words:?}");
    }
}

#[test]
fn fields_that_nobody_knows_are_refused() {
    for wrong in
        [PLAN.replace("hold_s", "hold"), PLAN.replace("rate =", "speed ="), PLAN.replace("\"play\"", "\"look\"")]
    {
        assert!(matches!(Plan::from_toml(&wrong), Err(PlanError::Syntax(_))), "{wrong}");
    }
}

#[test]
fn every_run_file_of_the_examples_can_be_run() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/load");
    let mut count = 0;
    for file in std::fs::read_dir(folder).unwrap().flatten() {
        let plan = Plan::from_toml(&std::fs::read_to_string(file.path()).unwrap());
        plan.and_then(|plan| plan.check(&Bounds::of_limits())).unwrap_or_else(|error| panic!("{file:?}: {error}"));
        count += 1;
    }
    assert!(count >= 4, "{count} run files");
}
