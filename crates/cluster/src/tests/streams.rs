//! Who has which stream.

use headwater_media::limits;

use super::ground::{Seat, facts, id, stream, until};
use crate::{Conflict, Load, Role, StreamFacts};

async fn pair(last: u8, roles: [Role; 2]) -> [Seat; 2] {
    let a = Seat::start(last, "a", roles[0], |settings| settings.groups = vec!["EU".into()]).await;
    let b = Seat::start(last + 1, "b", roles[1], |settings| settings.entry = vec![a.url()]).await;
    until("they know each other", || a.active() == ["b"] && b.active() == ["a"]).await;
    [a, b]
}

#[tokio::test]
async fn a_stream_is_known_soon_and_its_end_too() {
    let [a, b] = pair(20, [Role::Origin, Role::Edge]).await;
    let mut changes = b.cluster.changes();
    let keys = vec!["key 1".to_owned()];
    a.cluster.announce(
        &stream("live/camera"),
        StreamFacts { published_ms: 7, keys: keys.clone(), ..StreamFacts::default() },
    );
    let time = until("it is known", || b.places("live/camera") == ["a"]).await;
    println!("a new stream was known after {time:?}");
    assert!(changes.has_changed().unwrap());
    let found = b.cluster.locate(&stream("live/camera"));
    assert_eq!(
        found.first().map(|place| &place.facts),
        Some(&StreamFacts { published_ms: 7, keys, ..StreamFacts::default() })
    );
    assert_eq!(found.first().map(|place| place.node.media.as_str()), Some("ws://127.0.84.20:8080"));
    changes.mark_unchanged();

    a.cluster.announce(&stream("live/camera"), facts(7, 0));
    until("its keys are gone", || {
        b.cluster.locate(&stream("live/camera")).iter().all(|place| place.facts.keys.is_empty())
    })
    .await;
    b.cluster.announce(&stream("live/camera"), facts(7, 1));
    until("the edge has it too", || a.places("live/camera") == ["b"]).await;
    assert_eq!(b.places("live/camera"), ["a"]);

    a.cluster.withdraw(&stream("live/camera"));
    let time = until("it is gone", || b.places("live/camera").is_empty()).await;
    println!("the end of a stream was known after {time:?}");
}

#[tokio::test]
async fn load_is_known_and_a_busy_node_comes_last() {
    let [a, b] = pair(22, [Role::Origin, Role::Origin]).await;
    let c = Seat::start(24, "c", Role::Edge, |settings| {
        // Neither of the others is of its groups.
        (settings.entry, settings.groups) = (vec![a.url()], vec!["US".into()]);
    })
    .await;
    for seat in [&a, &b] {
        // An edge that fetched it from elsewhere, as far as the order goes.
        seat.cluster.announce(&stream("camera"), facts(1, 1));
    }
    until("both have it", || c.places("camera") == ["a", "b"]).await;
    a.cluster.set_load(Load { viewers: 5, cpu_permille: 900, ..Load::default() });
    until("the less loaded comes first", || c.places("camera") == ["b", "a"]).await;
    b.cluster.set_load(Load { accepts: false, ..Load::default() });
    until("who takes no more comes last", || c.places("camera") == ["a", "b"]).await;
}

#[tokio::test]
async fn attack_n1_a_node_tells_only_what_its_role_lets_it() {
    let [a, b] = pair(25, [Role::Edge, Role::Transcoder]).await;
    a.cluster.announce(&stream("published-at-an-edge"), facts(1, 0));
    a.cluster.announce(&stream("fetched"), facts(1, 1));
    a.cluster.announce(&stream("far"), facts(1, 4));
    b.cluster.announce(&stream("transcoded"), facts(1, 1));
    until("what may be told is known", || b.places("fetched") == ["a"]).await;
    assert_eq!(b.cluster.streams().len(), 1);
    assert_eq!(a.cluster.streams().len(), 1);
}

#[tokio::test]
async fn attack_n3_of_two_publishers_of_one_name_the_earlier_keeps_it_and_the_later_is_told() {
    let [a, b] = pair(27, [Role::Origin, Role::Origin]).await;
    let c = Seat::start(29, "c", Role::Edge, |settings| settings.entry = vec![a.url()]).await;
    until("the edge is there", || c.active().len() == 2 && a.active().len() == 2).await;
    let (mut at_a, mut at_b) = (a.cluster.conflicts(), b.cluster.conflicts());
    let [later, same] = [stream("later"), stream("same")];
    a.cluster.announce(&later, facts(2_000, 0));
    b.cluster.announce(&later, facts(1_999, 0));
    let told = at_a.recv().await.unwrap();
    assert_eq!(told, Conflict { stream: later.clone(), owner: id("b"), published_ms: 1_999 });
    until("the edge prefers the owner", || c.places("later") == ["b", "a"]).await;
    // Nobody has ended it: it is told again.
    assert_eq!(at_a.recv().await.unwrap(), told);
    a.cluster.withdraw(&later);

    a.cluster.announce(&same, facts(3_000, 0));
    b.cluster.announce(&same, facts(3_000, 0));
    assert_eq!(at_b.recv().await.unwrap().owner, id("a"));
    assert!(at_a.try_recv().is_err());
}

#[tokio::test]
async fn nodes_whose_clocks_are_an_hour_apart_know_each_others_tokens_and_agree_on_owners() {
    let a = Seat::start(30, "a", Role::Origin, |_| {}).await;
    let listener = super::ground::listen(31).await;
    let b = Seat::start_at(listener, "b", Role::Edge, 3_600_000, |settings| settings.entry = vec![a.url()]);
    let listener = super::ground::listen(32).await;
    let c = Seat::start_at(listener, "c", Role::Origin, -3_600_000, |settings| settings.entry = vec![a.url()]);
    let seats = [&a, &b, &c];
    until("all know each other", || seats.iter().all(|seat| seat.active().len() == 2)).await;
    until("all are linked", || seats.iter().all(|seat| seat.cluster.statistics().links == 2)).await;
    for (from, to) in [(&a, &b), (&b, &a), (&c, &b), (&b, &c)] {
        let claim = to.cluster.recognise(&from.cluster.token()).expect("a token is known");
        assert!(to.active().contains(&claim.node.to_string()));
    }
    let mut told = a.cluster.conflicts();
    for seat in [&a, &c] {
        seat.cluster.announce(&stream("camera"), facts(seat.cluster.now_ms(), 0));
    }
    assert_eq!(told.recv().await.unwrap().owner, id("c"));
    until("the edge agrees", || b.places("camera") == ["c", "a"]).await;
}

#[tokio::test]
async fn attack_n4_ten_thousand_names_of_one_node_are_known_and_no_more() {
    let [a, b] = pair(33, [Role::Origin, Role::Edge]).await;
    let most = limits::CLUSTER_STREAMS_PER_NODE.get_usize();
    let hits = limits::CLUSTER_STREAMS_PER_NODE.hits();
    for number in 0..most + 5 {
        a.cluster.announce(&stream(&format!("live/camera-{number}")), facts(number as u64, 0));
    }
    let time = until("all are known", || b.cluster.streams().len() == most).await;
    let bytes = a.cluster.statistics().sent_bytes;
    println!("{most} names were known after {time:?}; {bytes} bytes sent");
    assert!(limits::CLUSTER_STREAMS_PER_NODE.hits() >= hits + 5);
    for number in 0..most {
        a.cluster.withdraw(&stream(&format!("live/camera-{number}")));
    }
    until("none is left", || b.cluster.streams().is_empty()).await;
}

#[tokio::test]
async fn a_gossip_that_fails_begins_anew_with_what_the_node_has() {
    let [a, b] = pair(36, [Role::Origin, Role::Edge]).await;
    a.cluster.announce(&stream("camera"), facts(1, 0));
    until("it is known", || b.places("camera") == ["a"]).await;
    let node = a.cluster.node();
    let before = node.generation();
    // Takes away what the gossip hears by.
    drop(node.switch.open_inbox());
    until("it has begun anew", || node.generation() > before).await;
    a.cluster.announce(&stream("other"), facts(2, 0));
    until("all is known again", || b.places("camera") == ["a"] && b.places("other") == ["a"]).await;
    until("both ways", || a.active() == ["b"]).await;
}
