//! Clients that are no nodes, or bad ones.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use super::{
    ground::{SECRET, Seat, until},
    raw::{Raw, greeting},
};
use crate::Role;

async fn origin(last: u8) -> Seat {
    Seat::start(last, "a", Role::Origin, |_| {}).await
}

#[tokio::test]
async fn attack_n1_who_does_not_know_the_secret_learns_nothing_and_becomes_no_link() {
    let a = origin(50).await;
    let mut raw = Raw::connect(a.address).await;
    raw.prove("another secret of 16", greeting("b")).await;
    assert_eq!(raw.hear_close().await, 4401);
    let mut raw = Raw::connect(a.address).await;
    let challenge = raw.hear_text().await;
    let fields: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&challenge).unwrap();
    assert_eq!(fields.keys().collect::<Vec<_>>(), ["nonce", "oldest", "version"]);
    let statistics = a.cluster.statistics();
    assert_eq!((statistics.links_opened, statistics.refused), (0, 1));
}

#[tokio::test]
async fn attack_n1_a_handshake_that_is_replayed_proves_nothing() {
    let a = origin(51).await;
    let mut raw = Raw::connect(a.address).await;
    let said = raw.prove(SECRET, greeting("b")).await;
    raw.hear_text().await;
    until("it is linked", || a.cluster.statistics().links == 1).await;
    let mut again = Raw::connect(a.address).await;
    again.hear_text().await;
    again.say(Message::text(said)).await;
    assert_eq!(again.hear_close().await, 4401);
    assert_eq!(a.cluster.statistics().links_opened, 1);
}

#[tokio::test]
async fn attack_n1_who_has_the_name_of_the_node_itself_is_refused() {
    let a = origin(52).await;
    let mut raw = Raw::connect(a.address).await;
    raw.prove(SECRET, greeting("a")).await;
    assert_eq!(raw.hear_close().await, 4409);
}

#[tokio::test]
async fn attack_n4_a_version_that_is_not_understood_is_refused_and_a_newer_one_that_speaks_this_is_linked() {
    let a = origin(53).await;
    for (version, oldest, linked) in [(0, 0, false), (2, 2, false), (2, 1, true)] {
        let mut raw = Raw::connect(a.address).await;
        let mut greeting = greeting(&format!("b{version}{oldest}"));
        (greeting["version"], greeting["oldest"]) = (json!(version), json!(oldest));
        greeting["what a later version may say"] = json!(true);
        raw.prove(SECRET, greeting).await;
        if linked {
            raw.hear_gossip().await;
        } else {
            assert_eq!(raw.hear_close().await, 4406, "{version} {oldest}");
        }
    }
}

#[tokio::test]
async fn attack_n4_garbage_instead_of_a_handshake_is_refused() {
    let a = origin(54).await;
    for garbage in [
        Message::text("{}"),
        Message::text("x".repeat(5_000)),
        Message::binary(vec![0; 100]),
        Message::text(json!({ "greeting": "{}", "proof": "" }).to_string()),
        Message::text(json!({ "greeting": ["a"], "proof": 1 }).to_string()),
    ] {
        let mut raw = Raw::connect(a.address).await;
        raw.hear_text().await;
        raw.say(garbage.clone()).await;
        assert!([1002, 4401].contains(&raw.hear_close().await), "{garbage:?}");
    }
    // What is signed and makes no sense: a name that no node can have.
    for (field, value) in
        [("node", json!("a b")), ("node", json!("")), ("role", json!("king")), ("generation", json!(-1))]
    {
        let mut raw = Raw::connect(a.address).await;
        let mut greeting = greeting("b");
        greeting[field] = value;
        raw.prove(SECRET, greeting).await;
        assert_eq!(raw.hear_close().await, 1002, "{field}");
    }
    assert_eq!(a.cluster.statistics().links_opened, 0);
}

#[tokio::test]
async fn attack_n4_who_says_nothing_is_closed() {
    let a = origin(55).await;
    let mut raw = Raw::connect(a.address).await;
    let begun = Instant::now();
    raw.hear_text().await;
    raw.hear_close().await;
    assert!(begun.elapsed() > Duration::from_secs(4), "{:?}", begun.elapsed());
    assert_eq!(a.cluster.statistics().refused, 1);
}

#[tokio::test]
async fn attack_n4_a_link_on_which_garbage_comes_is_closed_and_the_others_stay() {
    let a = origin(56).await;
    let b = Seat::start(57, "b", Role::Edge, |settings| settings.entry = vec![a.url()]).await;
    until("they know each other", || a.active() == ["b"]).await;
    let mut gossip = Raw::linked(a.address, "c").await;
    let real = gossip.hear_gossip().await;
    for (garbage, code) in [
        (Message::binary(vec![7; 100]), 1008),
        (Message::binary(Vec::new()), 1008),
        (Message::text("what"), 1008),
        (Message::binary(real.get(..real.len() / 2).unwrap().to_vec()), 1008),
        (Message::binary(vec![0; 80 << 10]), 1009),
    ] {
        let mut raw = Raw::linked(a.address, "d").await;
        raw.say(garbage).await;
        assert_eq!(raw.hear_close().await, code);
    }
    let statistics = a.cluster.statistics();
    assert_eq!((statistics.malformed, statistics.oversized), (4, 1));
    assert_eq!(a.active(), ["b"]);
    assert_eq!(b.active(), ["a"]);
}

#[tokio::test]
async fn attack_n4_a_flood_of_messages_ends_its_link() {
    let a = origin(58).await;
    let mut raw = Raw::linked(a.address, "b").await;
    let message = raw.hear_gossip().await;
    let flood = async {
        for _ in 0..6_000 {
            raw.say(Message::binary(message.clone())).await;
        }
        raw.hear_close().await
    };
    let code = tokio::time::timeout(Duration::from_secs(30), flood).await.unwrap();
    assert!([0, 1008].contains(&code), "{code}");
    until("the link is closed", || a.cluster.statistics().links == 0).await;
    assert!(a.cluster.statistics().received <= 2_001);
}
