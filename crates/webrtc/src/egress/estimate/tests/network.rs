//! A network with a narrow place, and both ends of it, on a clock of their own.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use super::super::Estimator;
use super::write_feedback;

const PACKET_BYTES: usize = 1_200;
const FEEDBACK_MICROS: i64 = 50_000;
const LOOK_MICROS: i64 = 250_000;
const STEP_MICROS: i64 = 1_000;
/// Where the peer's clock begins: its reference time wraps after five seconds.
const PEER_CLOCK_MICROS: i64 = (1 << 24) * 64_000 - 5_000_000;

/// What lies between the two.
#[derive(Clone, Copy, Debug)]
pub(super) struct Network {
    pub(super) bits_per_second: i64,
    pub(super) queue_bytes: i64,
    /// Passes at once after a pause, as traffic shapers have it.
    pub(super) bucket_bytes: i64,
    pub(super) delay_ms: i64,
    /// More or less than the delay.
    pub(super) jitter_ms: i64,
    pub(super) loss_percent: u64,
}

/// What is sent.
#[derive(Clone, Copy, Debug)]
pub(super) enum Media {
    /// As much as is allowed, evenly.
    Allowed,
    /// 30 pictures a second, each in one go, every sixtieth eight times as large.
    Video { bits_per_second: i64 },
}

#[derive(Debug)]
pub(super) struct Simulation {
    pub(super) estimator: Estimator,
    pub(super) network: Network,
    pub(super) media: Media,
    /// What there would be media for.
    pub(super) wanted: Option<u64>,
    /// Whether what is sent and the feedback gets through at all.
    pub(super) is_up: bool,
    pub(super) probes: usize,
    pub(super) arrived_bytes: u64,
    pub(super) sent_packets: u64,
    began: Instant,
    now: i64,
    credit_bits: f64,
    pictures: i64,
    free_at: i64,
    last_arrival: i64,
    arrivals: BTreeMap<u64, i64>,
    reported: u64,
    feedback: VecDeque<(i64, Vec<u8>)>,
    noise: u64,
}

impl Simulation {
    pub(super) fn new(network: Network, media: Media, start: u64) -> Simulation {
        let began = Instant::now();
        Simulation {
            estimator: Estimator::new(start, 30_000, 8_000_000, began),
            network,
            media,
            wanted: None,
            is_up: true,
            probes: 0,
            arrived_bytes: 0,
            sent_packets: 0,
            began,
            now: 0,
            credit_bits: 0.0,
            pictures: 0,
            free_at: 0,
            last_arrival: 0,
            arrivals: BTreeMap::new(),
            reported: 0,
            feedback: VecDeque::new(),
            noise: 0x9e37_79b9_7f4a_7c15,
        }
    }

    pub(super) fn rate(&self) -> u64 {
        self.estimator.rate().unwrap_or(0)
    }

    /// Goes on for so long; gives the rate every 50 ms.
    pub(super) fn run(&mut self, seconds: f64) -> Vec<u64> {
        let end = self.now + (seconds * 1e6) as i64;
        let mut rates = Vec::new();
        while self.now < end {
            self.now += STEP_MICROS;
            self.send_media();
            self.probe();
            if self.now % FEEDBACK_MICROS == 0 {
                self.report();
                rates.push(self.rate());
            }
            self.take_feedback();
        }
        rates
    }

    /// Bits per second that arrive in the next seconds.
    pub(super) fn goodput(&mut self, seconds: f64) -> u64 {
        let before = self.arrived_bytes;
        self.run(seconds);
        ((self.arrived_bytes - before) as f64 * 8.0 / seconds) as u64
    }

    pub(super) fn instant(&self) -> Instant {
        self.began + Duration::from_micros(self.now as u64)
    }

    fn send_media(&mut self) {
        let bits = match self.media {
            Media::Allowed => self.estimator.rate().unwrap_or(300_000) as f64 / 1_000.0,
            Media::Video { bits_per_second } if self.now * 30 / 1_000_000 > self.pictures => {
                self.pictures = self.now * 30 / 1_000_000;
                let share = if self.pictures % 60 == 1 { 8.0 } else { 1.0 };
                let bits = bits_per_second as f64 / 30.0 * 60.0 / 67.0 * share;
                (0..(bits / 8.0) as usize / PACKET_BYTES).for_each(|_| self.send(PACKET_BYTES, false));
                self.send((bits / 8.0) as usize % PACKET_BYTES + 1, false);
                return;
            }
            Media::Video { .. } => return,
        };
        self.credit_bits += bits;
        while self.credit_bits > 0.0 {
            self.credit_bits -= PACKET_BYTES as f64 * 8.0;
            self.send(PACKET_BYTES, false);
        }
    }

    fn probe(&mut self) {
        let Some(wanted) = self.wanted else { return };
        let now = self.instant();
        if self.now % LOOK_MICROS != 0 {
            return;
        }
        let bytes = self.estimator.probe(wanted, now);
        self.probes += usize::from(bytes > 0);
        (0..bytes.div_ceil(PACKET_BYTES)).for_each(|_| self.send(PACKET_BYTES, true));
    }

    fn send(&mut self, bytes: usize, probe: bool) {
        let number = self.estimator.sent(bytes, self.instant(), probe);
        let number = self.sent_packets + u64::from(number.wrapping_sub(self.sent_packets as u16));
        assert_eq!(number, self.sent_packets, "numbers follow each other");
        self.sent_packets += 1;
        let waiting_bits = (self.free_at - self.now).max(0) * self.network.bits_per_second / 1_000_000;
        let is_lost = self.random() % 100 < self.network.loss_percent;
        if is_lost || !self.is_up || waiting_bits / 8 + bytes as i64 > self.network.queue_bytes {
            return;
        }
        let micros = |bytes: i64| bytes * 8_000_000 / self.network.bits_per_second;
        let full = self.now - micros(self.network.bucket_bytes);
        self.free_at = self.free_at.max(full) + micros(bytes as i64);
        let jitter = self.network.jitter_ms * 1_000;
        let jitter = (self.random() % (2 * jitter as u64 + 1)) as i64 - jitter;
        self.last_arrival = self.last_arrival.max(self.free_at.max(self.now) + self.network.delay_ms * 1_000 + jitter);
        self.arrivals.insert(number, self.last_arrival);
        self.arrived_bytes += bytes as u64;
    }

    fn report(&mut self) {
        let arrived: BTreeMap<u64, i64> =
            self.arrivals.range(self.reported..).filter(|(_, at)| **at <= self.now).map(|(n, at)| (*n, *at)).collect();
        let Some(last) = arrived.keys().next_back().copied().filter(|_| self.is_up) else {
            return;
        };
        let arrivals: Vec<Option<i64>> =
            (self.reported..=last).map(|number| Some(arrived.get(&number)? + PEER_CLOCK_MICROS)).collect();
        self.feedback
            .push_back((self.now + self.network.delay_ms * 1_000, write_feedback(self.reported as u16, &arrivals)));
        self.reported = last + 1;
        self.arrivals = self.arrivals.split_off(&self.reported);
    }

    fn take_feedback(&mut self) {
        while let Some((_, body)) = self.feedback.pop_front_if(|(at, _)| *at <= self.now) {
            assert!(self.estimator.feedback(&body, self.instant()));
        }
    }

    fn random(&mut self) -> u64 {
        self.noise ^= self.noise << 13;
        self.noise ^= self.noise >> 7;
        self.noise ^= self.noise << 17;
        self.noise >> 11
    }
}
