use std::net::SocketAddr;

use super::*;

/// Writes messages as `chitchat` does.
struct Writer(Vec<u8>);

impl Writer {
    fn message(kind: u8) -> Writer {
        Writer([&45_139_u16.to_le_bytes()[..], &[0, kind]].concat())
    }

    fn text(mut self, text: &str) -> Writer {
        self.0.extend((text.len() as u16).to_le_bytes());
        self.0.extend(text.bytes());
        self
    }

    fn number(mut self, number: u64) -> Writer {
        self.0.extend(number.to_le_bytes());
        self
    }

    fn byte(mut self, byte: u8) -> Writer {
        self.0.push(byte);
        self
    }

    fn id_at(self, node: &str, generation: u64, address: SocketAddr) -> Writer {
        let mut writer = self.text(node).number(generation).byte(4);
        let SocketAddr::V4(address) = address else { panic!("an address of version 4") };
        writer.0.extend(address.ip().octets());
        writer.0.extend(address.port().to_le_bytes());
        writer
    }

    fn id(self, node: &str) -> Writer {
        let address = address_of(&NodeId::new(node).unwrap());
        self.id_at(node, 5, address)
    }

    fn node(self, node: &str) -> Writer {
        self.byte(0).id(node).number(0).number(0)
    }

    fn entry(self, key: &str, value: &str, version: u64) -> Writer {
        self.byte(1).text(key).text(value).number(version).byte(0)
    }
}

fn operations() -> Writer {
    Writer(Vec::new())
}

/// An ACK with these operations, in blocks of their own kind.
fn ack(operations: &Writer, packed: bool) -> Vec<u8> {
    let mut message = Writer::message(ACK);
    for block in operations.0.chunks(16_384) {
        let bytes = if packed { zstd::bulk::compress(block, 0).unwrap() } else { block.to_vec() };
        message = message.byte(if packed { 1 } else { 2 });
        message.0.extend((bytes.len() as u16).to_le_bytes());
        message.0.extend(bytes);
    }
    message.byte(0).0
}

fn syn(nodes: &[&str], heartbeat: u64) -> Vec<u8> {
    let mut message = Writer::message(SYN);
    message.0.extend((nodes.len() as u16).to_le_bytes());
    for node in nodes {
        message = message.id(node).number(heartbeat).number(0).number(3);
    }
    message.text("headwater").0
}

fn guard() -> Guard {
    let guard = Guard::default();
    guard.0.lock().own = Some((NodeId::new("own").unwrap(), 5));
    guard
}

fn check(message: &[u8], expected: Result<Checked, Malformed>) {
    assert_eq!(guard().check(message), expected);
}

#[test]
fn what_nodes_say_is_good_and_cut_anywhere_is_not() {
    let told = operations().node("b").entry("s/camera", "{}", 1).entry("load", "{}", 7).node("c").byte(2).number(9);
    for message in [syn(&["own", "b", "c"], 17), ack(&told, false), ack(&told, true), Writer::message(BAD_CLUSTER).0] {
        check(&message, Ok(Checked::Good));
        for length in 0..message.len() {
            check(message.get(..length).unwrap(), Err(Malformed));
        }
        check(&[message, vec![0]].concat(), Err(Malformed));
    }
}

#[test]
fn attack_n1_what_only_a_node_itself_may_say_is_malformed() {
    check(&ack(&operations().node("own").entry("s/camera", "{}", 1), false), Err(Malformed));
    let elsewhere = Writer::message(SYN).byte(1).byte(0);
    let address = address_of(&NodeId::new("c").unwrap());
    let message = elsewhere.id_at("b", 5, address).number(1).number(0).number(0).text("headwater").0;
    check(&message, Err(Malformed));
    check(&syn(&["b"], u64::MAX), Err(Malformed));
}

#[test]
fn what_this_node_has_said_itself_is_left_out_and_more_of_it_is_malformed() {
    let guard = guard();
    let own = (Arc::from("own"), 5);
    guard.0.lock().states.insert(own, State { version: 7, entries: 1 });
    let told = |last| operations().node("b").entry("load", "{}", 2).node("own").entry("s/camera", "{}", last);
    assert_eq!(guard.check(&ack(&told(7), false)), Ok(Checked::Stale));
    assert_eq!(guard.check(&ack(&told(6).byte(2).number(7), true)), Ok(Checked::Stale));
    assert_eq!(guard.check(&ack(&told(7).node("c").entry("load", "{}", 900), false)), Ok(Checked::Stale));
    assert_eq!(guard.check(&ack(&told(8), false)), Err(Malformed));
    assert_eq!(guard.check(&ack(&told(6).byte(2).number(8), false)), Err(Malformed));
}

#[test]
fn attack_n4_orders_of_versions_that_would_stop_the_gossip_are_malformed() {
    for told in [
        operations().entry("load", "{}", 1),
        operations().byte(2).number(1),
        operations().node("b").entry("load", "{}", 2).entry("node", "{}", 2),
        operations().node("b").entry("load", "{}", 9).byte(2).number(8),
        operations().node("b").node("b"),
        operations().node("b").entry("load", "{}", u64::MAX),
        operations().node("b").byte(2).number(u64::MAX),
        operations().node("b").entry(&"k".repeat(700), "{}", 1),
        operations().node("b").entry("load", &"v".repeat(30_000), 1),
        operations().byte(3),
    ] {
        check(&ack(&told, false), Err(Malformed));
        check(&ack(&told, true), Err(Malformed));
    }
}

#[test]
fn attack_n4_bombs_are_not_unpacked_and_crowds_are_not_taken_up() {
    let bomb = Writer(vec![0; 8 << 20]);
    let message = ack(&bomb, true);
    assert!(message.len() < limits::CLUSTER_MESSAGE_BYTES.get_usize());
    check(&message, Err(Malformed));

    let names: Vec<_> = (0..500).map(|number| format!("made-up-{number}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let hits = limits::CLUSTER_NODES.hits();
    check(&syn(&names, 1), Ok(Checked::Beyond));
    assert!(limits::CLUSTER_NODES.hits() > hits);

    let guard = guard();
    let full = State { version: 1, entries: limits::CLUSTER_STREAMS_PER_NODE.get_usize() * ENTRIES_PER_STREAM };
    guard.0.lock().states.insert(("b".into(), 5), full);
    assert_eq!(guard.check(&ack(&operations().node("b").entry("load", "{}", 1), false)), Ok(Checked::Beyond));
    assert_eq!(guard.check(&ack(&operations().node("c").entry("load", "{}", 1), false)), Ok(Checked::Good));
}
