//! Reports and feedback as a receiver writes them, and sender reports as it reads them.
//!
//! | document | what |
//! |---|---|
//! | RFC 3550 §6.4 | sender and receiver reports |
//! | RFC 4585 §6.2.1, §6.3.1 | lost packets, lost pictures |
//! | RFC 5104 §4.3.1 | full intra requests |

use std::time::{Duration, Instant};

use crate::{
    egress::{
        EgressError, Keys,
        rtcp::{PAYLOAD_FEEDBACK, RECEIVER_REPORT, SENDER_REPORT, TRANSPORT_FEEDBACK, split, word, write_head},
    },
    srtp::{ReportOpener, Sealer},
};

use super::source::Block;

/// Blocks of one report. There is room for 31, but what else there is to say is to fit in the datagram as well.
pub(super) const BLOCKS_MAX: usize = 8;

/// Time between two receiver reports.
pub(super) const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// Both ways of reports.
#[derive(Debug)]
pub(super) struct Reports {
    pub(super) own: u32,
    pub(super) cname: String,
    pub(super) opener: ReportOpener,
    sealer: Sealer,
    pub(super) opened: Vec<u8>,
    pub(super) due: Instant,
}

impl Reports {
    pub(super) fn new(keys: &Keys, now: Instant) -> Result<Reports, EgressError> {
        Ok(Reports {
            own: rand::random_range(1..=u32::MAX),
            cname: format!("{:016x}", rand::random::<u64>()),
            opener: ReportOpener::new(keys.profile, &keys.peer).ok_or(EgressError::Keys)?,
            sealer: Sealer::new(keys.profile, &keys.own).ok_or(EgressError::Keys)?,
            opened: Vec::new(),
            // So that sessions that have begun together do not report together.
            due: now + REPORT_INTERVAL.mul_f64(rand::random_range(0.5..1.5)),
        })
    }

    /// Seals what stands in `bytes` from `begin` on. Says `false` where that is nothing.
    pub(super) fn seal(&mut self, bytes: &mut Vec<u8>, begin: usize) -> bool {
        if bytes.len() <= begin {
            return false;
        }
        bytes.resize(bytes.len() + self.sealer.report_overhead(), 0);
        bytes.get_mut(begin..).is_some_and(|datagram| self.sealer.seal_reports(datagram))
    }
}

/// A receiver report with these blocks, at most [`BLOCKS_MAX`].
pub(super) fn write_report(own: u32, blocks: &[Block], into: &mut Vec<u8>) {
    write_head(blocks.len(), RECEIVER_REPORT, 1 + 6 * blocks.len(), into);
    into.extend_from_slice(&own.to_be_bytes());
    for block in blocks {
        let lost = u32::from(block.fraction) << 24 | block.lost & 0xff_ffff;
        for word in [block.source, lost, block.newest, block.jitter, block.last_report, block.delay] {
            into.extend_from_slice(&word.to_be_bytes());
        }
    }
}

/// Asks for lost packets. Numbers are to be told in their order.
pub(super) struct LostWriter<'a> {
    into: &'a mut Vec<u8>,
    begin: usize,
    /// A number, and which of the sixteen behind it are asked for as well.
    entry: Option<(u64, u16)>,
}

impl<'a> LostWriter<'a> {
    pub(super) fn new(own: u32, media: u32, into: &'a mut Vec<u8>) -> LostWriter<'a> {
        let begin = into.len();
        into.extend_from_slice(&[0x81, TRANSPORT_FEEDBACK, 0, 0]);
        into.extend_from_slice(&own.to_be_bytes());
        into.extend_from_slice(&media.to_be_bytes());
        LostWriter { into, begin, entry: None }
    }

    pub(super) fn push(&mut self, number: u64) {
        if let Some((first, mask)) = &mut self.entry
            && let Some(behind) = number.checked_sub(*first + 1)
            && behind < 16
        {
            *mask |= 1 << behind;
            return;
        }
        self.flush();
        self.entry = Some((number, 0));
    }

    fn flush(&mut self) {
        if let Some((first, mask)) = self.entry.take() {
            self.into.extend_from_slice(&(first as u16).to_be_bytes());
            self.into.extend_from_slice(&mask.to_be_bytes());
        }
    }

    /// Ends the message; without any number there is none.
    pub(super) fn finish(mut self) {
        self.flush();
        let words = (self.into.len() - self.begin) / 4 - 1;
        if words <= 2 {
            self.into.truncate(self.begin);
        } else if let Some([_, _, high, low]) =
            self.into.get_mut(self.begin..).and_then(|message| message.first_chunk_mut::<4>())
        {
            [*high, *low] = (words as u16).to_be_bytes();
        }
    }
}

/// Says that a picture is lost.
pub(super) fn write_picture_lost(own: u32, media: u32, into: &mut Vec<u8>) {
    write_head(1, PAYLOAD_FEEDBACK, 2, into);
    into.extend_from_slice(&own.to_be_bytes());
    into.extend_from_slice(&media.to_be_bytes());
}

/// Asks for a picture that stands for itself. `count` is another one for each request.
pub(super) fn write_intra_request(own: u32, media: u32, count: u8, into: &mut Vec<u8>) {
    write_head(4, PAYLOAD_FEEDBACK, 4, into);
    into.extend_from_slice(&own.to_be_bytes());
    into.extend_from_slice(&[0; 4]);
    into.extend_from_slice(&media.to_be_bytes());
    into.extend_from_slice(&[count, 0, 0, 0]);
}

/// Tells the source and the middle of the NTP time of each sender report in a compound packet.
pub(super) fn read_sender_reports(mut compound: &[u8], mut tell: impl FnMut(u32, u32)) {
    while let Some((packet, rest)) = split(compound) {
        if packet.kind == SENDER_REPORT
            && let (Some(source), Some(seconds), Some(parts)) =
                (word(packet.body, 0), word(packet.body, 4), word(packet.body, 8))
        {
            tell(source, seconds << 16 | parts >> 16);
        }
        compound = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost(numbers: &[u64]) -> Vec<u8> {
        let mut into = vec![9];
        let mut writer = LostWriter::new(1, 2, &mut into);
        numbers.iter().for_each(|number| writer.push(*number));
        writer.finish();
        into.split_off(1)
    }

    #[test]
    fn lost_packets_are_asked_for_seventeen_to_a_word() {
        assert!(lost(&[]).is_empty());
        let message = lost(&[65_535, 65_536, 65_551, 65_552, 70_000]);
        assert_eq!(message[..12], [0x81, 205, 0, 5, 0, 0, 0, 1, 0, 0, 0, 2]);
        assert_eq!(message[12..], [0xff, 0xff, 0x80, 0x01, 0, 16, 0, 0, 0x11, 0x70, 0, 0]);
    }

    #[test]
    fn reports_have_a_block_for_each_source() {
        let block = Block { source: 7, fraction: 62, lost: 25, newest: 199, jitter: 3, last_report: 4, delay: 5 };
        let mut into = Vec::new();
        write_report(1, &[block, block], &mut into);
        assert_eq!(into.len(), 8 + 2 * 24);
        assert_eq!(into[..16], [0x82, 201, 0, 13, 0, 0, 0, 1, 0, 0, 0, 7, 62, 0, 0, 25]);
        let mut ntp = vec![0x80, 200, 0, 6, 0, 0, 0, 7, 0, 1, 2, 3, 4, 5, 6, 7];
        ntp.resize(28, 0);
        into.extend_from_slice(&ntp);
        let mut told = Vec::new();
        read_sender_reports(&into, |source, time| told.push((source, time)));
        assert_eq!(told, [(7, 0x0203_0405)]);
        for length in 0..into.len() {
            read_sender_reports(&into[..length], |_, _| panic!("it is not whole"));
        }
    }
}
