//! Sequence numbers that wrap, read by str0m.

use std::{sync::Arc, time::Instant};

use super::oracle::{Conditions, PICTURE, Scene, Sent};

const CONDITIONS: Conditions = Conditions { lost: 0, doubled: 0, delay_ms: 5, jitter_ms: 0 };
/// Packets around a wrap of which some are lost: fewer than str0m waits for at once.
const AROUND: u64 = 60;
/// Packets that leave in a millisecond elsewhere.
const BURST: u64 = 64;
const WRAPS: u64 = 3;

/// A payload that names its packet.
fn packet(sequence: u64) -> Sent {
    let payload: Arc<[u8]> = [&[0x41][..], &sequence.to_be_bytes(), &[7; 31]].concat().into();
    Sent { timestamp: (sequence * 90) as u32, marker: true, payload }
}

fn send(scene: &mut Scene, sequences: std::ops::Range<u64>) {
    for sequence in sequences {
        scene.send(PICTURE, sequence, packet(sequence));
    }
}

/// Three wraps, each packet of them. Around each some are lost: the last before the wrap, the first behind it, and runs
/// over it; and what was before it is asked for when it is over.
#[test]
fn packets_are_opened_over_wraps_and_those_that_were_lost_around_them_are_sent_again() {
    // Which are lost, counted from the wrap.
    let lost: [&[i64]; WRAPS as usize] = [&[-1], &[0, -7, 9], &[-12, -3, -2, -1, 0, 1, 2, 20]];
    for viewer_is_client in [true, false] {
        let mut scene = Scene::ours(Instant::now(), 1, CONDITIONS, viewer_is_client);
        let first = 30_000;
        let mut next = first;
        for (wrap, lost) in (1..=WRAPS).zip(lost) {
            let middle = wrap << 16;
            while next < middle - AROUND {
                let until = (next + BURST).min(middle - AROUND);
                send(&mut scene, next..until);
                next = until;
                scene.run(1);
            }
            scene.run(50);
            let victims = lost.iter().map(|offset| (PICTURE, middle.wrapping_add_signed(*offset) as u16));
            scene.network.victims = victims.collect();
            // One each millisecond, so that numbers of both cycles are on their way and asked for together.
            for sequence in next..middle + AROUND {
                send(&mut scene, sequence..sequence + 1);
                scene.run(1);
            }
            next = middle + AROUND;
            scene.run(200);
        }
        let expected: Vec<u64> = (first..next).collect();
        let arrived: Vec<u64> = scene.seen.packets.keys().map(|(_, sequence)| *sequence).collect();
        assert!(arrived == expected, "{} of {}", arrived.len(), expected.len());
        for ((_, sequence), (_, arrived)) in &scene.seen.packets {
            assert!(*arrived == packet(*sequence), "{sequence}");
        }
        let victims: usize = lost.iter().map(|lost| lost.len()).sum();
        assert_eq!(scene.network.losses.len(), victims);
        assert_eq!((scene.again(), scene.seen.asked.len()), (victims as u64, victims), "each is asked for once");
        for ((_, number), lost_at) in &scene.network.losses {
            let mut asked = scene.seen.asked.iter().filter(|(of, at)| of == number && at > lost_at);
            assert!(asked.next().is_some(), "{number} is asked for");
        }
        // These are of the cycle before, and the last of each cycle can only be missed when one of the next has come.
        let of_before = scene.seen.asked.iter().filter(|(number, _)| *number >= 0xff00).count();
        assert_eq!(of_before, 6);
    }
}
