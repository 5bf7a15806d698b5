//! What a viewer that is sent whole pictures sees: counted, held against a player's clock, tried by the decoder in turn.

use std::{
    cell::RefCell,
    time::{Duration, Instant},
};

use headwater_codec::{h264, nal::Nals};
use headwater_media::{Codec, Frame, TrackParameters, limits};
use tokio::time::{MissedTickBehavior, interval};

use super::Seat;
use crate::{Failure, decode::Turn, failure::Reason, figures::Way, player::Player, seen::Seen, stamp, worker::Worker};

/// How often is told what was seen.
const TELL: Duration = Duration::from_secs(1);
/// How long the words of farewell may take.
pub(super) const FAREWELL: Duration = Duration::from_millis(500);
/// What players that keep near to the source have loaded at most.
const LIVE_BUFFER: Duration = Duration::from_millis(500);

/// What one viewer sees.
pub(super) struct Screen<'a> {
    seat: &'a Seat,
    seen: Seen,
    turn: Turn,
    player: Player,
    parameters: Option<TrackParameters>,
    asked: Instant,
    joined: Option<Instant>,
    silence_max: Duration,
}

impl<'a> Screen<'a> {
    /// That of a player that keeps near to the source.
    pub(super) fn live(seat: &'a Seat, worker: &Worker) -> RefCell<Screen<'a>> {
        Screen::new(seat, worker, Player::live(LIVE_BUFFER))
    }

    /// That of a player that keeps what it has loaded.
    pub(super) fn patient(seat: &'a Seat, worker: &Worker) -> RefCell<Screen<'a>> {
        Screen::new(seat, worker, Player::patient())
    }

    fn new(seat: &'a Seat, worker: &Worker, player: Player) -> RefCell<Screen<'a>> {
        RefCell::new(Screen {
            seat,
            seen: seat.presence.see(),
            turn: worker.turns.join(seat.presence.board.clone()),
            player,
            parameters: None,
            asked: Instant::now(),
            joined: None,
            silence_max: limits::LOAD_SILENCE_MS.get_duration(),
        })
    }

    /// The server lets media flow.
    pub(super) fn join(&mut self) {
        if self.joined.is_none() {
            self.joined = Some(Instant::now());
            self.seat.presence.join();
        }
    }

    /// Media comes in pieces that may be so far apart.
    pub(super) fn expect_pauses(&mut self, longest: Duration) {
        self.silence_max = limits::LOAD_SILENCE_MS.get_duration().max(longest);
    }

    /// Bytes of media have come, in whatever form.
    pub(super) fn bytes(&mut self, bytes: usize) {
        self.seen.counts.bytes += bytes as u64;
    }

    /// What is counted besides.
    pub(super) fn counts(&mut self) -> &mut crate::seen::Counts {
        &mut self.seen.counts
    }

    /// What a decoder of the picture must know from here on.
    pub(super) fn parameters(&mut self, parameters: TrackParameters) {
        if self.parameters.as_ref() != Some(&parameters) {
            self.turn.give_parameters(&parameters);
            self.parameters = Some(parameters);
        }
    }

    /// The times of what follows do not continue those of what came before.
    pub(super) fn break_off(&mut self) {
        self.player.break_off();
    }

    /// A frame of sound has come.
    pub(super) fn sound(&mut self, now: Instant) {
        self.seen.packet(0, now);
    }

    /// A picture has come, with its decoding time; without a codec it is one that is not known here.
    pub(super) fn picture(&mut self, codec: Option<Codec>, time: Duration, frame: Frame, now: Instant) {
        self.seen.packet(0, now);
        let shown = self.player.show(time, now);
        self.seen.picture_after(shown.frozen, now);
        self.seen.counts.lost += i64::try_from(shown.missing).unwrap_or(i64::MAX);
        if codec == Some(Codec::H264)
            && let Some(sent) = sent(&frame.data)
        {
            match self.player.is_patient() {
                true => self.seen.latency(sent, shown.wait),
                false => self.seen.stamp(sent),
            }
        }
        if let Some(codec) = codec {
            self.turn.give_frame(codec, self.parameters.as_ref(), frame);
        }
        if self.seen.has_firsts() {
            self.tell();
        }
    }

    fn tell(&mut self) {
        self.seat.presence.tell(&mut self.seen, Way::default());
    }

    fn check(&self, now: Instant) -> Result<(), Failure> {
        let setup = limits::LOAD_SETUP_MS.get_duration();
        let late = |since: Instant| now.saturating_duration_since(since) > setup;
        match (self.joined, self.seen.silence(now)) {
            (None, _) if late(self.asked) => {
                Err(Failure::new(Reason::NoAnswer, format!("the server has not let the stream begin within {setup:?}")))
            }
            (Some(joined), None) if now.saturating_duration_since(joined) > setup.max(self.silence_max) => {
                Err(Failure::new(Reason::NoMedia, format!("no media came within {:?}", setup.max(self.silence_max))))
            }
            (_, Some(silence)) if silence > self.silence_max => {
                Err(Failure::new(Reason::Silent, format!("no media has come for {silence:.0?}")))
            }
            _ => Ok(()),
        }
    }
}

/// Lets a screen be filled until its viewer is told to stop, and tells once in a second what it has seen.
///
/// # Errors
/// Why nothing comes, or nothing any more.
pub(super) async fn watch(
    screen: &RefCell<Screen<'_>>,
    seat: &Seat,
    receiving: impl Future<Output = Result<(), Failure>>,
) -> Result<(), Failure> {
    let (mut stopped, mut receiving) = (std::pin::pin!(seat.stop.cancelled()), std::pin::pin!(receiving));
    let mut ticks = interval(TELL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let watched = loop {
        tokio::select! {
            biased;
            () = &mut stopped => break Ok(()),
            _ = ticks.tick() => {
                let mut screen = screen.borrow_mut();
                screen.tell();
                if let Err(failure) = screen.check(Instant::now()) {
                    break Err(failure);
                }
            }
            received = &mut receiving => break received,
        }
    };
    screen.borrow_mut().tell();
    watched
}

/// The time that a picture says it was sent at: the message stands before its first slice.
fn sent(picture: &[u8]) -> Option<u64> {
    let nals = Nals::new(picture).map_while(Result::ok);
    nals.take_while(|nal| !h264::is_slice(nal)).find_map(stamp::of_nal)
}

/// Puts times that are counted in few bits behind each other.
#[derive(Debug)]
pub(super) struct Count {
    bits: u32,
    last: Option<i64>,
}

impl Count {
    /// Of times in so many bits, at most 33.
    pub(super) fn of_bits(bits: u32) -> Count {
        Count { bits, last: None }
    }

    /// The time nearest to the one before that has these lower bits; never below zero.
    pub(super) fn follow(&mut self, time: u64) -> u64 {
        let (time, round) = (i64::try_from(time).unwrap_or(0), 1i64 << self.bits.min(33));
        let whole = match self.last {
            None => time,
            Some(last) => {
                let step = (time - last).rem_euclid(round);
                last + if step >= round / 2 { step - round } else { step }
            }
        };
        self.last = Some(whole);
        u64::try_from(whole).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_go_on_where_their_count_begins_anew() {
        let mut count = Count::of_bits(32);
        let near = u64::from(u32::MAX) - 1;
        let times = [near, near + 1, 0, 40, u64::from(u32::MAX)].map(|time| count.follow(time));
        assert_eq!(times, [near, near + 1, near + 2, near + 42, near + 1]);
        assert_eq!(Count::of_bits(33).follow((1 << 33) - 1), (1 << 33) - 1);
    }

    #[test]
    fn the_stamp_is_found_before_the_slices() {
        let slice = [0, 0, 0, 2, 0x65, 1];
        let picture = stamp::with_stamp(&slice, 7);
        assert_eq!(sent(&picture), Some(7));
        assert_eq!(sent(&[&slice[..], &picture].concat()), None);
    }
}
