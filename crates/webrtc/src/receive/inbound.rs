//! Media packets, from the datagram to who takes them.

use std::time::Instant;

use headwater_media::limits;
use smallvec::SmallVec;

use crate::srtp::MediaOpener;

use super::{
    Arrived,
    arrivals::Arrivals,
    header::{Header, unpad},
    reports::{BLOCKS_MAX, read_sender_reports},
    section::{Packet, Section},
    source::{Block, Role, Source},
    terms::{PayloadType, Terms},
    window::Place,
};

/// What media needs.
#[derive(Debug)]
pub(super) struct Inbound {
    /// `None` until the peer has connected, and once the session has ended.
    pub(super) opener: Option<MediaOpener>,
    pub(super) sections: Vec<Section>,
    sources: Vec<Source>,
    payload_types: Vec<PayloadType>,
    transport_extension: u8,
    pub(super) arrivals: Arrivals,
    /// From where the arrival of packets is counted.
    epoch: Instant,
}

impl Inbound {
    pub(super) fn new(epoch: Instant) -> Inbound {
        Inbound {
            opener: None,
            sections: Vec::new(),
            sources: Vec::new(),
            payload_types: Vec::new(),
            transport_extension: 0,
            arrivals: Arrivals::new(epoch),
            epoch,
        }
    }

    pub(super) fn agree(&mut self, terms: Terms) {
        self.sections = terms.sections;
        self.sources = terms.sources;
        self.payload_types = terms.payload_types;
        self.transport_extension = terms.transport_extension;
    }

    /// Opens a packet where it stands, and hands it on. What is not the peer's, or of no use, is passed over.
    #[inline]
    pub(super) fn take(
        &mut self,
        datagram: &mut [u8],
        now: Instant,
        take: &mut impl FnMut(&Arrived<'_>),
    ) -> Option<()> {
        let opener = self.opener.as_ref()?;
        let header = Header::read(datagram, self.transport_extension)?;
        let payload_type = *self.payload_types.iter().find(|known| known.number == header.payload_type)?;
        let known = self.known(header.source);
        let number = self.number(known, header.sequence)?;
        let payload = opener.open(header.source, number, header.length, datagram)?;
        // From here on it is known to be the peer's.
        if let Some(number) = header.transport_number {
            self.arrivals.arrived(number, now);
        }
        let index = match known {
            Some(index) => index,
            None => learn(&mut self.sources, header.source, &payload_type)?,
        };
        let packet = Packet { header: &header, number, codec: payload_type.codec, payload, now };
        match payload_type.role {
            Role::Media => self.take_media(index, packet, take),
            Role::Retransmissions => self.take_again(index, packet, take),
        }
    }

    /// Where a source is kept.
    #[inline]
    pub(super) fn known(&self, source: u32) -> Option<usize> {
        self.sources.iter().position(|known| known.number == source)
    }

    /// The number of a packet, extended; `None` where it cannot be one.
    #[inline]
    pub(super) fn number(&self, known: Option<usize>, sequence: u16) -> Option<u64> {
        match known.and_then(|index| self.sources.get(index)) {
            Some(source) => source.window.extend(sequence),
            None => Some(u64::from(sequence)),
        }
    }

    #[inline]
    fn take_media(&mut self, index: usize, packet: Packet<'_>, take: &mut impl FnMut(&Arrived<'_>)) -> Option<()> {
        let source = self.sources.get_mut(index).filter(|source| source.role == Role::Media)?;
        let section = self.sections.get_mut(source.section)?;
        section.carries(source.number, packet.codec);
        let arrival = section.ticks(packet.now.saturating_duration_since(self.epoch));
        let place = source.accept(packet.number, packet.header, arrival);
        section.take_media(source, packet, place, take);
        Some(())
    }

    /// Source: RFC 4588 §4: the payload begins with the number that the packet had.
    #[cold]
    fn take_again(&mut self, index: usize, packet: Packet<'_>, take: &mut impl FnMut(&Arrived<'_>)) -> Option<()> {
        let again = self.sources.get_mut(index).filter(|source| source.role == Role::Retransmissions)?;
        let section = self.sections.get_mut(again.section)?;
        let arrival = section.ticks(packet.now.saturating_duration_since(self.epoch));
        if again.accept(packet.number, packet.header, arrival) == Place::Known {
            section.media.duplicates += 1;
            return None;
        }
        let payload = unpad(packet.payload, packet.header.is_padded)?;
        let (sequence, payload) = payload.split_first_chunk::<2>()?;
        let of = section.source?;
        let source = self.sources.iter_mut().find(|source| source.number == of)?;
        let number = source.window.extend(u16::from_be_bytes(*sequence))?;
        let header = Header { is_padded: false, ..*packet.header };
        section.take_again(source, Packet { header: &header, number, payload, ..packet }, take);
        Some(())
    }

    /// A compound packet of the peer has been opened.
    pub(super) fn take_reports(&mut self, compound: &[u8], now: Instant) {
        read_sender_reports(compound, |number, time| {
            if let Some(source) = self.sources.iter_mut().find(|source| source.number == number) {
                source.reported(time, now);
            }
        });
    }

    /// What a report says now.
    pub(super) fn report(&mut self, now: Instant) -> SmallVec<[Block; BLOCKS_MAX]> {
        self.sources.iter_mut().filter_map(|source| source.report(now)).take(BLOCKS_MAX).collect()
    }

    /// The source that feedback on the whole transport names: any will do.
    pub(super) fn any_source(&self) -> u32 {
        self.sections.iter().find_map(|section| section.source).unwrap_or(0)
    }

    /// When there is something to say.
    pub(super) fn due(&self) -> Option<Instant> {
        self.sections.iter().filter_map(Section::due).chain(self.arrivals.due()).min()
    }
}

/// A source that the answer has not named has sent its first packet. Says where it is kept from now on.
#[cold]
fn learn(sources: &mut Vec<Source>, number: u32, payload_type: &PayloadType) -> Option<usize> {
    if sources.len() >= limits::WEBRTC_SOURCES.get_usize() {
        limits::WEBRTC_SOURCES.hit();
        return None;
    }
    sources.push(Source::new(number, payload_type.section, payload_type.role));
    Some(sources.len() - 1)
}
