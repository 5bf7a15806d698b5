//! Nodes find each other, lose each other and find each other again.

use std::time::Duration;

use headwater_access::Secret;

use super::ground::{Seat, facts, id, listen, settings, stream, until};
use crate::{ClusterError, NodeState, RemoveError, Role};

#[tokio::test]
async fn nodes_that_know_one_entry_point_find_all_others_over_one_link_each() {
    let a = Seat::start(1, "a", Role::Origin, |_| {}).await;
    let entry = vec![a.url()];
    let b = Seat::start(2, "b", Role::Edge, |settings| settings.entry.clone_from(&entry)).await;
    let c = Seat::start(3, "c", Role::Transcoder, |settings| settings.entry.clone_from(&entry)).await;
    let seats = [&a, &b, &c];
    let time = until("three nodes know each other", || seats.iter().all(|seat| seat.active().len() == 2)).await;
    until("one link for each pair", || seats.iter().all(|seat| seat.cluster.statistics().links == 2)).await;
    println!("three nodes knew each other after {time:?}");
    let nodes = b.cluster.nodes();
    let seen = nodes.iter().find(|node| node.id == id("c")).unwrap();
    assert_eq!((seen.role, &seen.url, seen.version.as_str()), (Role::Transcoder, &c.url(), "test"));
    assert_eq!(b.active(), ["a", "c"]);
}

#[tokio::test]
async fn a_node_whose_entry_point_is_down_waits_for_it_and_is_found() {
    let late = listen(4).await;
    let address = late.local_addr().unwrap();
    drop(late);
    let b = Seat::start(5, "b", Role::Edge, |settings| settings.entry = vec![format!("ws://{address}")]).await;
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert!(b.active().is_empty());
    let late = tokio::net::TcpListener::bind(address).await.unwrap();
    let a = Seat::start_at(late, "a", Role::Origin, 0, |_| {});
    let time = until("both know each other", || a.active() == ["b"] && b.active() == ["a"]).await;
    println!("an entry point that came late was found after {time:?}");
}

#[tokio::test]
async fn a_node_that_is_killed_is_passive_soon_and_taken_back_when_it_returns() {
    let a = Seat::start(6, "a", Role::Origin, |_| {}).await;
    let entry = vec![a.url()];
    let b = Seat::start(7, "b", Role::Origin, |settings| settings.entry.clone_from(&entry)).await;
    b.cluster.announce(&stream("camera"), facts(1, 0));
    until("the stream is known", || a.places("camera") == ["b"]).await;
    assert_eq!(a.cluster.remove(&id("b")), Err(RemoveError::Active));
    assert_eq!(a.cluster.remove(&id("nobody")), Err(RemoveError::NotFound));

    let address = b.kill().await;
    let time = until("it is passive", || a.active().is_empty()).await;
    println!("a node that was killed was passive after {time:?}");
    assert_eq!(a.cluster.nodes().first().map(|node| node.state), Some(NodeState::Passive));
    assert!(a.places("camera").is_empty());
    assert_eq!(a.cluster.remove(&id("b")), Ok(()));
    assert!(a.cluster.nodes().is_empty());

    let again = tokio::net::TcpListener::bind(address).await.unwrap();
    let b = Seat::start_at(again, "b", Role::Origin, 0, |settings| settings.entry = entry);
    until("it is taken back", || a.active() == ["b"]).await;
    assert!(a.places("camera").is_empty());
    b.cluster.announce(&stream("other"), facts(2, 0));
    until("what it has now is known", || a.places("other") == ["b"]).await;
}

#[tokio::test]
async fn a_passive_node_is_dialled_until_it_returns_and_forgotten_after_its_time() {
    let a = Seat::start(8, "a", Role::Origin, |settings| settings.forget_after = Some(Duration::from_secs(6))).await;
    let b = Seat::start(9, "b", Role::Origin, |settings| settings.entry = vec![a.url()]).await;
    until("they know each other", || a.active() == ["b"]).await;
    let address = b.kill().await;
    until("it is passive", || a.active().is_empty()).await;
    // It knows no entry point now: the other has to find it.
    let b = Seat::start_at(tokio::net::TcpListener::bind(address).await.unwrap(), "b", Role::Origin, 0, |_| {});
    until("it is found", || a.active() == ["b"] && b.active() == ["a"]).await;
    b.kill().await;
    until("it is passive", || a.active().is_empty()).await;
    until("it is forgotten", || a.cluster.nodes().is_empty()).await;
}

#[tokio::test]
async fn a_node_that_stops_says_so_and_is_passive_at_once() {
    let a = Seat::start(10, "a", Role::Origin, |_| {}).await;
    let b = Seat::start(11, "b", Role::Edge, |settings| settings.entry = vec![a.url()]).await;
    until("they know each other", || a.active() == ["b"] && b.active() == ["a"]).await;
    let begun = std::time::Instant::now();
    b.cluster.stop().await;
    let took = begun.elapsed();
    let time = until("it is passive", || a.active().is_empty()).await;
    println!("stopping took {took:?}; the node was passive {time:?} after that");
    assert!(time < Duration::from_millis(900), "it was not the goodbye that made it passive: {time:?}");
}

#[tokio::test]
async fn of_two_nodes_with_one_name_the_later_is_refused() {
    let a = Seat::start(12, "a", Role::Origin, |_| {}).await;
    let entry = vec![a.url()];
    let first = Seat::start(13, "twin", Role::Origin, |settings| settings.entry.clone_from(&entry)).await;
    until("the first is there", || a.active() == ["twin"]).await;
    let second = Seat::start(14, "twin", Role::Origin, |settings| settings.entry.clone_from(&entry)).await;
    second.cluster.announce(&stream("stolen"), facts(1, 0));
    until("the second is refused twice", || a.cluster.statistics().refused >= 2).await;
    let seen = a.cluster.nodes();
    assert_eq!((seen.len(), seen.first().map(|node| node.url.clone())), (1, Some(first.url())));
    assert!(second.active().is_empty() && a.places("stolen").is_empty());

    first.kill().await;
    until("the second takes the place", || a.places("stolen") == ["twin"]).await;
}

#[tokio::test]
async fn a_node_that_reaches_itself_leaves_it_at_that() {
    let listener = listen(15).await;
    let own = format!("ws://{}", listener.local_addr().unwrap());
    let a = Seat::start_at(listener, "a", Role::Origin, 0, |settings| settings.entry = vec![own]);
    until("it has tried", || a.cluster.statistics().refused == 1).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let statistics = a.cluster.statistics();
    assert_eq!((statistics.refused, statistics.links_opened), (1, 0));
    assert!(a.cluster.nodes().is_empty());
}

#[tokio::test]
async fn only_addresses_that_are_allowed_become_links() {
    let a =
        Seat::start(16, "a", Role::Origin, |settings| settings.allow = vec!["127.0.84.99".into(), "10.0.0.0/8".into()])
            .await;
    let b = Seat::start(17, "b", Role::Edge, |settings| settings.entry = vec![a.url()]).await;
    until("it is refused", || a.cluster.statistics().refused >= 2).await;
    assert!(a.active().is_empty() && b.active().is_empty());
}

#[test]
fn settings_that_cannot_work_are_refused_in_words() {
    let check = |change: &dyn Fn(&mut crate::Settings), expected: Option<ClusterError>| {
        let mut settings = settings("a", Role::Origin, "127.0.0.1:8084".parse().unwrap());
        change(&mut settings);
        assert_eq!(settings.check().err(), expected);
    };
    check(&|_| {}, None);
    check(&|s| s.secret = Secret::new("too short"), Some(ClusterError::WeakSecret));
    let plain = "ws://10.0.0.1:8084".to_owned();
    check(&|s| s.url = "ws://10.0.0.1:8084".into(), Some(ClusterError::PlainUrl(plain.clone())));
    check(&|s| s.entry = vec!["ws://10.0.0.1:8084".into()], Some(ClusterError::PlainUrl(plain.clone())));
    check(&|s| (s.entry, s.plain) = (vec!["ws://10.0.0.1:8084".into()], true), None);
    check(&|s| s.entry = vec!["wss://a.example:8084".into(), "ws://[::1]:1".into()], None);
    for bad in ["http://a.example", "ws://", "a.example:8084", "wss://user@a.example", ""] {
        check(&|s| s.entry = vec![bad.into()], Some(ClusterError::BadUrl(bad.into())));
    }
    check(&|s| s.groups = vec!["EU".into(), "a b".into()], Some(ClusterError::BadGroup("a b".into())));
    check(
        &|s| s.allow = vec!["10.0.0.0/8".into(), "::1".into(), "x".into()],
        Some(ClusterError::BadNetwork("x".into())),
    );
}
