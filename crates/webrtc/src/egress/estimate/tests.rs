//! What a viewer would notice of the estimate, over a simulated network.

mod feedback;
mod network;
mod parts;

use network::{Media, Network, Simulation};

use std::time::Instant;

use super::{
    Estimator,
    feedback::{DELTA_MICROS, REFERENCE_MICROS},
};

const ONE_MBIT: Network = Network {
    bits_per_second: 1_000_000,
    queue_bytes: 60_000,
    bucket_bytes: 0,
    delay_ms: 25,
    jitter_ms: 0,
    loss_percent: 0,
};

/// Writes feedback of packets from a number on, by when they have arrived.
fn write_feedback(base: u16, arrivals: &[Option<i64>]) -> Vec<u8> {
    let first = arrivals.iter().flatten().next().copied().unwrap_or(0);
    let reference = first.div_euclid(REFERENCE_MICROS);
    let mut steps = reference * REFERENCE_MICROS / DELTA_MICROS;
    let mut deltas = Vec::new();
    let mut symbols = Vec::new();
    for arrival in arrivals {
        let Some(arrival) = arrival else {
            symbols.push(0u16);
            continue;
        };
        let delta = arrival / DELTA_MICROS - steps;
        steps += delta;
        match u8::try_from(delta) {
            Ok(delta) => {
                deltas.push(delta);
                symbols.push(1);
            }
            Err(_) => {
                deltas.extend_from_slice(&i16::try_from(delta).unwrap().to_be_bytes());
                symbols.push(2);
            }
        }
    }
    let [_, r0, r1, r2] = (reference as u32).to_be_bytes();
    let mut body = vec![0, 0, 0, 1, 0, 0, 0, 2];
    body.extend_from_slice(&base.to_be_bytes());
    body.extend_from_slice(&(arrivals.len() as u16).to_be_bytes());
    body.extend_from_slice(&[r0, r1, r2, 0]);
    for symbols in symbols.chunks(7) {
        let chunk =
            symbols.iter().zip([12, 10, 8, 6, 4, 2, 0]).fold(0xc000, |chunk, (symbol, at)| chunk | symbol << at);
        body.extend_from_slice(&chunk.to_be_bytes());
    }
    body.extend(deltas);
    body.resize(body.len().next_multiple_of(4), 0);
    body
}

fn mean(rates: &[u64]) -> u64 {
    rates.iter().sum::<u64>() / rates.len() as u64
}

fn least(rates: &[u64]) -> u64 {
    rates.iter().copied().min().unwrap_or(0)
}

fn most(rates: &[u64]) -> u64 {
    rates.iter().copied().max().unwrap_or(0)
}

const THREE_MBIT: Network = Network { bits_per_second: 3_000_000, ..ONE_MBIT };
const HALF_MBIT: Network = Network { bits_per_second: 500_000, ..ONE_MBIT };
const SMALL: Media = Media::Video { bits_per_second: 300_000 };

#[test]
fn a_viewer_who_takes_what_is_allowed_gets_what_its_network_carries() {
    let mut simulation = Simulation::new(ONE_MBIT, Media::Allowed, 300_000);
    simulation.run(8.0);
    let rates = simulation.run(30.0);
    assert!((700_000..=1_000_000).contains(&mean(&rates)), "{}", mean(&rates));
    assert!(least(&rates) >= 700_000 && most(&rates) <= 1_100_000, "{} to {}", least(&rates), most(&rates));
    let goodput = simulation.goodput(10.0);
    assert!(goodput >= 850_000, "{goodput}");
}

#[test]
fn a_network_that_narrows_is_followed_within_a_second() {
    let mut simulation = Simulation::new(THREE_MBIT, Media::Allowed, 1_000_000);
    let before = simulation.run(20.0);
    assert!(mean(&before[200..]) >= 2_100_000, "{}", mean(&before[200..]));
    simulation.network.bits_per_second = 500_000;
    let after = simulation.run(1.0);
    assert!(after.last().is_some_and(|rate| (350_000..=500_000).contains(rate)), "{after:?}");
    let later = simulation.run(20.0);
    assert!((350_000..=500_000).contains(&mean(&later)), "{}", mean(&later));
}

#[test]
fn a_viewer_of_a_small_rendition_learns_by_one_probe_that_a_larger_one_goes_through() {
    for jitter_ms in [0, 2, 5] {
        let mut simulation = Simulation::new(Network { jitter_ms, ..THREE_MBIT }, SMALL, 300_000);
        let alone = simulation.run(10.0);
        assert!(most(&alone) < 1_000_000, "without a probe nobody knows: {}", most(&alone));
        simulation.wanted = Some(1_500_000);
        simulation.run(2.0);
        assert_eq!(simulation.probes, 1);
        let rate = simulation.rate();
        assert!((1_500_000..=1_800_000).contains(&rate), "{rate}");
        simulation.media = Media::Video { bits_per_second: 1_500_000 };
        let larger = simulation.run(30.0);
        assert!(least(&larger) >= 1_500_000, "it stays: {}", least(&larger));
    }
}

#[test]
fn a_probe_that_a_narrow_network_does_not_carry_changes_nothing_and_is_repeated_seldom() {
    let mut simulation = Simulation::new(HALF_MBIT, Media::Video { bits_per_second: 250_000 }, 300_000);
    simulation.run(10.0);
    let before = simulation.rate();
    simulation.wanted = Some(1_500_000);
    let after = simulation.run(2.0);
    assert_eq!(simulation.probes, 1);
    assert!(least(&after) == before && most(&after) == before, "{before}: {after:?}");
    let later = simulation.run(60.0);
    assert!(least(&later) >= 250_000 && most(&later) <= 550_000, "{} to {}", least(&later), most(&later));
    assert!((3..=6).contains(&simulation.probes), "{} in a minute", simulation.probes);
}

#[test]
fn what_a_shaper_lets_through_at_once_is_not_taken_for_what_it_carries() {
    for bucket_bytes in [2_000, 4_000, 5_000] {
        let network = Network { bucket_bytes, ..ONE_MBIT };
        let mut simulation = Simulation::new(network, Media::Video { bits_per_second: 500_000 }, 300_000);
        simulation.run(10.0);
        simulation.wanted = Some(2_000_000);
        let rates = simulation.run(60.0);
        assert!(most(&rates) < 1_300_000, "{bucket_bytes}: {}", most(&rates));
    }
}

#[test]
fn a_network_that_carries_bursts_only_is_probed_less_and_less() {
    let mut simulation = Simulation::new(THREE_MBIT, SMALL, 300_000);
    simulation.wanted = Some(1_500_000);
    let mut probes = Vec::new();
    for _ in 0..6 {
        simulation.network.bits_per_second = 3_000_000;
        simulation.media = SMALL;
        simulation.run(10.0);
        if simulation.rate() >= 1_500_000 {
            simulation.network.bits_per_second = 700_000;
            simulation.media = Media::Video { bits_per_second: 1_500_000 };
            simulation.run(3.0);
            assert!(simulation.rate() <= 750_000, "{}", simulation.rate());
        }
        probes.push(simulation.probes);
    }
    assert!(probes.first().is_some_and(|first| *first >= 1), "{probes:?}");
    assert!(probes.last().is_some_and(|last| *last <= 4), "{probes:?}");
}

#[test]
fn packets_lost_by_chance_do_not_lower_the_rate_below_what_is_delivered() {
    for loss_percent in [1, 5, 8] {
        let network = Network { loss_percent, ..THREE_MBIT };
        let mut simulation = Simulation::new(network, Media::Video { bits_per_second: 1_000_000 }, 300_000);
        simulation.run(5.0);
        let goodput = simulation.goodput(20.0);
        let rates = simulation.run(40.0);
        assert!(least(&rates) >= goodput, "{loss_percent} %: {} for {goodput}", least(&rates));
        let loss = f64::from(simulation.estimator.loss()) * 100.0;
        assert!((loss - loss_percent as f64).abs() < 4.0, "{loss} for {loss_percent}");
    }
}

#[test]
fn a_network_that_drops_what_is_too_much_without_a_queue_is_followed_by_its_losses() {
    let network = Network { bits_per_second: 600_000, queue_bytes: 2_500, ..ONE_MBIT };
    let mut simulation = Simulation::new(network, Media::Allowed, 2_000_000);
    simulation.run(5.0);
    let rates = simulation.run(20.0);
    assert!((400_000..=700_000).contains(&mean(&rates)), "{}", mean(&rates));
}

#[test]
fn jitter_does_not_lower_the_rate() {
    for jitter_ms in [5, 10] {
        let network = Network { jitter_ms, ..THREE_MBIT };
        let mut simulation = Simulation::new(network, Media::Video { bits_per_second: 1_000_000 }, 300_000);
        simulation.run(3.0);
        let rates = simulation.run(60.0);
        assert!(least(&rates) >= 1_000_000, "video, {jitter_ms} ms: {}", least(&rates));
        let mut simulation = Simulation::new(network, Media::Allowed, 1_000_000);
        simulation.run(10.0);
        let rates = simulation.run(30.0);
        assert!(mean(&rates) >= 2_100_000, "all, {jitter_ms} ms: {}", mean(&rates));
    }
}

#[test]
fn key_frames_that_leave_in_one_go_do_not_lower_the_rate() {
    for bits_per_second in [2_000_000, 3_000_000] {
        let network = Network { bits_per_second, queue_bytes: 100_000, ..ONE_MBIT };
        let mut simulation = Simulation::new(network, Media::Video { bits_per_second: 1_200_000 }, 300_000);
        simulation.run(3.0);
        let rates = simulation.run(30.0);
        assert!(least(&rates) >= 1_200_000, "{bits_per_second}: {}", least(&rates));
    }
}

#[test]
fn silence_halves_the_rate_each_second_and_speech_brings_it_back() {
    let mut simulation = Simulation::new(THREE_MBIT, SMALL, 300_000);
    simulation.wanted = Some(1_500_000);
    simulation.run(5.0);
    let before = simulation.rate();
    assert!(before >= 1_500_000);
    (simulation.is_up, simulation.wanted) = (false, None);
    let rates = simulation.run(4.5);
    assert_eq!(rates.iter().filter(|rate| **rate == before).count() / 20, 2, "for two seconds: {rates:?}");
    assert!(simulation.rate() <= before / 8 + 1 && simulation.rate() > before / 16, "{}", simulation.rate());
    simulation.run(30.0);
    assert_eq!(simulation.rate(), 30_000, "the floor");
    simulation.is_up = true;
    simulation.run(3.0);
    assert!(simulation.rate() >= 280_000, "what is delivered is carried: {}", simulation.rate());
}

#[test]
fn numbers_and_times_that_wrap_are_not_noticed() {
    let mut simulation = Simulation::new(THREE_MBIT, Media::Allowed, 1_000_000);
    simulation.run(10.0);
    let mut rates = Vec::new();
    while simulation.sent_packets < 140_000 {
        rates.extend(simulation.run(10.0));
    }
    assert!(least(&rates) >= 2_100_000, "{}", least(&rates));
}

#[test]
fn attack_w14_receiver_estimates_are_clamped() {
    let now = Instant::now();
    let mut estimator = Estimator::new(300_000, 30_000, 8_000_000, now);
    assert_eq!(estimator.rate(), None);
    for (told, rate) in [(0, 30_000), (1 << 63, 8_000_000), (u64::MAX, 8_000_000), (500_000, 500_000)] {
        estimator.remb(told);
        assert_eq!(estimator.rate(), Some(rate));
    }
}

#[test]
fn a_receiver_estimate_beside_feedback_is_that_of_the_sound_and_counts_for_nothing() {
    let mut simulation = Simulation::new(THREE_MBIT, SMALL, 300_000);
    simulation.estimator.remb(50_000);
    assert_eq!(simulation.estimator.rate(), Some(50_000), "nothing better is known");
    simulation.run(2.0);
    simulation.estimator.remb(30_000);
    let rates = simulation.run(3.0);
    assert!(least(&rates) >= 300_000, "{}", least(&rates));
}

#[test]
fn attack_w14_feedback_that_is_old_repeated_or_of_nothing_changes_nothing() {
    let mut simulation = Simulation::new(THREE_MBIT, SMALL, 300_000);
    simulation.run(5.0);
    let before = format!("{:?}", simulation.estimator.rate());
    let now = simulation.instant();
    let sent = simulation.sent_packets as u16;
    let all = [Some(1_000_000); 60_000];
    // Packets that arrived long ago, never were, or are told of again.
    for base in [sent.wrapping_sub(200), sent.wrapping_add(1), sent.wrapping_add(40_000)] {
        assert!(simulation.estimator.feedback(&write_feedback(base, &all[..150]), now));
    }
    assert!(simulation.estimator.feedback(&write_feedback(sent, &all), now));
    assert_eq!(format!("{:?}", simulation.estimator.rate()), before);
    let rates = simulation.run(5.0);
    assert!(least(&rates) >= 300_000, "{}", least(&rates));
}

#[test]
fn an_estimator_is_no_larger_than_a_viewer_can_afford() {
    let ring = 1_024 * size_of::<[u32; 2]>();
    assert!(size_of::<Estimator>() + ring <= 16 << 10, "{}", size_of::<Estimator>() + ring);
}
