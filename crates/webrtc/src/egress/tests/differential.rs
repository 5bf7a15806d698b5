//! The session against str0m: one stream through each of them, to a viewer that is str0m, over the same bad network.
//!
//! What differs on purpose, and is not compared: str0m names the media section, the time of sending and the number
//! among all of the transport in each packet, the session only what it needs; str0m reports about each stream in a
//! datagram of its own and before it has begun, the session about both in one, and sooner at first. Where little is lost
//! the session sends what is missed a second time; str0m never does, but answers a request that came twice with two.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use super::oracle::{Conditions, PICTURE, SOUND, Scene, Sent, chance, clock_rate};

/// The wires run so long in a test that loses packets, and after it.
const LOSSY_PICTURES: u64 = 120;
const PICTURES: u64 = LOSSY_PICTURES + 35;
const PICTURE_MS: u64 = 33;
const SOUND_MS: u64 = 20;
/// Of the time that reports tell.
const TOLERANCE: Duration = Duration::from_millis(1);

/// A stream that a seed makes.
struct Plan {
    seed: u64,
    first: [u64; 2],
    start: [u32; 2],
}

impl Plan {
    fn new(seed: u64) -> Plan {
        // Every third begins shortly before its numbers wrap, every other one before its times do.
        let first = |stream: u64| if seed.is_multiple_of(3) { 65_000 } else { 1 + chance(seed, 10 + stream) % 30_000 };
        let start =
            |stream: u64| if seed.is_multiple_of(2) { u32::MAX - 90_000 } else { chance(seed, 20 + stream) as u32 };
        Plan { seed, first: [first(0), first(1)], start: [start(0), start(1)] }
    }

    /// The packets of one millisecond, without their numbers: pictures of several packets, and sound.
    fn packets(&self, ms: u64) -> Vec<(usize, Sent)> {
        let mut packets = Vec::new();
        let ticks = |stream: usize, ms| (ms * u64::from(clock_rate(stream).hertz()) / 1_000) as u32;
        if ms.is_multiple_of(PICTURE_MS) {
            let count = 2 + chance(self.seed, 1 << 33 | ms) % 9;
            let is_key = (ms / PICTURE_MS).is_multiple_of(60);
            for place in 0..count {
                let nature = if is_key { 0x65 } else { 0x41 };
                let payload = self.payload(1 << 34 | ms << 4 | place, 200..1_100, nature);
                let timestamp = self.start[PICTURE].wrapping_add(ticks(PICTURE, ms));
                packets.push((PICTURE, Sent { timestamp, marker: place == count - 1, payload }));
            }
        }
        if ms.is_multiple_of(SOUND_MS) {
            let payload = self.payload(1 << 35 | ms, 40..120, 0x78);
            let timestamp = self.start[SOUND].wrapping_add(ticks(SOUND, ms));
            packets.push((SOUND, Sent { timestamp, marker: false, payload }));
        }
        packets
    }

    fn payload(&self, what: u64, lengths: Range<u64>, first: u8) -> Arc<[u8]> {
        let length = lengths.start + chance(self.seed, what) % (lengths.end - lengths.start);
        let bytes = (1..length).map(|at| chance(self.seed, what ^ at << 40) as u8);
        std::iter::once(first).chain(bytes).collect()
    }
}

/// What has become of a stream.
struct Outcome {
    scene: Scene,
    /// When media began.
    begun: Instant,
    /// How often a key frame was asked for, before the viewer had wanted one and after.
    key_frames: [usize; 2],
}

fn play(mut scene: Scene, plan: &Plan, at: Instant) -> Outcome {
    scene.run((at - scene.now).as_millis() as u64);
    let (begun, mut next) = (scene.now, plan.first);
    let mut key_frames = [0; 2];
    for ms in 0..PICTURES * PICTURE_MS {
        if ms == LOSSY_PICTURES * PICTURE_MS {
            (scene.network.conditions.lost, scene.network.conditions.doubled) = (0, 0);
        }
        if ms == (LOSSY_PICTURES + 20) * PICTURE_MS {
            key_frames[0] = scene.source.key_frames_wanted();
            scene.want_key_frame();
        }
        for (stream, packet) in plan.packets(ms) {
            scene.send(stream, next[stream], packet);
            next[stream] += 1;
        }
        scene.run(1);
    }
    key_frames[1] = scene.source.key_frames_wanted();
    scene.run(500);
    Outcome { scene, begun, key_frames }
}

impl Outcome {
    /// All that holds for each of the two alone. So many packets of the picture may be given up.
    fn check(&self, plan: &Plan, who: &str, allowed: usize) {
        let Scene { seen, sent, network, .. } = &self.scene;
        for ((stream, sequence), (_, packet)) in &seen.packets {
            let put_in = sent.get(&(*stream, *sequence)).expect("nothing comes out that was not put in");
            assert!(packet == put_in, "{who}: packet {sequence} of stream {stream} has changed");
        }
        assert_eq!(self.key_frames[1] - self.key_frames[0], 1, "{who}: one wish is one request");
        assert_eq!(self.key_frames[0], 0, "{who}: nobody had asked for a key frame");

        // Sound that is lost stays lost, and nothing else of it; of the picture all comes in the end.
        let lost = |stream: usize| -> BTreeSet<u16> {
            network.losses.iter().filter(|((of, _), _)| *of == stream).map(|((_, number), _)| *number).collect()
        };
        let missing = |stream: usize| -> BTreeSet<u16> {
            let all =
                sent.keys().filter(|(of, sequence)| *of == stream && !seen.packets.contains_key(&(*of, *sequence)));
            all.map(|(_, sequence)| *sequence as u16).collect()
        };
        assert_eq!(missing(SOUND), lost(SOUND), "{who}");
        // Of what is lost before anything has come nobody knows.
        let first = seen.packets.keys().find(|(stream, _)| *stream == PICTURE).unwrap().1;
        let before: BTreeSet<u16> = (plan.first[PICTURE]..first).map(|sequence| sequence as u16).collect();
        let given_up = missing(PICTURE).difference(&before).count();
        assert!(given_up <= allowed, "{who}: {:?} are not repaired", missing(PICTURE));
        self.check_repairs(&lost(PICTURE), who);
    }

    /// Whoever asks is answered at once: a round trip later it has the packet, unless question or answer are lost.
    fn check_repairs(&self, lost: &BTreeSet<u16>, who: &str) {
        let Scene { seen, network, .. } = &self.scene;
        let Conditions { delay_ms, jitter_ms, .. } = network.conditions;
        let round_trip = 2 * delay_ms..=2 * (delay_ms + jitter_ms) + 2;
        let mut late = Vec::new();
        let mut repaired = 0;
        for ((_, sequence), (at, _)) in seen.packets.iter().filter(|((stream, _), _)| *stream == PICTURE) {
            if lost.contains(&(*sequence as u16)) {
                let mut asked = seen.asked.iter().filter(|(number, _)| *number == *sequence as u16);
                let took = |asked: Instant| at.saturating_duration_since(asked).as_millis() as u64;
                repaired += 1;
                if !asked.any(|(_, asked)| round_trip.contains(&took(*asked))) {
                    late.push(*sequence);
                }
            }
        }
        assert!(late.len() * 100 <= repaired, "{who}: {late:?} of {repaired} came late");
        assert!(repaired >= 5, "{who}: {repaired}");
        let again = self.scene.again();
        // A request that is doubled on its way is answered twice by str0m.
        assert!(again >= repaired as u64 && again <= 2 * seen.asked.len() as u64, "{who}: {again} for {repaired}");
    }

    /// When a stream's first packet was captured, as each of its reports tells, in seconds since `now`, which was `wall`.
    fn beginnings(&self, plan: &Plan, now: Instant, wall: SystemTime) -> Vec<f64> {
        let begun = |(stream, time, ticks): &(usize, SystemTime, u32)| {
            let since = f64::from(ticks.wrapping_sub(plan.start[*stream]).cast_signed());
            let at =
                time.duration_since(wall).map_or_else(|error| -error.duration().as_secs_f64(), |at| at.as_secs_f64());
            at - since / f64::from(clock_rate(*stream).hertz())
        };
        // str0m reports about streams that have not begun, as if their clock stood at 0.
        let is_of_media = |report: &&(usize, SystemTime, u32)| report.1 >= wall + (self.begun - now) - TOLERANCE;
        let beginnings: Vec<f64> = self.scene.seen.reports.iter().filter(is_of_media).map(begun).collect();
        for stream in [PICTURE, SOUND] {
            assert!(self.scene.seen.reports.iter().any(|(of, ..)| *of == stream), "{stream} is reported about");
        }
        beginnings
    }

    fn arrived(&self) -> BTreeMap<(usize, u64), &Sent> {
        self.scene.seen.packets.iter().map(|(place, (_, packet))| (*place, packet)).collect()
    }
}

fn compare(seed: u64) {
    let plan = Plan::new(seed);
    let conditions = Conditions { lost: 20, doubled: 10, delay_ms: 25, jitter_ms: 6 };
    let (now, wall) = (Instant::now(), SystemTime::now());
    let at = now + Duration::from_millis(1_500);
    let mut scene = Scene::ours(now, seed, conditions, seed % 4 != 1);
    if seed.is_multiple_of(5) {
        scene.source.estimate(now);
    }
    let ours = play(scene, &plan, at);
    let theirs = play(Scene::theirs(now, seed, conditions), &plan, at);
    ours.check(&plan, "the session", 0);
    // str0m gives up what would be more than a share of the media.
    theirs.check(&plan, "str0m", 2);
    assert_eq!(ours.begun, theirs.begun);
    assert_eq!(ours.scene.network.losses.len(), theirs.scene.network.losses.len(), "the same packets are lost");
    let (arrived, of_theirs) = (ours.arrived(), theirs.arrived());
    assert!(of_theirs.iter().all(|(place, packet)| arrived.get(place) == Some(packet)), "str0m brings more");

    let (again, of_theirs) = (ours.scene.again(), theirs.scene.again());
    let bounds = of_theirs * 7 / 10..=5 + of_theirs * 26 / 10;
    assert!(bounds.contains(&again), "{again} sent again, and {of_theirs} by str0m");

    let begun = (ours.begun - now).as_secs_f64();
    let (beginnings, of_theirs) = (ours.beginnings(&plan, now, wall), theirs.beginnings(&plan, now, wall));
    assert_eq!(beginnings.len(), ours.scene.seen.reports.len(), "of what has not begun nothing is said");
    for beginning in beginnings.into_iter().chain(of_theirs) {
        assert!((beginning - begun).abs() < TOLERANCE.as_secs_f64(), "{beginning} s and not {begun} s");
    }
}

/// Thirty streams. One that fails is named, and comes again by its number.
#[test]
fn a_viewer_gets_by_the_session_what_it_would_get_by_str0m() {
    for seed in 1..=30 {
        let outcome = std::panic::catch_unwind(|| compare(seed));
        assert!(outcome.is_ok(), "seed {seed}");
    }
}
