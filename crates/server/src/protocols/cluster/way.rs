//! The way that a stream takes through the cluster, and how it fares on it.

use headwater_cluster::{Cluster, NodeId, Role, StreamFacts, Way};
use headwater_control::HopObject;
use headwater_media::{StreamName, limits};
use headwater_relay::{PullFacts, Relays};

/// The way of a stream that this node has, from here to where it is published. What the others tell may be a few
/// seconds old.
pub(super) fn trace(
    cluster: &Cluster,
    own: (&NodeId, Role),
    relays: Option<&Relays>,
    name: &StreamName,
) -> Vec<HopObject> {
    let pull = relays.and_then(|relays| relays.pulls().into_iter().find(|pull| pull.name == *name));
    let (mut id, mut role) = (own.0.clone(), own.1);
    let mut facts = StreamFacts {
        from: pull.as_ref().and_then(|pull| NodeId::new(pull.server.as_deref()?).ok()),
        way: pull.as_ref().and_then(way_of),
        ..StreamFacts::default()
    };
    let mut hops = Vec::new();
    // One that tells nonsense cannot keep this going.
    for _ in 0..=limits::CLUSTER_HOPS.get() {
        hops.push(hop(&id, role, &facts));
        let Some(next) = facts.from.take() else { break };
        let known = cluster.nodes().into_iter().find(|node| node.id == next);
        (id, role) = (next, known.map_or(Role::Origin, |node| node.role));
        facts = cluster.facts_of(&id, name).unwrap_or_default();
    }
    hops
}

fn hop(id: &NodeId, role: Role, facts: &StreamFacts) -> HopObject {
    let way = facts.way;
    HopObject {
        node: id.to_string(),
        role: role.to_string().to_uppercase(),
        round_trip_ms: way.filter(|way| way.round_trip_us > 0).map(|way| f64::from(way.round_trip_us) / 1_000.0),
        lost_percent: way.map(|way| f64::from(way.lost_per_mille) / 10.0),
        kbps: way.map(|way| u64::from(way.kilobits)),
    }
}

/// How a stream comes that is fetched now; `None` before anything has come.
pub(super) fn way_of(pull: &PullFacts) -> Option<Way> {
    let received = pull.received.filter(|received| received.packets > 0)?;
    let micros = received.round_trip.map_or(0, |time| time.as_micros());
    Some(Way {
        round_trip_us: u32::try_from(micros).unwrap_or(u32::MAX),
        lost_per_mille: u16::try_from(received.lost_per_mille).unwrap_or(u16::MAX),
        kilobits: u32::try_from(received.bits_per_second / 1_000).unwrap_or(u32::MAX),
    })
}

/// Whether a way fares otherwise than was told of it, by so much that others should know.
pub(super) fn has_changed(told: Way, now: Way) -> bool {
    let moved = |told: u32, now: u32, least: u32| told.abs_diff(now) > (told / 5).max(least);
    moved(told.round_trip_us, now.round_trip_us, 1_000)
        || moved(told.kilobits, now.kilobits, 50)
        || told.lost_per_mille.abs_diff(now.lost_per_mille) >= 5
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_wavers_is_not_told_again() {
        let told = Way { round_trip_us: 20_000, lost_per_mille: 10, kilobits: 2_000 };
        for (now, expected) in [
            (Way { round_trip_us: 23_000, lost_per_mille: 13, kilobits: 2_300 }, false),
            (Way { round_trip_us: 30_000, ..told }, true),
            (Way { lost_per_mille: 15, ..told }, true),
            (Way { kilobits: 1_000, ..told }, true),
        ] {
            assert_eq!(has_changed(told, now), expected, "{now:?}");
        }
    }
}
