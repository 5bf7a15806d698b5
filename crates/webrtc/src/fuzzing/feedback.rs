//! Reports and feedback for a session that has connected and sends: their seal is made for fuzzers.

use std::time::{Duration, Instant};

use headwater_media::ClockRate;

use super::{SOURCE, agreed_egress, path};
use crate::{
    egress::{Egress, Notice, OutPacket},
    framing::Unframer,
    srtp::{Master, Profile, Sealer},
};

const PAYLOAD_BYTES: usize = 1_000;
/// The first number wraps soon.
const FIRST: u64 = 65_500;
/// The bounds of what is believed of a network, in bits per second.
const RATES: std::ops::RangeInclusive<u64> = 30_000..=100_000_000;
const MEDIA_TYPE: u8 = 96;

/// What has come of the reports.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Datagrams that were opened.
    pub(super) heard: usize,
    /// Packets that were sent again.
    pub(super) again: usize,
    pub(super) key_frames: usize,
    pub(super) rate: Option<u64>,
}

/// Gives reports to a session that sends, each behind its length in two bytes and a byte that says what becomes of it:
/// it is sealed; it is sealed and is about the session's source; it is given as it is; or time passes instead and
/// packets are sent.
pub(super) fn feedback(data: &[u8]) -> Told {
    let mut told = Told::default();
    let Some(mut egress) = agreed_egress(None) else { return told };
    if egress.pretend_connected(path(9)).is_err() {
        return told;
    }
    let profile = Profile::Aes128Gcm;
    let keys = Master::split(profile, &[0x5a; 64]);
    let Some(mut sealer) = keys.and_then(|(peer, _)| Sealer::new(profile, &peer)) else { return told };
    let (mut now, mut next) = (Instant::now(), FIRST);
    egress.estimator(now);
    send(&mut egress, 100, &mut next, now);
    let (mut unframer, mut media, mut again) = (Unframer::default(), 100 * PAYLOAD_BYTES, 0);
    unframer.push(data);
    while let Ok(Some(frame)) = unframer.next() {
        let Some((kind, frame)) = frame.split_first() else { continue };
        now += Duration::from_millis(5);
        let datagram = match kind % 4 {
            0 => seal(&mut sealer, frame.to_vec()),
            1 => seal(&mut sealer, about_source(frame)),
            2 => frame.to_vec(),
            _ => {
                now += Duration::from_millis(frame.first().copied().unwrap_or(1).into());
                media += 20 * PAYLOAD_BYTES;
                send(&mut egress, 20, &mut next, now);
                Vec::new()
            }
        };
        let (mut sent, mut notices): (Vec<Vec<u8>>, Vec<Notice>) = (Vec::new(), Vec::new());
        let heard = egress.receive(path(9), &datagram, now, &mut sent, &mut notices);
        assert!(sent.is_empty() && heard.is_ok(), "reports are not answered by themselves, and end no session");
        assert!(notices.len() <= 17 * datagram.len().div_ceil(4), "at most 17 packets are lost for each 4 bytes");
        told.heard += usize::from(heard.unwrap_or_default());
        // What is sent a second time, besides reports that are due.
        let in_time = egress.advance(now, &mut sent, &mut notices);
        assert!(in_time.is_ok(), "nor does time");
        sent.clear();
        for notice in notices {
            match notice {
                Notice::Lost { stream, sequence } => {
                    assert!(sequence < next, "{sequence} has not been sent yet");
                    // What was before the first is asked for as well, and not found.
                    let found = (sequence >= FIRST).then(|| packet(sequence));
                    egress.resend(stream, found.as_ref(), now, &mut sent);
                }
                Notice::KeyFrameWanted { .. } => told.key_frames += 1,
                Notice::Connected | Notice::Closed => panic!("reports neither connect a session nor end it"),
            }
        }
        told.again += sent.len();
        again += sent.iter().map(Vec::len).sum::<usize>();
    }
    // What is allowed by the media, what a stream begins with, and one packet more (see `WEBRTC_RESENDS`).
    assert!(again <= media * 3 / 2 + (32 << 10) + 1_500, "{again} bytes again for {media}");
    told.rate = egress.estimator(now).and_then(|estimator| estimator.rate());
    assert!(told.rate.is_none_or(|rate| RATES.contains(&rate)), "{:?}", told.rate);
    told
}

fn packet(sequence: u64) -> OutPacket<'static> {
    OutPacket {
        payload_type: MEDIA_TYPE,
        sequence,
        timestamp: sequence as u32,
        marker: true,
        orientation: Default::default(),
        payload: &[7; PAYLOAD_BYTES],
        patch: None,
    }
}

fn send(egress: &mut Egress, count: u64, next: &mut u64, now: Instant) {
    let mut sent: Vec<Vec<u8>> = Vec::new();
    egress.write(0, now, &mut sent, |writer| {
        (*next..*next + count).for_each(|sequence| {
            writer.push(&packet(sequence));
        });
        writer.captured(0, ClockRate::VIDEO, now);
    });
    *next += count;
    egress.finish(now, &mut sent);
}

fn seal(sealer: &mut Sealer, mut compound: Vec<u8>) -> Vec<u8> {
    compound.resize(compound.len() + sealer.report_overhead(), 0);
    sealer.seal_reports(&mut compound);
    compound
}

/// Feedback that names its source behind its sender, as lost packets and pictures do.
fn about_source(compound: &[u8]) -> Vec<u8> {
    let mut compound = compound.to_vec();
    if let Some(place) = compound.get_mut(8..12) {
        place.copy_from_slice(&SOURCE.main.to_be_bytes());
    }
    compound
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(frames: &[&[u8]]) -> Told {
        let framed = frames.iter().flat_map(|frame| [&(frame.len() as u16).to_be_bytes()[..], frame].concat());
        feedback(&framed.collect::<Vec<u8>>())
    }

    #[test]
    fn reports_get_past_their_seal_and_reach_what_answers_them() {
        let lost = [1, 0x81, 205, 0, 3, 0, 0, 0, 9, 0, 0, 0, 0, 0xff, 0xfe, 0, 3];
        let picture = [1, 0x81, 206, 0, 2, 0, 0, 0, 9, 0, 0, 0, 0];
        let carries = [0, 0x8f, 206, 0, 4, 0, 0, 0, 9, 0, 0, 0, 0, b'R', b'E', b'M', b'B', 0, 0x0a, 0x0e, 0x4b];
        let told_all = told(&[&lost, &[3, 200], &picture, &carries]);
        assert_eq!((told_all.heard, told_all.again, told_all.key_frames), (3, 3, 1));
        assert!(told_all.rate.is_some());
        let unsealed = [2, 0x81, 206, 0, 2, 0, 0, 0, 9, 0, 0, 0, 1];
        assert_eq!((told(&[&unsealed]).heard, told(&[&unsealed]).key_frames), (0, 0));
    }
}
