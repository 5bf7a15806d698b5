use tokio::time::Instant;

use super::*;

fn id(name: &str) -> NodeId {
    NodeId::new(name).unwrap()
}

fn stream() -> StreamName {
    StreamName::new("camera").unwrap()
}

fn entry(published_ms: u64, hops: u8) -> Entry {
    Entry::Stream(stream(), Some(StreamFacts { published_ms, hops, ..StreamFacts::default() }))
}

/// What an edge of the groups `EU` and `US` knows of nodes of these names, roles and groups.
fn directory(nodes: &[(&str, Role, &str)]) -> Directory {
    let mut directory = Directory::new(id("own"), Role::Edge, vec!["EU".into(), "US".into()]);
    for (name, role, group) in nodes {
        let groups = vec![(*group).to_owned()];
        let (url, media) = ("wss://a.example:8084".to_owned(), "wss://a.example:8443".to_owned());
        assert!(directory.meet(&id(name), 1, About { role: *role, groups, url, media, version: String::new() }));
    }
    directory
}

#[test]
fn keys_go_with_a_stream_however_often_it_is_announced_and_count_where_its_owner_tells_them() {
    let mut directory = Directory::new(id("own"), Role::Origin, Vec::new());
    let keys = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
    assert!(!directory.restrict(&stream(), keys(&["one"])));
    let plain = StreamFacts { published_ms: 7, ..StreamFacts::default() };
    assert!(directory.announce(&stream(), plain.clone()) && !directory.announce(&stream(), plain.clone()));
    assert_eq!(directory.own()[&stream()].keys, ["one"]);
    assert!(directory.restrict(&stream(), Vec::new()) && !directory.announce(&stream(), plain));
    assert!(directory.own()[&stream()].keys.is_empty());

    let mut directory = self::directory(&[("a", Role::Origin, "EU"), ("b", Role::Origin, "US")]);
    let told = |published_ms, said: &[&str]| {
        Entry::Stream(stream(), Some(StreamFacts { published_ms, keys: keys(said), ..StreamFacts::default() }))
    };
    directory.put(&id("b"), told(2, &["late"]));
    assert_eq!(directory.restricted()[&stream()], ["late"]);
    directory.put(&id("a"), told(1, &["first"]));
    assert_eq!(directory.restricted()[&stream()], ["first"]);
    directory.put(&id("a"), told(1, &[]));
    assert!(directory.restricted().is_empty(), "the owner has opened it");
}

#[test]
fn a_node_that_is_closed_stays_so_however_busy_it_is_told_to_be() {
    let mut directory = directory(&[]);
    assert!(directory.close() && !directory.close() && !directory.load().accepts);
    assert!(directory.set_load(Load { viewers: 3, ..Load::default() }) && !directory.load().accepts);
}

fn places(directory: &Directory) -> Vec<String> {
    directory.locate(&stream()).into_iter().map(|place| place.node.id.to_string()).collect()
}

#[test]
fn attack_n1_what_a_node_may_not_tell_by_its_role_is_left_out_by_who_hears_it() {
    let mut directory = directory(&[("a", Role::Transcoder, "EU"), ("b", Role::Edge, "EU")]);
    directory.put(&id("a"), entry(1, 1));
    directory.put(&id("b"), entry(1, 0));
    directory.put(&id("nobody"), entry(1, 1));
    assert_eq!((places(&directory).len(), directory.left_out()), (0, 2));
    directory.put(&id("b"), entry(1, 1));
    assert_eq!(places(&directory), ["b"]);
}

#[test]
fn attack_n5_a_stream_goes_through_no_more_nodes_than_it_may() {
    let mut directory = directory(&[("a", Role::Edge, "EU")]);
    for (hops, expected) in [(1, true), (2, true), (3, false), (4, false)] {
        directory.put(&id("a"), entry(1, hops));
        assert_eq!(!places(&directory).is_empty(), expected, "{hops}");
    }
    let facts = |hops| StreamFacts { published_ms: 1, hops, ..StreamFacts::default() };
    assert!(directory.announce(&stream(), facts(3)) && !directory.announce(&stream(), facts(4)));
    // Never from itself.
    assert!(places(&directory).is_empty());
}

#[test]
fn own_groups_come_first_then_who_is_nearer_to_the_publisher_then_who_has_less_to_do() {
    let nodes = [
        ("far", Role::Origin, "ASIA"),
        ("us", Role::Edge, "US"),
        ("eu-2", Role::Edge, "EU"),
        ("eu-1-busy", Role::Edge, "EU"),
        ("eu-1", Role::Edge, "EU"),
        ("eu-drains", Role::Edge, "EU"),
    ];
    let mut directory = directory(&nodes);
    for (name, hops) in [("far", 0), ("us", 1), ("eu-2", 2), ("eu-1-busy", 1), ("eu-1", 1), ("eu-drains", 1)] {
        directory.put(&id(name), entry(1, hops));
    }
    let load = |cpu_permille, accepts| Entry::Load(Load { cpu_permille, accepts, ..Load::default() });
    directory.put(&id("eu-1-busy"), load(900, true));
    directory.put(&id("eu-drains"), load(0, false));
    assert_eq!(places(&directory), ["eu-1", "eu-1-busy", "eu-2", "us", "far", "eu-drains"]);

    assert!(directory.lose(&id("eu-1"), Instant::now()) && directory.leave(&id("us"), 1, Instant::now()));
    assert_eq!(places(&directory), ["eu-1-busy", "eu-2", "far", "eu-drains"]);
    assert!(directory.has_left(&id("us"), 1) && !directory.has_left(&id("us"), 2));
}

#[test]
fn of_thousands_that_are_followed_a_change_wakes_only_who_waits_for_it() {
    let mut directory = directory(&[("a", Role::Origin, "EU"), ("b", Role::Origin, "US")]);
    let names: Vec<_> = (0..5_000).map(|number| StreamName::new(&format!("camera-{number}")).unwrap()).collect();
    let facts = |published_ms| Some(StreamFacts { published_ms, ..StreamFacts::default() });
    for name in &names {
        directory.put(&id("a"), Entry::Stream(name.clone(), facts(1)));
    }
    let mut streams: Vec<_> = names.iter().map(|name| directory.follow_stream(name)).collect();
    let woken = |of: &mut [watch::Receiver<u64>]| {
        let woken = of.iter().filter(|one| one.has_changed().unwrap()).count();
        of.iter_mut().for_each(watch::Receiver::mark_unchanged);
        woken
    };
    directory.put(&id("b"), Entry::Stream(names[7].clone(), facts(2)));
    assert_eq!(woken(&mut streams), 1);
    // What is told again as it was, how busy a node is, and names that nobody follows wake nobody.
    directory.put(&id("b"), Entry::Stream(names[7].clone(), facts(2)));
    directory.put(&id("b"), Entry::Load(Load { viewers: 9, ..Load::default() }));
    directory.put(&id("b"), Entry::Stream(stream(), facts(2)));
    assert_eq!(woken(&mut streams), 0);
    // A node that goes takes its streams with it, and only those.
    let mut nodes = [directory.follow_node(&id("a")), directory.follow_node(&id("b"))];
    assert!(directory.lose(&id("b"), Instant::now()) && !directory.is_active(&id("b")));
    assert_eq!((woken(&mut streams), woken(&mut nodes[..1]), woken(&mut nodes[1..])), (1, 0, 1));
    directory.put(&id("a"), Entry::Stream(names[9].clone(), None));
    assert_eq!(woken(&mut streams), 1);
}

#[test]
fn attack_n5_what_hangs_on_this_node_is_not_fetched_by_it() {
    let mut directory = directory(&[("a", Role::Edge, "EU"), ("b", Role::Edge, "EU"), ("c", Role::Edge, "EU")]);
    let from = |node: &str, hops| {
        Entry::Stream(stream(), Some(StreamFacts { hops, from: Some(id(node)), ..StreamFacts::default() }))
    };
    directory.put(&id("a"), from("own", 1));
    directory.put(&id("b"), from("a", 2));
    assert!(places(&directory).is_empty());
    directory.put(&id("c"), from("somewhere", 1));
    assert_eq!(places(&directory), ["c"]);
    // Two that tell of each other have it from nobody: it is looked at no longer than a stream may be on its way.
    directory.put(&id("a"), from("b", 1));
    directory.put(&id("b"), from("a", 1));
    assert_eq!(places(&directory), ["a", "b", "c"]);
}

#[test]
fn a_stream_of_far_away_is_asked_of_one_of_the_group_that_passes_on() {
    let nodes = [("far", Role::Origin, "ASIA"), ("near-1", Role::Edge, "EU"), ("near-2", Role::Edge, "EU")];
    let mut directory = directory(&nodes);
    directory.put(&id("far"), entry(1, 0));
    let routes = |directory: &Directory| -> Vec<String> {
        directory.routes(&stream()).into_iter().map(|place| place.node.id.to_string()).collect()
    };
    assert_eq!(routes(&directory), ["far"]);
    let passing = |accepts| Entry::Load(Load { passes_on: true, accepts, ..Load::default() });
    directory.put(&id("near-1"), passing(true));
    assert_eq!(routes(&directory), ["near-1", "far"]);
    assert_eq!(directory.routes(&stream())[0].facts.hops, 1);
    directory.put(&id("near-1"), passing(false));
    directory.put(&id("near-2"), passing(true));
    assert_eq!(routes(&directory), ["near-2", "far"]);
    // Once somebody of the group has it, that one is asked.
    directory.put(&id("near-1"), Entry::Stream(stream(), Some(StreamFacts { hops: 1, ..StreamFacts::default() })));
    directory.put(&id("near-1"), passing(true));
    assert_eq!(routes(&directory), ["near-1", "far"]);
    directory.put(&id("near-1"), Entry::Stream(stream(), None));
    // Two that pass on do not ask each other for what neither has.
    directory.set_load(Load { passes_on: true, ..Load::default() });
    assert_eq!(routes(&directory), ["far"]);
}
