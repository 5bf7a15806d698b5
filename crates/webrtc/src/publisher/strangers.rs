//! Sources that packets name and nothing has named before.

use headwater_media::limits;

use super::agreed::Section;

/// Keeps count of a peer's synchronization sources, and finds the media section of those that say nothing of it.
///
/// What is read here is not yet authenticated: it may only decide that a packet is looked at.
#[derive(Debug)]
pub(super) struct Strangers {
    known: Vec<u32>,
    /// Payload types, the section they belong to, and whether they carry retransmissions; ambiguous ones left out.
    payload_types: Vec<(u8, usize, bool)>,
    /// The number of the extension that names sections.
    mid_extension: Option<u8>,
}

/// What a datagram's source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Known, or able to say itself what it is; or the datagram is not media at all.
    Known,
    /// To be expected in this section.
    New { ssrc: u32, section: usize, is_again: bool },
    /// One source more than a peer may have.
    TooMany,
}

impl Strangers {
    pub(super) fn new(sections: &[Section]) -> Strangers {
        let parts = sections.iter().flat_map(|section| &section.parts);
        let known = parts.flat_map(|part| &part.sources);
        let known = known.flat_map(|source| [Some(source.main), source.retransmissions]).flatten().collect();
        let extensions = || sections.iter().flat_map(|section| &section.extensions);
        let mid_extension = extensions().find(|(_, uri)| *uri == crate::sdp::extension::MID).map(|(number, _)| *number);
        let mut payload_types: Vec<(u8, usize, bool)> = Vec::new();
        // Those that hold one rendition each have named their sources.
        let alone = sections.iter().enumerate().filter(|(_, section)| !section.is_labelled());
        for (index, section) in alone {
            for format in &section.formats {
                payload_types.push((format.payload_type, index, false));
                payload_types.extend(format.retransmission.map(|number| (number, index, true)));
            }
        }
        let all = payload_types.clone();
        payload_types.retain(|(number, index, _)| all.iter().all(|(n, i, _)| n != number || i == index));
        Strangers { known, payload_types, mid_extension }
    }

    /// Looks at the header of a datagram from a proven address (RFC 3550 §5.1, RFC 5761 §4).
    pub(super) fn look_at(&mut self, datagram: &[u8]) -> Verdict {
        let (Some(first), Some(second)) = (datagram.first(), datagram.get(1)) else {
            return Verdict::Known;
        };
        if first & 0xc0 != 0x80 || (192..224).contains(second) {
            return Verdict::Known;
        }
        let Some(ssrc) = datagram.get(8..12).and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes) else {
            return Verdict::Known;
        };
        // Zero is what Chromium probes the network with; it is not media.
        if ssrc == 0 || self.known.contains(&ssrc) {
            return Verdict::Known;
        }
        if self.known.len() >= limits::WEBRTC_SOURCES.get_usize() {
            limits::WEBRTC_SOURCES.hit();
            return Verdict::TooMany;
        }
        self.known.push(ssrc);
        let section = self.payload_types.iter().find(|(number, ..)| *number == second & 0x7f);
        match section {
            Some((_, section, is_again)) if !self.names_its_section(datagram) => {
                Verdict::New { ssrc, section: *section, is_again: *is_again }
            }
            _ => Verdict::Known,
        }
    }

    fn names_its_section(&self, datagram: &[u8]) -> bool {
        let Some(number) = self.mid_extension else { return false };
        let mut clear = datagram.to_vec();
        // How long the padding is stands in a part that is encrypted.
        if let Some(first) = clear.first_mut() {
            *first &= !0x20;
        }
        let header = headwater_rtp::Header::parse(&clear);
        header.is_ok_and(|header| header.extensions().any(|(id, _)| id == number))
    }
}
