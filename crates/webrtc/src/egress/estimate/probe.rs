//! Short clusters of packets that find out whether more would be carried than is sent.
//!
//! A cluster leaves faster than it is asked for. How far apart its packets arrive says what the narrowest part of the
//! way carries. Shapers let a few packets pass at once after a pause, so the second half of them is looked at by itself,
//! too: the slower counts.

use super::history::Packet;

/// A cluster is what is asked for and a fifth, for so long.
const SURPLUS: f64 = 1.2;
const CLUSTER_SECONDS: f64 = 0.030;
/// Its bounds: five packets of the usual size, and what no queue should have to bear more of.
const CLUSTER_BYTES_MIN: f64 = 6_000.0;
const CLUSTER_BYTES_MAX: f64 = 40_000.0;
/// Fewer packets, or fewer of a hundred, measure nothing.
const PACKETS_MIN: u32 = 4;
const ARRIVED_PERCENT: u32 = 80;
/// The second half of fewer than these measures nothing by itself.
const HALVED_PACKETS_MIN: u32 = 6;
/// A shorter time than this is no measure of anything, in microseconds.
const SPREAD_MICROS_MIN: i64 = 1_000;
/// What a cluster gets through is not all for media.
const USABLE: f64 = 0.9;
/// Reports of a cluster are awaited for so long.
const REPORT_MICROS: i64 = 1_000_000;
/// Time to the next probe after one that succeeded; after one that failed, at first and at most.
const SOON_MICROS: i64 = 1_000_000;
const WAIT_MICROS: i64 = 3_000_000;
const WAIT_MICROS_MAX: i64 = 30_000_000;
/// If the delay grows so soon after a success, it was none.
const TRIAL_MICROS: i64 = 10_000_000;
/// What was sent so much later than a cluster did not wait behind it.
const BEHIND_MICROS: i64 = 50_000;

/// The cluster under way, and when the next may be.
#[derive(Debug)]
pub(super) struct Prober {
    cluster: Option<Cluster>,
    /// Tells clusters apart; 0 is none.
    last_id: u8,
    not_before: i64,
    wait: i64,
    succeeded: Option<i64>,
    /// What was sent in this time waited behind a cluster, if behind anything.
    disturbed: std::ops::Range<i64>,
}

/// What a cluster has found out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Finding {
    /// Bits per second that media may use.
    pub(super) carried: f64,
    pub(super) wanted: f64,
}

#[derive(Debug)]
struct Cluster {
    id: u8,
    wanted: f64,
    began: i64,
    sent: Passage,
    arrived: Passage,
    /// The second half of what arrived.
    rear: Passage,
    lost: u32,
}

/// When packets passed a point.
#[derive(Debug, Default)]
struct Passage {
    packets: u32,
    bytes: u32,
    first: (i64, u16),
    last: (i64, u16),
}

impl Prober {
    pub(super) fn new(now: i64) -> Prober {
        Prober { cluster: None, last_id: 0, not_before: now, wait: WAIT_MICROS, succeeded: None, disturbed: 0..0 }
    }

    /// No probe before this time.
    pub(super) fn postpone(&mut self, until: i64) {
        self.not_before = self.not_before.max(until);
    }

    /// Begins a cluster; says of how many bytes. 0 if one is under way or the next is not due.
    pub(super) fn begin(&mut self, wanted: f64, now: i64) -> usize {
        if self.cluster.is_some() || now < self.not_before {
            return 0;
        }
        self.last_id = self.last_id.checked_add(1).unwrap_or(1);
        let (sent, arrived, rear) = Default::default();
        self.cluster = Some(Cluster { id: self.last_id, wanted, began: now, sent, arrived, rear, lost: 0 });
        self.disturbed = now..i64::MAX;
        (wanted * SURPLUS * CLUSTER_SECONDS / 8.0).clamp(CLUSTER_BYTES_MIN, CLUSTER_BYTES_MAX) as usize
    }

    /// A packet of the probe leaves. Says which cluster it belongs to.
    pub(super) fn sent(&mut self, bytes: usize, now: i64) -> u8 {
        let Some(cluster) = &mut self.cluster else {
            return 0;
        };
        cluster.sent.push(now, u16::try_from(bytes).unwrap_or(u16::MAX));
        cluster.id
    }

    pub(super) fn arrived(&mut self, packet: &Packet, arrival: i64) {
        if let Some(cluster) = self.cluster.as_mut().filter(|cluster| cluster.id == packet.probe) {
            cluster.lost -= u32::from(packet.was_lost).min(cluster.lost);
            cluster.arrived.push(arrival, packet.bytes);
            if cluster.arrived.packets.saturating_mul(2) >= cluster.sent.packets {
                cluster.rear.push(arrival, packet.bytes);
            }
        }
    }

    pub(super) fn lost(&mut self, packet: &Packet) {
        if let Some(cluster) = self.cluster.as_mut().filter(|cluster| cluster.id == packet.probe) {
            cluster.lost = cluster.lost.saturating_add(1);
        }
    }

    /// Whether a packet's delay may be that of a cluster before it.
    pub(super) fn disturbs(&self, packet: &Packet) -> bool {
        packet.probe != 0 || self.disturbed.contains(&packet.sent)
    }

    /// What the cluster has found out, once that is known. `calm`: the delay has not grown otherwise.
    pub(super) fn end(&mut self, calm: bool, now: i64) -> Option<Finding> {
        let cluster = self.cluster.as_ref()?;
        let is_late = now.saturating_sub(cluster.began) >= REPORT_MICROS;
        if !is_late && !cluster.is_reported(now) {
            return None;
        }
        let cluster = self.cluster.take()?;
        self.disturbed.end = cluster.sent.last.0.max(cluster.began) + cluster.arrived.spread() + BEHIND_MICROS;
        let finding = cluster.finding().filter(|_| calm);
        if finding.is_some_and(|finding| finding.carried >= finding.wanted) {
            if self.succeeded.is_some_and(|at| now.saturating_sub(at) >= TRIAL_MICROS) {
                self.wait = WAIT_MICROS;
            }
            self.succeeded = Some(now);
            self.postpone(now + SOON_MICROS);
        } else {
            self.fail(now);
        }
        finding
    }

    /// The network does not carry what is sent.
    pub(super) fn overused(&mut self, now: i64) {
        if self.succeeded.is_some_and(|at| now.saturating_sub(at) < TRIAL_MICROS) {
            self.fail(now);
        }
        self.postpone(now + WAIT_MICROS);
    }

    fn fail(&mut self, now: i64) {
        self.succeeded = None;
        self.postpone(now + self.wait);
        self.wait = (self.wait * 2).min(WAIT_MICROS_MAX);
    }
}

impl Cluster {
    /// Whether the fate of all its packets is known, and none is still to be sent.
    fn is_reported(&self, now: i64) -> bool {
        let known = self.arrived.packets.saturating_add(self.lost);
        self.sent.packets > 0 && known >= self.sent.packets && now > self.sent.last.0
    }

    fn finding(&self) -> Option<Finding> {
        let enough = self.sent.packets.saturating_mul(ARRIVED_PERCENT).div_ceil(100).max(PACKETS_MIN);
        if self.arrived.packets < enough {
            return None;
        }
        let arriving = self.arrived.rate(self.arrived.first);
        let rear = if self.sent.packets < HALVED_PACKETS_MIN { arriving } else { self.rear.rate(self.rear.first) };
        let leaving = self.sent.rate(self.sent.last);
        let carried = (arriving.min(rear).min(leaving) * USABLE).min(self.wanted * SURPLUS);
        Some(Finding { carried, wanted: self.wanted })
    }
}

impl Passage {
    fn push(&mut self, at: i64, bytes: u16) {
        if self.packets == 0 || at < self.first.0 {
            self.first = (at, bytes);
        }
        if self.packets == 0 || at >= self.last.0 {
            self.last = (at, bytes);
        }
        self.packets = self.packets.saturating_add(1);
        self.bytes = self.bytes.saturating_add(u32::from(bytes));
    }

    /// Bits per second, leaving out the packet at one of the ends.
    fn rate(&self, (_, left_out): (i64, u16)) -> f64 {
        let bytes = self.bytes.saturating_sub(u32::from(left_out));
        f64::from(bytes) * 8_000_000.0 / self.spread().max(SPREAD_MICROS_MIN) as f64
    }

    /// Microseconds between the first and the last.
    fn spread(&self) -> i64 {
        self.last.0.saturating_sub(self.first.0)
    }
}
