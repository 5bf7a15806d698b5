//! What a viewer that joins in the middle of a group has to catch up on.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use headwater_media::{ClockRate, Packet, Ticks};

/// Packets sent in one go while catching up.
const SLICE_PACKETS: usize = 16;
/// Rest between two such goes, so that a home connection's queue does not overflow, and a packet is still kept for
/// retransmission when the peer has missed it: about 38 Mbit/s.
const SLICE_INTERVAL: Duration = Duration::from_millis(4);
/// Distance in time between two frames of the past.
const FRAME_DISTANCE: Duration = Duration::from_millis(1);

/// The packets from the beginning of the newest group up to now.
///
/// A decoder needs all of them, but nobody wants to see the past. Sent at their own times, they would make a browser
/// show the group from its beginning and stay that much behind. So the newest frame keeps its time and those
/// before it are put close together just ahead of it: the decoder runs through them, and the picture is live at once.
#[derive(Debug)]
pub(crate) struct Backlog {
    packets: VecDeque<Packet>,
    past: Past,
    next_slice: Option<Instant>,
}

/// The times that the frames of a backlog are given.
#[derive(Debug)]
pub(crate) struct Past {
    /// The source's number of the first packet.
    first: u64,
    /// The distinct times of the frames, in order.
    times: Vec<Ticks>,
    distance: Ticks,
}

impl Backlog {
    /// Takes what is there to catch up on.
    pub(crate) fn new(packets: VecDeque<Packet>, clock_rate: ClockRate) -> Backlog {
        let first = packets.front().map_or(0, |packet| packet.sequence);
        let mut times: Vec<Ticks> = packets.iter().map(|packet| packet.timestamp).collect();
        times.sort_unstable();
        times.dedup();
        let past = Past { first, times, distance: clock_rate.ticks(FRAME_DISTANCE).max(1) };
        Backlog { packets, past, next_slice: None }
    }

    /// When more of it may be sent.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.next_slice
    }

    /// Whether all of it has been taken.
    pub(crate) fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    /// The packets that may be sent now, each with the time it is to have.
    pub(crate) fn slice(&mut self, now: Instant) -> Vec<(Packet, Ticks)> {
        if self.next_slice.is_some_and(|due| now < due) {
            return Vec::new();
        }
        self.next_slice = Some(now + SLICE_INTERVAL);
        let count = self.packets.len().min(SLICE_PACKETS);
        let taken: Vec<Packet> = self.packets.drain(..count).collect();
        let with_time = |packet: Packet| {
            let time = self.past.time(&packet);
            (packet, time)
        };
        taken.into_iter().map(with_time).collect()
    }

    /// What is needed to send some of it again.
    pub(crate) fn past(&self) -> &Past {
        &self.past
    }

    /// The same, once all of it has been sent.
    pub(crate) fn into_past(self) -> Past {
        self.past
    }
}

impl Past {
    /// The time that a packet is given; its own, if it is not of the past.
    pub(crate) fn time(&self, packet: &Packet) -> Ticks {
        let own = packet.timestamp;
        let Some(newest) = self.times.last().filter(|_| packet.sequence >= self.first) else {
            return own;
        };
        let rank = self.times.partition_point(|time| *time <= own);
        let behind = Ticks::try_from(self.times.len() - rank).unwrap_or(Ticks::MAX);
        // Never before its own time: frames of a very fast source are closer together than that.
        newest.saturating_sub(behind.saturating_mul(self.distance)).max(own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(sequence: u64, timestamp: Ticks) -> Packet {
        Packet {
            sequence,
            timestamp,
            marker: true,
            random_access: sequence == 0,
            orientation: Default::default(),
            payload: [0].into(),
        }
    }

    fn times(packets: &[(u64, Ticks)]) -> Vec<Ticks> {
        let packets = packets.iter().map(|(sequence, time)| packet(*sequence, *time)).collect();
        let mut backlog = Backlog::new(packets, ClockRate::VIDEO);
        backlog.slice(Instant::now()).into_iter().map(|(_, time)| time).collect()
    }

    #[test]
    fn the_newest_frame_keeps_its_time_and_the_older_come_just_before_it() {
        let sent = times(&[(0, 0), (1, 0), (2, 3_000), (3, 6_000), (4, 9_000), (5, 9_000)]);
        assert_eq!(sent, [8_730, 8_730, 8_820, 8_910, 9_000, 9_000]);
    }

    #[test]
    fn frames_shown_in_another_order_keep_their_order() {
        assert_eq!(times(&[(0, 0), (1, 9_000), (2, 3_000), (3, 6_000)]), [8_730, 9_000, 8_820, 8_910]);
    }

    #[test]
    fn frames_that_are_closer_than_that_are_left_alone() {
        assert_eq!(times(&[(0, 0), (1, 10), (2, 20)]), [0, 10, 20]);
    }

    #[test]
    fn it_is_sent_in_slices() {
        let packets = (0..40).map(|n| packet(n, n as Ticks * 3_000)).collect();
        let mut backlog = Backlog::new(packets, ClockRate::VIDEO);
        let mut now = Instant::now();
        let mut sizes = Vec::new();
        while !backlog.is_empty() {
            sizes.push(backlog.slice(now).len());
            assert!(backlog.slice(now).is_empty(), "not before its time");
            now = backlog.due().unwrap();
        }
        assert_eq!(sizes, [16, 16, 8]);
    }

    #[test]
    fn a_packet_that_is_sent_again_has_the_time_that_it_had() {
        let packets = [(5, 0), (6, 0), (7, 3_000), (8, 6_000)].map(|(sequence, time)| packet(sequence, time));
        let mut backlog = Backlog::new(packets.clone().into(), ClockRate::VIDEO);
        let sent: Vec<Ticks> = backlog.slice(Instant::now()).into_iter().map(|(_, time)| time).collect();
        let past = backlog.into_past();
        assert_eq!(packets.each_ref().map(|packet| past.time(packet)).to_vec(), sent);
        assert_eq!(past.time(&packet(9, 9_000)), 9_000, "what followed had its own");
        assert_eq!(past.time(&packet(4, 0)), 0, "and so had what came before");
    }
}
