//! What may be sent: up while the delay is calm, down to what is delivered when it grows or much is lost.
//!
//! Source: draft-ietf-rmcat-gcc-02 §5.5, §6.

use super::{delivered::Delivered, loss::Loss, trend::Signal};

/// What is left of the delivered rate when the delay grows.
const BACK: f64 = 0.85;
/// Growth in a second: until the network has been found to be full for the first time, and afterwards.
const GROWTH_FIRST: f64 = 1.5;
const GROWTH: f64 = 1.08;
/// From this share of what the network carried when it was last full, growth is one packet for each time to respond.
const NEAR: f64 = 0.8;
/// Beyond this share of it, the network has changed.
const FAR: f64 = 1.2;
const PACKET_BITS: f64 = 9_600.0;
/// What is sent is no proof for more than this.
const PROVED: f64 = 1.5;
const PROVED_BITS: f64 = 10_000.0;
/// What is delivered is carried, if nothing grew for so many microseconds.
const CALM_MICROS: i64 = 2_000_000;
/// Between a measure and its effect.
const AGAIN_MICROS: std::ops::RangeInclusive<i64> = 100_000..=300_000;
const RESPONSE_MICROS: i64 = 100_000;
/// Silence of a peer, in microseconds: at first, and then each time.
const SILENCE_MICROS: i64 = 2_000_000;
const SILENT_AGAIN_MICROS: i64 = 1_000_000;

/// The rate, and what it depends on.
#[derive(Debug)]
pub(super) struct Control {
    rate: f64,
    floor: f64,
    ceiling: f64,
    /// What the network carried when it was last full.
    capacity: Option<f64>,
    was_full: bool,
    updated: i64,
    lowered: Option<i64>,
    /// When the rate is lowered because the peer says nothing.
    silence: Option<i64>,
}

impl Control {
    pub(super) fn new(start: u64, floor: u64, ceiling: u64, now: i64) -> Control {
        let (floor, ceiling) = (floor.min(ceiling) as f64, ceiling as f64);
        let rate = (start as f64).clamp(floor, ceiling);
        Control { rate, floor, ceiling, capacity: None, was_full: false, updated: now, lowered: None, silence: None }
    }

    /// Bits per second.
    pub(super) fn rate(&self) -> f64 {
        self.rate
    }

    pub(super) fn clamp(&self, bits_per_second: f64) -> f64 {
        bits_per_second.clamp(self.floor, self.ceiling)
    }

    /// A probe got so much through.
    pub(super) fn prove(&mut self, carried: f64) {
        self.rate = self.rate.max(self.clamp(carried));
    }

    /// Takes up what feedback says. `response`: microseconds from a packet to its feedback. Says whether the network is
    /// full.
    pub(super) fn update(
        &mut self,
        signal: Signal,
        delivered: &Delivered,
        loss: &mut Loss,
        response: i64,
        now: i64,
    ) -> bool {
        let seconds = now.saturating_sub(self.updated).clamp(0, 1_000_000) as f64 / 1_000_000.0;
        self.updated = now;
        self.silence = None;
        let before = self.rate;
        let high_loss = loss.is_high(now);
        match (signal, delivered.short(), delivered.long()) {
            (Signal::Over, Some(short), _) => self.back_off(short, response, now),
            (Signal::Calm, _, Some(long)) => {
                if loss.is_low() {
                    self.grow(long, response, seconds);
                }
                if self.lowered.is_none_or(|at| now.saturating_sub(at) >= CALM_MICROS) {
                    self.rate = self.rate.max(long);
                }
            }
            _ => {}
        }
        if let (Some(share), Some(long)) = (high_loss, delivered.long()) {
            // What does arrive is carried, whatever is lost besides.
            self.rate = self.rate.min((self.rate * (1.0 - share / 2.0)).max(long));
            self.lowered = Some(now);
        }
        self.rate = self.clamp(self.rate);
        signal == Signal::Over || self.rate < before
    }

    fn back_off(&mut self, delivered: f64, response: i64, now: i64) {
        let again = response.clamp(*AGAIN_MICROS.start(), *AGAIN_MICROS.end());
        if self.lowered.is_some_and(|at| now.saturating_sub(at) < again) {
            return;
        }
        self.lowered = Some(now);
        self.was_full = true;
        self.capacity = Some(delivered);
        self.rate = self.rate.min(delivered * BACK);
    }

    fn grow(&mut self, delivered: f64, response: i64, seconds: f64) {
        if self.capacity.is_some_and(|capacity| self.rate > capacity * FAR) {
            self.capacity = None;
        }
        let growth = if self.was_full { GROWTH } else { GROWTH_FIRST };
        let mut more = self.rate * (growth.powf(seconds) - 1.0);
        if self.capacity.is_some_and(|capacity| self.rate > capacity * NEAR) {
            let response = response.saturating_add(RESPONSE_MICROS) as f64 / 1_000_000.0;
            more = more.min(PACKET_BITS * seconds / response);
        }
        let proved = delivered * PROVED + PROVED_BITS;
        if self.rate < proved {
            self.rate = (self.rate + more).min(proved);
        }
    }

    /// A packet leaves. If the peer has not said anything of others for long, the rate falls.
    #[inline]
    pub(super) fn sent(&mut self, now: i64) {
        match self.silence {
            None => self.silence = Some(now.saturating_add(SILENCE_MICROS)),
            Some(due) if due <= now => self.fall_silent(now),
            Some(_) => {}
        }
    }

    /// Halves the rate for each time that the peer should have spoken.
    #[cold]
    fn fall_silent(&mut self, now: i64) {
        while let Some(due) = self.silence.filter(|due| *due <= now && self.rate > self.floor) {
            self.rate = self.clamp(self.rate / 2.0);
            self.silence = Some(due.saturating_add(SILENT_AGAIN_MICROS));
        }
    }
}
