//! How much longer one burst of packets took than the one before it.
//!
//! Packets that leave within 5 ms, as those of a frame do, are one group: what lies between them is not the network's.
//!
//! Source: draft-ietf-rmcat-gcc-02 §5.1, §5.2.

/// Microseconds within which packets are sent that belong together.
const SENT_MICROS: i64 = 5_000;
/// Packets that were held up somewhere and then come together, no further apart than this, belong together as well, for
/// so long in all.
const ARRIVAL_MICROS: i64 = 5_000;
const BURST_MICROS: i64 = 100_000;
/// A jump of the peer's clock, or a pause: nothing can be said across it.
const JUMP_MICROS: i64 = 3_000_000;

/// The group that is being received, and the one before.
#[derive(Debug, Default)]
pub(super) struct Groups {
    current: Option<Group>,
    previous: Option<Group>,
}

/// From one group to the next, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Variation {
    /// Between the departures of the last packets.
    pub(super) sent: i64,
    /// Between their arrivals.
    pub(super) arrival: i64,
    /// When the later group was complete, on the peer's clock.
    pub(super) at: i64,
}

#[derive(Clone, Copy, Debug)]
struct Group {
    first_sent: i64,
    last_sent: i64,
    first_arrival: i64,
    last_arrival: i64,
}

impl Groups {
    /// Takes a packet that has arrived, both times in microseconds. Says what a group that is complete by it has to say.
    pub(super) fn push(&mut self, sent: i64, arrival: i64) -> Option<Variation> {
        let started = Group { first_sent: sent, last_sent: sent, first_arrival: arrival, last_arrival: arrival };
        let Some(current) = &mut self.current else {
            self.current = Some(started);
            return None;
        };
        if (arrival.saturating_sub(current.last_arrival)).abs() > JUMP_MICROS {
            *self = Groups { current: Some(started), previous: None };
            return None;
        }
        if sent < current.first_sent {
            return None;
        }
        if current.takes(sent, arrival) {
            current.last_sent = current.last_sent.max(sent);
            current.last_arrival = current.last_arrival.max(arrival);
            return None;
        }
        let complete = *current;
        *current = started;
        let previous = self.previous.replace(complete)?;
        Some(Variation {
            sent: complete.last_sent - previous.last_sent,
            arrival: complete.last_arrival - previous.last_arrival,
            at: complete.last_arrival,
        })
    }
}

impl Group {
    fn takes(&self, sent: i64, arrival: i64) -> bool {
        if sent - self.first_sent <= SENT_MICROS {
            return true;
        }
        let came_after = arrival - self.last_arrival;
        came_after <= ARRIVAL_MICROS
            && came_after < sent - self.last_sent
            && arrival - self.first_arrival < BURST_MICROS
    }
}
