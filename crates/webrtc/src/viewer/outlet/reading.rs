//! How what is new in a lane goes out to a viewer, and in what portions.

use std::time::{Duration, Instant};

use headwater_graph::{Cursor, Next};
use headwater_media::{ClockRate, Packet, limits};

use crate::{
    egress::{Egress, Sink},
    statistics::Counters,
    viewer::flow::CaptureClock,
};

use super::{Outlet, PAST_KEPT};

/// Packets that leave at once, and the rest before more of them do: a key frame of hundreds of packets is not to fill
/// the queues on the way to one viewer while others wait for its beginning. It is about 300 Mbit/s.
const SLICE_PACKETS: u64 = 32;
const SLICE_INTERVAL: Duration = Duration::from_millis(1);

/// How a reading went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// Packets were handed over.
    Packets(u64),
    /// There was nothing new.
    Nothing,
    /// The lane has ended.
    Ended,
}

impl Outlet {
    /// Hands all new packets over to the session.
    pub(crate) fn read(
        &mut self,
        egress: &mut Egress,
        out: &mut impl Sink,
        clock: &mut CaptureClock,
        now: Instant,
        counters: &Counters,
    ) -> Reading {
        if self.more_at.is_some_and(|at| now < at) {
            return Reading::Nothing;
        }
        self.more_at = None;
        if self.next.is_some() {
            self.try_go_over();
        }
        if self.backlog.is_some() {
            return self.read_backlog(egress, out, clock, now);
        }
        let Some(cursor) = &mut self.cursor else {
            return Reading::Nothing;
        };
        if cursor.next_ticks().is_none() {
            return if cursor.has_ended() { Reading::Ended } else { Reading::Nothing };
        }
        if is_too_slow(cursor, self.flow.clock_rate) {
            counters.skips.add(1);
            cursor.skip_to_newest_group();
            self.flow.jump();
            self.catch_up();
            return Reading::Packets(0);
        }
        self.read_live(egress, out, clock, now, counters)
    }

    #[cold]
    fn read_backlog(
        &mut self,
        egress: &mut Egress,
        out: &mut impl Sink,
        clock: &mut CaptureClock,
        now: Instant,
    ) -> Reading {
        let Some(mut backlog) = self.backlog.take() else {
            return Reading::Nothing;
        };
        let slice = backlog.slice(now);
        let mut count = 0;
        egress.write(self.sources.index, now, out, |writer| {
            for (packet, time) in &slice {
                count += self.flow.send(writer, packet, *time);
            }
            self.flow.mark(writer, clock, now);
        });
        match backlog.is_empty() {
            true => self.past = Some(Box::new((backlog.into_past(), now + PAST_KEPT))),
            false => self.backlog = Some(backlog),
        }
        if slice.is_empty() { Reading::Nothing } else { Reading::Packets(count) }
    }

    fn read_live(
        &mut self,
        egress: &mut Egress,
        out: &mut impl Sink,
        clock: &mut CaptureClock,
        now: Instant,
        counters: &Counters,
    ) -> Reading {
        let Outlet { cursor: Some(cursor), flow, formats, more_at, .. } = self else {
            return Reading::Nothing;
        };
        let (mut count, mut lost) = (0, false);
        egress.write(self.sources.index, now, out, |writer| {
            loop {
                if count >= SLICE_PACKETS && cursor.next_ticks().is_some() {
                    *more_at = Some(now + SLICE_INTERVAL);
                    break;
                }
                match cursor.next() {
                    Next::Item(packet) => count += flow.send(writer, packet, packet.timestamp),
                    Next::Parameters(parameters) => flow.take_parameters(parameters, formats),
                    Next::Discontinuity => flow.start_over(),
                    Next::Lost { .. } => {
                        lost = true;
                        break;
                    }
                    Next::Empty | Next::Ended => break,
                }
            }
            flow.mark(writer, clock, now);
        });
        if lost {
            counters.skips.add(1);
            self.flow.jump();
            self.catch_up();
        }
        if self.past.as_deref().is_some_and(|(_, until)| *until <= now) {
            self.past = None;
        }
        Reading::Packets(count)
    }
}

fn is_too_slow(cursor: &Cursor<Packet>, clock_rate: ClockRate) -> bool {
    let lag = cursor.lag();
    let ticks = clock_rate.ticks(limits::VIEWER_LAG_MS.get_duration());
    let is_too_slow = lag.bytes > limits::VIEWER_LAG_BYTES.get() || lag.ticks > ticks;
    if is_too_slow {
        limits::VIEWER_LAG_MS.hit();
    }
    is_too_slow
}
