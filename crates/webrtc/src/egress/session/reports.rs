//! RTCP: what the peer says of what it gets, and what it is told of what it is sent.

use std::time::{Duration, Instant};

use smallvec::SmallVec;

use super::super::{
    Notice, Path, Sink,
    estimate::Estimator,
    rtcp::{self, Feedback},
    stream,
};
use super::{Egress, Rest};
use crate::srtp::Sealer;

/// Time that a sender report may wait for media to be written with.
pub(super) const REPORT_SLACK: Duration = Duration::from_millis(250);
/// The same while nothing is sent that a report could be of: what keeps the way open, and the sources from being
/// forgotten (RFC 3550 §6.2.1 has participants that are silent for five intervals forgotten).
const REPORT_SLACK_IDLE: Duration = Duration::from_secs(4);

impl Egress {
    /// Has reports sent each second although there may be no media: to a server that takes them for a sign of life.
    pub(crate) fn report_steadily(&mut self) {
        self.rest.is_steady = true;
    }

    /// Takes what the peer says, sealed as it came. Says whether it was the peer.
    pub(super) fn take_reports(&mut self, datagram: &[u8], now: Instant, notices: &mut Vec<Notice>) -> bool {
        let Rest { opener, opened, clock, round_trip, echoes, .. } = &mut *self.rest;
        let estimator = &mut self.estimator;
        let Some(compound) = opener.as_mut().and_then(|opener| opener.open(datagram, opened)) else {
            return false;
        };
        let streams = &mut self.streams;
        rtcp::read(compound, &mut |feedback| {
            let (Feedback::Lost { source, .. }
            | Feedback::PictureLost { source }
            | Feedback::Received(rtcp::Reception { source, .. })) = feedback
            else {
                if let Some(estimator) = estimator {
                    learn(estimator, feedback, now);
                }
                return;
            };
            let mut with_index = streams.iter_mut().enumerate();
            let Some((index, stream)) = with_index.find(|(_, stream)| stream.source == source) else {
                return;
            };
            match feedback {
                Feedback::Received(reception) => {
                    stream.is_received();
                    *round_trip = rtcp::round_trip(&reception, clock.at(now)).or(*round_trip);
                }
                Feedback::Arrivals(_) | Feedback::Carries { .. } => {}
                Feedback::PictureLost { .. } => notices.push(Notice::KeyFrameWanted { stream: index }),
                Feedback::Lost { sequence, .. } => {
                    let sent = stream.packets();
                    if let (Some(sequence), Some(resend)) = (stream.extend(sequence), stream.paid_resend())
                        && resend.allows(sequence, sent, *round_trip, now)
                    {
                        notices.push(Notice::Lost { stream: index, sequence });
                        if resend.wants_echo() {
                            echoes.add(index, sequence, now);
                        }
                    }
                }
            }
        });
        true
    }

    /// To be called after writing: sends a report that is due, so that a viewer needs no timer for it.
    #[inline]
    pub(crate) fn finish(&mut self, now: Instant, out: &mut impl Sink) {
        if self.report_at.is_none_or(|at| at <= now) {
            self.report(now, out);
        }
    }

    #[cold]
    pub(super) fn report(&mut self, now: Instant, out: &mut impl Sink) {
        let (Some(path), Some(sealer)) = (&self.path, &mut self.sealer) else {
            return;
        };
        let time = self.rest.clock.at(now);
        let mut compound = Vec::with_capacity(160);
        let mut named: SmallVec<[u32; 4]> = SmallVec::new();
        for stream in self.streams.iter().filter(|stream| stream.has_begun()) {
            if let Some(report) = stream.report(now, time) {
                report.write(&mut compound);
                named.push(stream.source);
            }
        }
        if named.is_empty() {
            return;
        }
        rtcp::write_names(&named, &self.rest.cname, &mut compound);
        send(sealer, path, &compound, out);
        let is_early = self.rest.reports < stream::FIRST_REPORTS;
        self.rest.reports = self.rest.reports.saturating_add(1);
        let interval = if is_early { stream::FIRST_REPORT_INTERVAL } else { stream::REPORT_INTERVAL };
        self.report_at = Some(now + interval);
        let packets = self.streams.iter().fold(0_u32, |sum, stream| sum.wrapping_add(stream.packets()));
        let is_idle = packets == std::mem::replace(&mut self.rest.counted, packets);
        self.rest.report_slack =
            if is_idle && !is_early && !self.rest.is_steady { REPORT_SLACK_IDLE } else { REPORT_SLACK };
    }
}

fn learn(estimator: &mut Estimator, feedback: Feedback<'_>, now: Instant) {
    match feedback {
        Feedback::Arrivals(body) if !estimator.feedback(body, now) => {
            tracing::debug!("a viewer's report of arrivals makes no sense");
        }
        Feedback::Carries { bits_per_second } => estimator.remb(bits_per_second),
        _ => {}
    }
}

pub(super) fn send(sealer: &mut Sealer, path: &Path, compound: &[u8], out: &mut impl Sink) {
    out.write(path, compound.len() + sealer.report_overhead(), |datagram| {
        if let Some(front) = datagram.get_mut(..compound.len()) {
            front.copy_from_slice(compound);
        }
        sealer.seal_reports(datagram)
    });
}
