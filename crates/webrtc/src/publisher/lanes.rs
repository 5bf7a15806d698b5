//! Which lane a packet goes to, and when the stream has all of its tracks.

use std::{
    sync::atomic::Ordering::Relaxed,
    time::{Duration, Instant},
};

use headwater_graph::{LaneWriter, PublishError};
use headwater_media::{Packet, TrackKind, TrackParameters};

use crate::viewer::Surroundings;

use super::{
    Publisher, Readiness,
    ingress::Incoming,
    selector::Selector,
    source::{self, Source},
};

/// How long the other tracks are waited for once the first has begun.
const OTHER_TRACKS: Duration = Duration::from_secs(2);

impl Publisher {
    /// Writes a packet to the lane that it belongs to.
    pub(super) fn take(&mut self, packet: &Incoming, around: &mut Surroundings<'_>) {
        let known = self.sources.iter().position(|source| source.ssrc == packet.ssrc);
        let Some(index) = known.or_else(|| self.begin(packet, around.now)) else {
            return;
        };
        let Some(source) = self.sources.get_mut(index) else { return };
        let section = self.sections.get(source.section);
        let Some(format) = section.and_then(|section| section.format(packet.payload_type)) else {
            return;
        };
        let passed = around.now.saturating_duration_since(self.publication.stream().epoch());
        let Some(written) = source.write(packet, format, passed + self.shift, around.now) else {
            return;
        };
        let is_news = packet.captured.is_some_and(|captured| source.captured(packet.timestamp, captured));
        if let Some(selector) = self.selectors.iter_mut().find(|selector| selector.section == source.section)
            && selector.take(index, || source.parameters(), &written, around.now)
        {
            source.want_key_frame();
        }
        if is_news {
            source::align(&mut self.sources);
        }
        around.counters.packets_received.add(1);
        self.received.packets.fetch_add(1, Relaxed);
        self.received.bytes.fetch_add(packet.payload.len() as u64, Relaxed);
    }

    /// Finds or makes the source of a packet whose number is new.
    fn begin(&mut self, packet: &Incoming, now: Instant) -> Option<usize> {
        let (section, rid) = self.ingress.place_of(packet.ssrc)?;
        let known = self.sources.iter().position(|source| source.section == section && source.rid == rid);
        if known.is_some() {
            return known;
        }
        let codec = self.sections.get(section)?.format(packet.payload_type)?.codec;
        let parameters = source::parameters(codec)?;
        let writer = match self.lane(section, rid.as_deref(), &parameters) {
            Ok(writer) => writer,
            Err(error) => {
                tracing::debug!(stream = %self.publication.stream().name(), %error, "a track of a publisher is left out");
                return None;
            }
        };
        self.sources.push(Source::new((section, rid), packet.ssrc, &parameters, writer, &self.bell));
        self.begun(now);
        Some(self.sources.len() - 1)
    }

    /// The lane for a source: that of its track, or one of its own where the track comes in several renditions.
    fn lane(
        &mut self,
        section: usize,
        rid: Option<&str>,
        parameters: &TrackParameters,
    ) -> Result<LaneWriter<Packet>, PublishError> {
        let Some(rid) = rid else {
            let writer = self.publication.add_packets(parameters.clone())?;
            self.retain_renditions(parameters.kind(), &[]);
            return Ok(writer);
        };
        if !self.selectors.iter().any(|selector| selector.section == section) {
            let writer = self.publication.add_packets(parameters.clone())?;
            let rids = self.sections.get(section).map_or(&[][..], |section| &section.rids);
            self.retain_renditions(parameters.kind(), rids);
            self.selectors.push(Selector::new(section, writer, &self.bell));
        }
        let track = self.publication.stream().track(parameters.kind());
        match track {
            Some(track) => self.publication.add_rendition(&track, rid, parameters.clone()),
            None => self.publication.add_packets(parameters.clone()),
        }
    }

    /// Renditions of an earlier publisher that this one does not send are over.
    fn retain_renditions(&self, kind: TrackKind, rids: &[String]) {
        if let Some(track) = self.publication.stream().track(kind) {
            self.publication.retain_renditions(&track, rids);
        }
    }

    /// A track has begun.
    fn begun(&mut self, now: Instant) {
        let has_begun = |section: usize| self.sources.iter().any(|source| source.section == section);
        if (0..self.sections.len()).all(has_begun) {
            self.become_ready();
        } else if let Readiness::Silent(_) = self.readiness {
            self.readiness = Readiness::Partial(now + OTHER_TRACKS);
        }
    }

    pub(super) fn become_ready(&mut self) {
        if self.readiness != Readiness::Ready {
            self.readiness = Readiness::Ready;
            self.publication.ready();
        }
    }
}
