//! The offer, and what an answer to it agrees on.

use std::net::SocketAddr;

use headwater_media::{Codec, TrackKind};

use crate::{
    Answer, Kind,
    egress::{Carrier, Remote},
    sdp::{self, BitrateRange, Candidates, Format, MediaSection, ProposedSection, Proposer, extension},
};

use super::{
    ReceiveError, ReceiverCommon,
    section::{Feedback, Section},
    source::{Role, Source},
};

/// Writes the offer; `local` is where the peer may look for this side.
pub(super) fn offer(common: &ReceiverCommon, ice: &sdp::IceCredentials, local: Option<SocketAddr>) -> String {
    let cname = format!("{:016x}", rand::random::<u64>());
    let proposer = Proposer { ice, fingerprint: &common.0.fingerprint(), cname: &cname };
    let text = sdp::propose(proposer, &ProposedSection::receiving());
    let candidates = Candidates { udp: local.into_iter().collect(), tcp: Vec::new() };
    let lines: String = candidates.lines().map(|line| format!("a={line}\r\n")).collect();
    if lines.is_empty() {
        return text;
    }
    // In a bundle, candidates stand in the first section (RFC 8843 §7.3.3).
    text.replacen("a=rtcp-mux\r\n", &format!("a=rtcp-mux\r\n{lines}a=end-of-candidates\r\n"), 1)
}

/// What a payload type carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PayloadType {
    pub(super) number: u8,
    /// The index of its media section.
    pub(super) section: usize,
    pub(super) role: Role,
    /// Of the media, also where it carries retransmissions.
    pub(super) codec: Codec,
}

/// What an answer agrees on for media.
#[derive(Debug)]
pub(super) struct Terms {
    pub(super) candidates: Vec<Remote>,
    pub(super) sections: Vec<Section>,
    pub(super) payload_types: Vec<PayloadType>,
    /// Those that the answer names.
    pub(super) sources: Vec<Source>,
    /// The extension that numbers packets among all of the transport, where the peer wants to be told of them; else 0.
    pub(super) transport_extension: u8,
    /// Whether feedback may travel without a report before it (RFC 5506).
    pub(super) reduced_size: bool,
}

impl Terms {
    pub(super) fn read(answer: &Answer) -> Result<Terms, ReceiveError> {
        let offered = ProposedSection::receiving();
        let answered = &answer.description.media;
        if answered.len() != offered.len() {
            return Err(ReceiveError::Unfit("it has another number of media sections"));
        }
        let mut terms = Terms {
            candidates: Vec::new(),
            sections: Vec::new(),
            payload_types: Vec::new(),
            sources: Vec::new(),
            transport_extension: 0,
            reduced_size: true,
        };
        for (offered, section) in offered.iter().zip(answered) {
            if section.kind != kind(offered.kind) {
                return Err(ReceiveError::Unfit("its media sections are not those of the offer in their order"));
            }
            if !section.disabled && section.direction.sends() {
                terms.take(offered.kind, section);
            }
        }
        if terms.payload_types.is_empty() {
            return Err(ReceiveError::NothingAgreed);
        }
        let remote = |address: &SocketAddr| Remote { carrier: Carrier::Udp, address: *address };
        terms.candidates = answer.candidates.iter().map(remote).collect();
        if terms.candidates.is_empty() {
            return Err(ReceiveError::NoCandidate);
        }
        Ok(terms)
    }

    fn take(&mut self, kind: TrackKind, section: &MediaSection) {
        let index = self.sections.len();
        let formats = sdp::receivable(section, &[], &BitrateRange::default());
        let has = |wanted: &str| formats.iter().any(|format| format.feedback.contains(&wanted));
        self.sections.push(Section::new(
            kind,
            Feedback {
                lost_packets: has("nack"),
                lost_pictures: has("nack pli"),
                intra_requests: has("ccm fir"),
                retransmissions_apart: formats.iter().any(|format| format.retransmission.is_some()),
            },
        ));
        formats.iter().for_each(|format| self.take_format(index, format));
        for source in &section.sources {
            self.sources.push(Source::new(source.main, index, Role::Media));
            let again = source.retransmissions.map(|number| Source::new(number, index, Role::Retransmissions));
            self.sources.extend(again);
        }
        let numbered = section.extensions.iter().find(|(_, uri)| uri == extension::TRANSPORT_SEQUENCE);
        if let Some((number, _)) = numbered {
            self.transport_extension = *number;
        }
        self.reduced_size &= section.reduced_size;
    }

    fn take_format(&mut self, section: usize, format: &Format) {
        let media = (Some(format.payload_type), Role::Media);
        for (number, role) in [media, (format.retransmission, Role::Retransmissions)] {
            let Some(number) = number else { continue };
            // One number may stand for one thing only in a bundle (RFC 8843 §10.1.1); the first one counts.
            if self.payload_types.iter().all(|known| known.number != number) {
                self.payload_types.push(PayloadType { number, section, role, codec: format.codec });
            }
        }
    }
}

fn kind(kind: TrackKind) -> Kind {
    match kind {
        TrackKind::Audio => Kind::Audio,
        TrackKind::Video => Kind::Video,
    }
}
