//! Whose turn it is to be dialled, and when it is again.

use super::*;

fn targets(count: u64) -> BTreeMap<String, Target> {
    let target = |number: u64| {
        // The names of those that wait the longest come last.
        let next = Instant::now() - Duration::from_millis(number + 1);
        let url: Url = format!("ws://node-{number:03}:8084/cluster").parse().unwrap();
        (url.to_string(), Target { url, node: None, failures: 0, failing_since: None, next, is_busy: false })
    };
    (0..count).map(target).collect()
}

#[tokio::test(start_paused = true)]
async fn of_many_that_do_not_answer_each_has_its_turn_and_only_some_are_dialled_at_once() {
    tokio::time::advance(Duration::from_secs(60)).await;
    let mut targets = targets(200);
    let mut dialled = BTreeMap::<String, u32>::new();
    // Half a minute: each try takes the time that a try has, and each fails.
    for _ in 0..15 {
        let chosen = due(&mut targets, |_| false);
        assert!(chosen.len() <= AT_ONCE, "{} at once", chosen.len());
        assert!(due(&mut targets, |_| false).is_empty(), "more than may be dialled at once");
        tokio::time::advance(limits::CLUSTER_DIAL_MS.get_duration()).await;
        for (name, _) in chosen {
            *dialled.entry(name.clone()).or_default() += 1;
            settle(&mut targets, Outcome { target: name, node: None, lasted: Duration::ZERO, is_myself: false });
        }
    }
    assert_eq!(dialled.len(), 200, "some never had their turn");
    assert!(dialled.values().all(|count| (2..=3).contains(count)), "{dialled:?}");
}

#[tokio::test(start_paused = true)]
async fn a_node_is_tried_every_second_for_ten_minutes_and_then_less_often() {
    tokio::time::advance(Duration::from_secs(60)).await;
    let mut targets = targets(1);
    let name = targets.keys().next().unwrap().clone();
    let mut fail = || {
        settle(&mut targets, Outcome { target: name.clone(), node: None, lasted: Duration::ZERO, is_myself: false });
        targets[&name].next - Instant::now()
    };
    let begun = Instant::now();
    while begun.elapsed() < EXPECTED {
        let wait = fail();
        assert!((500..=1_000).contains(&wait.as_millis()), "{wait:?}");
        tokio::time::advance(wait).await;
    }
    let wait = fail();
    assert!((5_000..=10_000).contains(&wait.as_millis()), "{wait:?}");
}
