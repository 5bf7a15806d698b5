//! Reports and feedback: what a viewer says, and what this side writes.
//!
//! | document | what |
//! |---|---|
//! | RFC 3550 §6 | compound packets, sender and receiver reports, SDES, BYE |
//! | RFC 4585 §6.2.1, §6.3.1 | lost packets, lost pictures |
//! | RFC 5104 §4.3.1 | full intra requests |
//! | draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1 | arrivals, which the estimator reads |
//! | draft-alvestrand-rmcat-remb-03 §2.2 | what a receiver reckons that the network carries |

use std::time::{Duration, SystemTime};

pub(crate) const SENDER_REPORT: u8 = 200;
pub(crate) const RECEIVER_REPORT: u8 = 201;
const DESCRIPTION: u8 = 202;
const FAREWELL: u8 = 203;
pub(crate) const TRANSPORT_FEEDBACK: u8 = 205;
pub(crate) const PAYLOAD_FEEDBACK: u8 = 206;

/// Seconds from 1900, where NTP begins, to 1970 (RFC 868).
const NTP_TO_UNIX: u64 = 2_208_988_800;

/// What a viewer says of one source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Feedback<'a> {
    /// It receives the source.
    Received(Reception),
    /// It misses a packet.
    Lost { source: u32, sequence: u16 },
    /// It cannot go on without a picture that stands for itself.
    PictureLost { source: u32 },
    /// When packets of the transport have arrived: the whole packet behind its first word.
    Arrivals(&'a [u8]),
    /// It reckons that the network carries this many bits per second.
    Carries { bits_per_second: u64 },
}

/// What one report says of one source (RFC 3550 §6.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reception {
    pub(super) source: u32,
    /// The middle of the NTP time of the last sender report; 0 if none has arrived.
    pub(super) last_report: u32,
    /// Time since then, in parts of 65,536 of a second.
    pub(super) delay: u32,
}

/// Reads a compound packet. What is not known, or makes no sense, is passed over.
pub(super) fn read(mut compound: &[u8], tell: &mut impl FnMut(Feedback<'_>)) {
    while let Some((packet, rest)) = split(compound) {
        read_packet(packet, tell);
        compound = rest;
    }
}

/// One packet of a compound: what its first byte counts, its type, and its content.
pub(crate) struct Packet<'a> {
    pub(crate) count: u8,
    pub(crate) kind: u8,
    pub(crate) body: &'a [u8],
}

pub(crate) fn split(compound: &[u8]) -> Option<(Packet<'_>, &[u8])> {
    let ([first, kind, length @ ..], rest) = compound.split_first_chunk::<4>()?;
    if first >> 6 != 2 {
        return None;
    }
    let words = usize::from(u16::from_be_bytes(*length));
    let (body, rest) = rest.split_at_checked(words.checked_mul(4)?)?;
    Some((Packet { count: first & 0x1f, kind: *kind, body }, rest))
}

fn read_packet(packet: Packet<'_>, tell: &mut impl FnMut(Feedback<'_>)) {
    match (packet.kind, packet.count) {
        (RECEIVER_REPORT, count) => read_receptions(packet.body.get(4..), count, tell),
        (SENDER_REPORT, count) => read_receptions(packet.body.get(24..), count, tell),
        (TRANSPORT_FEEDBACK, 1) => read_losses(packet.body, tell),
        (TRANSPORT_FEEDBACK, 15) => tell(Feedback::Arrivals(packet.body)),
        (PAYLOAD_FEEDBACK, 15) => {
            if let Some(bits_per_second) = estimate(packet.body) {
                tell(Feedback::Carries { bits_per_second });
            }
        }
        (PAYLOAD_FEEDBACK, 1) => {
            if let Some(source) = word(packet.body, 4) {
                tell(Feedback::PictureLost { source });
            }
        }
        (PAYLOAD_FEEDBACK, 4) => {
            for entry in packet.body.get(8..).unwrap_or_default().chunks_exact(8) {
                if let Some(source) = word(entry, 0) {
                    tell(Feedback::PictureLost { source });
                }
            }
        }
        _ => {}
    }
}

fn read_receptions(blocks: Option<&[u8]>, count: u8, tell: &mut impl FnMut(Feedback<'_>)) {
    for block in blocks.unwrap_or_default().chunks_exact(24).take(usize::from(count)) {
        if let (Some(source), Some(last_report), Some(delay)) = (word(block, 0), word(block, 16), word(block, 20)) {
            tell(Feedback::Received(Reception { source, last_report, delay }));
        }
    }
}

fn read_losses(body: &[u8], tell: &mut impl FnMut(Feedback<'_>)) {
    let Some(source) = word(body, 4) else {
        return;
    };
    for entry in body.get(8..).unwrap_or_default().chunks_exact(4) {
        let Some(entry) = word(entry, 0) else {
            return;
        };
        let (first, mask) = ((entry >> 16) as u16, entry as u16);
        tell(Feedback::Lost { source, sequence: first });
        for bit in (0..16u16).filter(|bit| mask & (1 << bit) != 0) {
            tell(Feedback::Lost { source, sequence: first.wrapping_add(bit).wrapping_add(1) });
        }
    }
}

/// The bitrate of a REMB: 6 bits of exponent and 18 of mantissa behind the name and the count of sources.
fn estimate(body: &[u8]) -> Option<u64> {
    if body.get(8..12)? != b"REMB" {
        return None;
    }
    let word = word(body, 12)? & 0xff_ffff;
    let (exponent, mantissa) = (word >> 18, u64::from(word & 0x3_ffff));
    Some(mantissa.saturating_mul(1 << exponent))
}

pub(crate) fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// What a sender report says (RFC 3550 §6.4.1).
#[derive(Clone, Copy, Debug)]
pub(super) struct SenderReport {
    pub(super) source: u32,
    pub(super) time: SystemTime,
    /// The same moment on the stream's clock.
    pub(super) timestamp: u32,
    pub(super) packets: u32,
    pub(super) bytes: u32,
}

impl SenderReport {
    pub(super) fn write(&self, into: &mut Vec<u8>) {
        into.extend_from_slice(&[0x80, SENDER_REPORT, 0, 6]);
        into.extend_from_slice(&self.source.to_be_bytes());
        into.extend_from_slice(&ntp(self.time).to_be_bytes());
        for word in [self.timestamp, self.packets, self.bytes] {
            into.extend_from_slice(&word.to_be_bytes());
        }
    }
}

/// Says that some sources belong together (RFC 3550 §6.5.1). A name is at most 255 bytes.
pub(crate) fn write_names(sources: &[u32], name: &str, into: &mut Vec<u8>) {
    let name = name.as_bytes().get(..name.len().min(255)).unwrap_or_default();
    // The item, its end, and what makes it whole words.
    let words = (2 + name.len()) / 4 + 1;
    let length = sources.len() * (1 + words);
    write_head(sources.len(), DESCRIPTION, length, into);
    for source in sources {
        into.extend_from_slice(&source.to_be_bytes());
        into.extend_from_slice(&[1, name.len() as u8]);
        into.extend_from_slice(name);
        into.resize(into.len() + words * 4 - 2 - name.len(), 0);
    }
}

/// Says that some sources have ended (RFC 3550 §6.6), behind the empty report that has to come first.
pub(crate) fn write_farewell(sources: &[u32], into: &mut Vec<u8>) {
    let Some(first) = sources.first() else {
        return;
    };
    write_head(0, RECEIVER_REPORT, 1, into);
    into.extend_from_slice(&first.to_be_bytes());
    write_head(sources.len(), FAREWELL, sources.len(), into);
    sources.iter().for_each(|source| into.extend_from_slice(&source.to_be_bytes()));
}

pub(crate) fn write_head(count: usize, kind: u8, words: usize, into: &mut Vec<u8>) {
    let [high, low] = (words as u16).to_be_bytes();
    into.extend_from_slice(&[0x80 | (count as u8 & 0x1f), kind, high, low]);
}

/// Seconds since 1900 in 32 bits, and their parts in 32 more (RFC 3550 §4).
fn ntp(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let parts = (u64::from(since.subsec_nanos()) << 32) / 1_000_000_000;
    (since.as_secs().wrapping_add(NTP_TO_UNIX) << 32) | parts
}

/// The time that a report and the answer to it were on their way; `None` if that cannot be.
pub(super) fn round_trip(reception: &Reception, now: SystemTime) -> Option<Duration> {
    if reception.last_report == 0 {
        return None;
    }
    let middle = (ntp(now) >> 16) as u32;
    let parts = middle.wrapping_sub(reception.last_report).checked_sub(reception.delay)?;
    // More than a minute is a report of another session, or a lie.
    (parts < 60 << 16).then(|| Duration::from_nanos((u64::from(parts) * 1_000_000_000) >> 16))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All but arrivals, which the estimator reads.
    fn all(compound: &[u8]) -> Vec<Feedback<'static>> {
        let mut told = Vec::new();
        read(compound, &mut |feedback| match feedback {
            Feedback::Arrivals(_) => {}
            Feedback::Received(reception) => told.push(Feedback::Received(reception)),
            Feedback::Lost { source, sequence } => told.push(Feedback::Lost { source, sequence }),
            Feedback::PictureLost { source } => told.push(Feedback::PictureLost { source }),
            Feedback::Carries { bits_per_second } => told.push(Feedback::Carries { bits_per_second }),
        });
        told
    }

    fn packet(count: u8, kind: u8, words: &[u32]) -> Vec<u8> {
        let mut packet = vec![0x80 | count, kind, 0, words.len() as u8];
        words.iter().for_each(|word| packet.extend_from_slice(&word.to_be_bytes()));
        packet
    }

    #[test]
    fn lost_packets_are_read_over_the_wrap_of_their_numbers() {
        let nack = packet(1, TRANSPORT_FEEDBACK, &[9, 7, 0xffff_0005, 0x0064_0000]);
        let lost: Vec<u16> = all(&nack)
            .into_iter()
            .map(|feedback| match feedback {
                Feedback::Lost { source: 7, sequence } => sequence,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(lost, [0xffff, 0, 2, 100]);
    }

    #[test]
    fn picture_losses_and_receptions_are_read_from_a_compound() {
        let mut compound = packet(2, RECEIVER_REPORT, &[9, 7, 0, 0, 0, 11, 12, 8, 0, 0, 0, 0, 0]);
        compound.extend(packet(1, DESCRIPTION, &[9, 0]));
        compound.extend(packet(1, PAYLOAD_FEEDBACK, &[9, 7]));
        compound.extend(packet(4, PAYLOAD_FEEDBACK, &[9, 0, 7, 0, 8, 0]));
        compound.extend(packet(15, PAYLOAD_FEEDBACK, &[9, 0, 0x5245_4d42, 0x010a_0e4b, 7]));
        compound.extend(packet(15, PAYLOAD_FEEDBACK, &[9, 0, 0x5245_4d42, 0x01ff_ffff, 7]));
        compound.extend(packet(15, PAYLOAD_FEEDBACK, &[9, 0, 0x5245_4d43, 0x010a_0e4b, 7]));
        let received = |source, last_report, delay| Feedback::Received(Reception { source, last_report, delay });
        let lost = |source| Feedback::PictureLost { source };
        let carries = |bits_per_second| Feedback::Carries { bits_per_second };
        assert_eq!(
            all(&compound),
            [
                received(7, 11, 12),
                received(8, 0, 0),
                lost(7),
                lost(7),
                lost(8),
                carries(0x2_0e4b << 2),
                carries(u64::MAX)
            ]
        );
    }

    #[test]
    fn attack_w7_counts_and_lengths_beyond_the_packet_do_no_harm() {
        for length in 0..=1_500usize {
            for kind in 199..=208 {
                for first in [0x00, 0x80, 0x81, 0x8f, 0x9f, 0xa1, 0xff] {
                    let mut packet = vec![0xff; length];
                    for (byte, value) in packet.iter_mut().zip([first, kind]) {
                        *byte = value;
                    }
                    let told = all(&packet);
                    let exact = ((length / 4).saturating_sub(1) as u16).to_be_bytes();
                    for (byte, value) in packet.iter_mut().skip(2).zip(exact) {
                        *byte = value;
                    }
                    assert!(told.len() + all(&packet).len() <= 17 * 375 * 2);
                }
            }
        }
    }

    #[test]
    fn what_is_written_has_whole_words_and_says_how_many() {
        for name in ["", "a", "ab", "abc", "abcd", "0123456789abcdef"] {
            let mut compound = Vec::new();
            let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_500);
            SenderReport { source: 7, time, timestamp: 1, packets: 2, bytes: 3 }.write(&mut compound);
            write_names(&[7, 8], name, &mut compound);
            write_farewell(&[7, 8], &mut compound);
            let mut kinds = Vec::new();
            let mut rest = &compound[..];
            while let Some((packet, next)) = split(rest) {
                kinds.push((packet.kind, packet.count));
                rest = next;
            }
            assert!(rest.is_empty(), "{name}");
            assert_eq!(kinds, [(SENDER_REPORT, 0), (DESCRIPTION, 2), (RECEIVER_REPORT, 0), (FAREWELL, 2)]);
        }
    }

    #[test]
    fn the_round_trip_is_what_the_peer_did_not_keep_the_report_for() {
        let sent = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let last_report = (ntp(sent) >> 16) as u32;
        let now = sent + Duration::from_millis(1_250);
        let reception = |last_report, delay| Reception { source: 1, last_report, delay };
        let time = round_trip(&reception(last_report, 65_536), now).unwrap();
        assert!(time.abs_diff(Duration::from_millis(250)) < Duration::from_millis(1));
        assert_eq!(round_trip(&reception(0, 65_536), now), None);
        assert_eq!(round_trip(&reception(last_report, 65_536 * 2), now), None, "longer than since it was sent");
        assert_eq!(round_trip(&reception(last_report.wrapping_sub(1 << 30), 0), now), None);
    }
}
