//! Which of several renditions goes into a track's own lane.
//!
//! A browser that sends three sizes of a picture stops sending the large ones when its network narrows. Viewers that
//! do not choose read one lane, and in it stands the best rendition that comes now: it changes where a decoder can
//! start, and only there.

use std::time::{Duration, Instant};

use headwater_graph::{Bell, LaneWriter};
use headwater_media::{Packet, TrackParameters};

use super::{
    source::Written,
    untold::{Untold, Window},
};

/// The lane of a track that comes in several renditions at once.
#[derive(Debug)]
pub(crate) struct Selector {
    /// The media section that the renditions belong to.
    pub(crate) section: usize,
    writer: LaneWriter<Packet>,
    flows: Vec<Flow>,
    current: Option<usize>,
    untold: Untold,
}

/// What comes of one rendition.
#[derive(Debug)]
struct Flow {
    source: usize,
    heard: Instant,
    /// When the present period began, and the bytes that came in it.
    period: (Instant, u64),
    /// Bytes in the period before.
    rate: u64,
}

/// The time over which bitrates are compared.
const PERIOD: Duration = Duration::from_secs(1);
/// A rendition of which nothing has come for so long is not there.
const SILENCE: Duration = Duration::from_millis(500);
/// For so long after that the richest of the others is waited for, before any will do.
const CHOICE: Duration = Duration::from_millis(300);

impl Flow {
    fn count(&mut self, bytes: usize, now: Instant) {
        self.heard = now;
        if now.saturating_duration_since(self.period.0) >= PERIOD {
            self.rate = self.period.1;
            self.period = (now, 0);
        }
        self.period.1 = self.period.1.saturating_add(bytes as u64);
    }

    fn comes(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.heard) < SILENCE
    }
}

impl Selector {
    pub(crate) fn new(section: usize, writer: LaneWriter<Packet>, bell: &Bell) -> Selector {
        writer.demand().set_bell(bell);
        Selector { section, writer, flows: Vec::new(), current: None, untold: Untold::default() }
    }

    /// Takes a packet that has come of a source. Says whether that source has to make a key frame, so that the lane
    /// can go over to it.
    pub(crate) fn take(
        &mut self,
        source: usize,
        parameters: impl FnOnce() -> Option<TrackParameters>,
        written: &Written,
        now: Instant,
    ) -> bool {
        let packet = &written.packet;
        match self.flows.iter_mut().find(|flow| flow.source == source) {
            Some(flow) => flow.count(packet.payload.len(), now),
            None => {
                let period = (now, packet.payload.len() as u64);
                self.flows.push(Flow { source, heard: now, period, rate: 0 });
            }
        }
        if self.current != Some(source) {
            if !self.is_better(source, now) {
                return false;
            }
            if !packet.random_access {
                return true;
            }
            self.go_over(source);
        } else if written.after_break {
            self.writer.discontinuity();
        }
        if packet.random_access
            && let Some(parameters) = parameters()
        {
            self.writer.set_parameters(parameters);
        }
        self.writer.push(packet.clone());
        self.untold.add(packet.marker, now);
        false
    }

    /// Whether a source is to take the place of the one in the lane: that one has fallen silent and this one is the
    /// richest that is left, or it is the richest by a clear margin.
    fn is_better(&self, source: usize, now: Instant) -> bool {
        let find = |wanted: usize| self.flows.iter().find(move |flow| flow.source == wanted);
        let Some(current) = self.current.and_then(find) else {
            return true;
        };
        let richest = self.flows.iter().filter(|flow| flow.comes(now)).max_by_key(|flow| flow.rate);
        let is_richest = richest.is_some_and(|flow| flow.source == source);
        if !current.comes(now) {
            return is_richest || now.saturating_duration_since(current.heard) >= SILENCE + CHOICE;
        }
        is_richest && richest.is_some_and(|flow| flow.rate > current.rate.saturating_mul(5) / 4)
    }

    fn go_over(&mut self, source: usize) {
        if self.current.replace(source).is_some() {
            self.writer.discontinuity();
        }
    }

    /// The source whose key frames the lane's readers wish for, if they do.
    pub(crate) fn wish(&self) -> Option<usize> {
        self.writer.demand().take_key_frame_request().then_some(self.current)?
    }

    /// Wakes the lane's readers, if there is something new that does not wait for more of its picture.
    pub(crate) fn ring(&mut self, window: Window, now: Instant) {
        if self.untold.take(window, now) {
            self.writer.ring();
        }
    }

    /// When readers are to be told at the latest of what has been written.
    pub(crate) fn told_by(&self, window: Window) -> Option<Instant> {
        self.untold.due(window)
    }
}

#[cfg(test)]
mod tests {
    use headwater_graph::{Join, LaneOptions, Next, lane};

    use super::*;

    /// Which source each packet of the lane came from, when each of `rates` sends a packet of that size every 20 ms
    /// and a key frame whenever it is asked; a source is silent where its size is 0.
    fn run(milliseconds: u64, sizes: impl Fn(u64) -> [usize; 3]) -> Vec<u8> {
        let (writer, lane) = lane(LaneOptions::default());
        let bell = Bell::new();
        let mut cursor = lane.cursor(&bell, Join::NewestGroup);
        let mut selector = Selector::new(0, writer, &bell);
        let (start, mut asked, mut seen) = (Instant::now(), [true; 3], Vec::new());
        for ms in (0..milliseconds).step_by(20) {
            for (source, size) in sizes(ms).into_iter().enumerate().filter(|(_, size)| *size > 0) {
                let random_access = std::mem::take(&mut asked[source]);
                let payload = vec![source as u8; size].into();
                let packet = Packet {
                    sequence: ms,
                    timestamp: ms as i64 * 90,
                    marker: true,
                    random_access,
                    orientation: Default::default(),
                    payload,
                };
                let written = Written { packet, after_break: false };
                let now = start + Duration::from_millis(ms);
                asked[source] |= selector.take(source, || None, &written, now);
            }
            loop {
                match cursor.next() {
                    Next::Item(packet) => seen.push(packet.payload[0]),
                    Next::Empty | Next::Ended => break,
                    _ => {}
                }
            }
        }
        seen.dedup();
        seen
    }

    #[test]
    fn the_lane_goes_up_to_the_richest_and_stays_there() {
        assert_eq!(run(5_000, |_| [100, 300, 1_000]), [0, 2]);
        assert_eq!(run(5_000, |_| [1_000, 300, 100]), [0]);
    }

    #[test]
    fn the_lane_goes_down_when_the_richest_falls_silent_and_up_again() {
        let sizes = |ms: u64| [100, 300, if (3_000..6_000).contains(&ms) { 0 } else { 1_000 }];
        let seen = run(10_000, sizes);
        assert_eq!((seen.first(), seen.last()), (Some(&0), Some(&2)));
        assert_eq!(seen, [0, 2, 1, 2], "it goes down in one step");
    }

    #[test]
    fn a_rendition_that_is_turned_within_its_group_is_turned_in_the_lane_from_the_same_picture_on() {
        let (writer, lane) = lane(LaneOptions::default());
        let bell = Bell::new();
        let mut cursor = lane.cursor(&bell, Join::NewestGroup);
        let mut selector = Selector::new(0, writer, &bell);
        let turns = [0, 1, 1, 3, 0];
        for (sequence, byte) in (0_i64..).zip(turns) {
            let orientation = headwater_media::Orientation::read(byte);
            let (timestamp, random_access, payload) = (sequence * 3_000, sequence == 0, [0; 9].into());
            let sequence = sequence.unsigned_abs();
            let packet = Packet { sequence, timestamp, marker: true, random_access, orientation, payload };
            selector.take(0, || None, &Written { packet, after_break: false }, Instant::now());
        }
        let mut seen = Vec::new();
        while let Next::Item(packet) = cursor.next() {
            seen.push(packet.orientation.byte());
        }
        assert_eq!(seen, turns);
    }

    #[test]
    fn renditions_of_nearly_one_rate_do_not_take_turns() {
        assert_eq!(run(10_000, |ms| [500, 500 + (ms as usize / 100) % 100, 0]), [0]);
    }
}
