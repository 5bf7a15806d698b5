//! A bad line between a viewer and the server: both ways take their time, and packets of the picture are lost.
//!
//! It lies within the viewer, so it needs no rights on the machine: what is to be sent waits here, and so does what
//! has come.

use std::{
    collections::{HashMap, VecDeque},
    net::SocketAddr,
    time::{Duration, Instant},
};

/// RTP payload type of Opus as viewers offer it; sound is not sent again, so none of it is lost.
const OPUS: u8 = 111;
const RTP_HEADER_BYTES: usize = 12;
/// How a request for packets begins, where it is not behind a report (RFC 4585 §6.1 and §6.2.1).
const NACK: [u8; 2] = [0x81, 205];
/// What is missing for less time than this may still come.
const FRESH: Duration = Duration::from_millis(500);
/// Holes that are remembered at a time.
const HOLES_MAX: usize = 4_096;

/// How bad a line is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quality {
    /// Of each way.
    pub(crate) delay: Duration,
    /// Of a thousand packets of the picture to the viewer, those sent again included.
    pub(crate) lost_per_mille: u64,
}

/// A datagram and when it is through.
struct Underway {
    due: Instant,
    address: SocketAddr,
    bytes: Vec<u8>,
}

/// The line of one viewer.
pub(super) struct Line {
    quality: Quality,
    random: u64,
    out: VecDeque<Underway>,
    inward: VecDeque<Underway>,
    /// Numbers that were lost of sources that are not sent again themselves, and when they would have been through.
    holes: HashMap<(u32, u16), Instant>,
    /// Sources whose packets have come out as media.
    media: Vec<u32>,
    /// A request for packets left the line, and has not been answered.
    reported: Option<Instant>,
    mended: Mended,
}

/// What became of holes.
#[derive(Clone, Default)]
pub(crate) struct Mended {
    /// Packets, but for those that were lost just now.
    pub(crate) lost: u64,
    /// Milliseconds from when a lost packet would have come to when it came after all.
    pub(crate) times: Vec<f64>,
    /// Milliseconds from a request for packets to the first that is sent again, at the server's end of the line.
    pub(crate) answers: Vec<f64>,
}

impl Line {
    /// The same number leads to the same losses.
    pub(super) fn new(quality: Quality, seed: u64) -> Line {
        Line {
            quality,
            random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            out: VecDeque::new(),
            inward: VecDeque::new(),
            holes: HashMap::new(),
            media: Vec::new(),
            reported: None,
            mended: Mended::default(),
        }
    }

    /// The viewer sends a datagram.
    pub(super) fn send(&mut self, to: SocketAddr, bytes: Vec<u8>, now: Instant) {
        self.out.push_back(Underway { due: now + self.quality.delay, address: to, bytes });
    }

    /// What leaves the line for the server now.
    pub(super) fn leaving(&mut self, now: Instant) -> Option<(SocketAddr, Vec<u8>)> {
        let next = self.out.pop_front_if(|next| next.due <= now)?;
        if next.bytes.starts_with(&NACK) {
            self.reported = Some(now);
        }
        Some((next.address, next.bytes))
    }

    /// A datagram of the server comes to the line, which may lose it.
    pub(super) fn receive(&mut self, from: SocketAddr, bytes: &[u8], now: Instant) {
        let due = now + self.quality.delay;
        if let Some((source, sequence)) = picture(bytes) {
            if !self.media.is_empty() && !self.media.contains(&source) {
                // What follows the first answer is for others that were asked for, or once more what was sent.
                let since = self.reported.take().map(|reported| now.saturating_duration_since(reported));
                self.mended.answers.extend(since.map(|since| since.as_secs_f64() * 1e3));
            }
            if self.loses() {
                if self.media.contains(&source) && self.holes.len() < HOLES_MAX {
                    self.mended.lost += 1;
                    self.holes.insert((source, sequence), due);
                }
                return;
            }
        }
        self.inward.push_back(Underway { due, address: from, bytes: bytes.to_vec() });
    }

    /// What comes out for the viewer now.
    pub(super) fn arriving(&mut self, now: Instant) -> Option<(SocketAddr, Vec<u8>)> {
        let next = self.inward.pop_front_if(|next| next.due <= now)?;
        Some((next.address, next.bytes))
    }

    /// A packet of media has come out at the end, in its place.
    pub(super) fn take(&mut self, source: u32, sequence: u64, now: Instant) {
        if !self.media.contains(&source) {
            self.media.push(source);
        }
        if let Some(due) = self.holes.remove(&(source, sequence as u16)) {
            self.mended.times.push(now.saturating_duration_since(due).as_secs_f64() * 1e3);
        }
    }

    /// When something is through.
    pub(super) fn next(&self) -> Option<Instant> {
        [self.out.front(), self.inward.front()].into_iter().flatten().map(|next| next.due).min()
    }

    /// Counts anew; what is missing now is not counted.
    pub(super) fn begin(&mut self) {
        self.holes.clear();
        self.mended = Mended::default();
    }

    /// What became of holes until now.
    pub(super) fn mended(&self, now: Instant) -> Mended {
        let fresh = self.holes.values().filter(|due| **due + FRESH > now).count() as u64;
        Mended { lost: self.mended.lost.saturating_sub(fresh), ..self.mended.clone() }
    }

    fn loses(&mut self) -> bool {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) % 1_000 < self.quality.lost_per_mille
    }
}

/// Source and number of an RTP packet that is not sound (RFC 3550 §5.1).
fn picture(bytes: &[u8]) -> Option<(u32, u16)> {
    let header = bytes.get(..RTP_HEADER_BYTES)?;
    let kind = header[1];
    let is_rtp = (128..192).contains(&header[0]) && !(192..=223).contains(&kind);
    let number = u16::from_be_bytes([header[2], header[3]]);
    let source = u32::from_be_bytes([header[8], header[9], header[10], header[11]]);
    (is_rtp && kind & 0x7f != OPUS).then_some((source, number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(kind: u8, source: u8, number: u16) -> Vec<u8> {
        let [high, low] = number.to_be_bytes();
        vec![0x80, kind, high, low, 0, 0, 0, 0, 0, 0, 0, source, 1, 2, 3]
    }

    #[test]
    fn what_is_lost_is_a_hole_until_it_comes_again() {
        let quality = Quality { delay: Duration::from_millis(25), lost_per_mille: 20 };
        let mut line = Line::new(quality, 7);
        let (server, start) = (([127, 0, 0, 1], 9).into(), Instant::now());
        line.take(1, 0, start);
        for number in 0..10_000 {
            line.receive(server, &packet(96, 1, number), start);
            line.receive(server, &packet(OPUS, 2, number), start);
        }
        let lost = line.mended.lost;
        assert!((150..=250).contains(&lost), "{lost}");
        assert!(line.arriving(start).is_none(), "it takes its time");
        let through = start + quality.delay;
        let mut came = Vec::new();
        while let Some((_, bytes)) = line.arriving(through) {
            came.extend(picture(&bytes).map(|(_, number)| number));
        }
        assert_eq!(came.len() as u64, 10_000 - lost);
        let missing = (0..10_000).find(|number| !came.contains(number)).unwrap();
        let later = through + Duration::from_millis(80);
        line.take(1, 65_536 + u64::from(missing), later);
        line.take(1, u64::from(missing), later);
        assert_eq!(line.mended.times, [80.0]);
    }

    #[test]
    fn the_first_answer_is_timed_from_the_report_that_asked() {
        let quality = Quality { delay: Duration::from_millis(25), lost_per_mille: 0 };
        let mut line = Line::new(quality, 7);
        let (server, start) = (([127, 0, 0, 1], 9).into(), Instant::now());
        line.take(1, 0, start);
        line.send(server, vec![0x81, 205, 0, 2], start);
        let asked = start + quality.delay;
        assert!(line.leaving(start).is_none());
        assert!(line.leaving(asked).is_some());
        line.receive(server, &packet(97, 5, 1), asked + Duration::from_millis(2));
        line.receive(server, &packet(96, 1, 1), asked + Duration::from_millis(3));
        line.receive(server, &packet(97, 5, 2), asked + Duration::from_millis(12));
        assert_eq!(line.mended.answers, [2.0]);
        assert_eq!(line.next(), Some(asked + Duration::from_millis(27)));
    }
}
