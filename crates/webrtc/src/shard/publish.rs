//! How a publisher is taken in: from an offer to a seat and an answer.

use std::time::Instant;

use headwater_graph::{Bell, Publication};
use headwater_media::{Codec, limits};
use headwater_net::Permit;
use tokio::sync::oneshot;

use crate::{
    Offer, PublishOptions,
    error::PublishError,
    participant::Participant,
    publisher::{Agreed, Ingress, Part, Publisher, Section},
    sdp::{self, BitrateRange, Decision, Kind, Local, MediaSection, extension},
    session::{Accepted, Place, Session},
};

use super::core::Core;

/// A publisher that has been taken in.
pub(super) struct Published {
    pub(super) accepted: Accepted,
    /// Rung when viewers want something of it.
    pub(super) bell: Bell,
}

impl Core {
    /// Takes a publisher in.
    pub(super) fn publish(
        &mut self,
        offer: Offer,
        publication: Publication,
        options: &PublishOptions,
        pending: Permit,
        now: Instant,
    ) -> Result<Published, PublishError> {
        let commands = self.commands.upgrade().ok_or(PublishError::Stopping)?;
        if self.seats.len() >= limits::WEBRTC_VIEWERS_PER_SHARD.get_usize() {
            limits::WEBRTC_VIEWERS_PER_SHARD.hit();
            return Err(PublishError::Full);
        }
        let decisions = decide(&offer, options)?;
        let sections = sections(&offer, &decisions, brings_renditions(&offer));
        let credentials = self.new_credentials();
        let agreed = Agreed {
            local_ice: &credentials,
            remote_ice: &offer.ice,
            fingerprint: &offer.fingerprint,
            role: offer.role,
            sections: &sections,
            port: self.local.port(),
            call: None,
        };
        let ingress = Ingress::new(&self.common, &agreed, now);
        let mut ingress = ingress.map_err(|error| PublishError::Setup(error.to_string()))?;
        let local = Local {
            session: rand::random::<u64>() >> 2,
            ice: &credentials,
            fingerprint: &ingress.fingerprint(),
            candidates: &self.candidates,
            cname: "",
            mid_extension: None,
        };
        let answer = sdp::write(&offer, &decisions, &local);
        let first_section = first_section(&offer, &decisions);
        let publisher =
            Publisher::new(ingress, sections, publication, options.max_bitrate, self.coalescing_window, pending, now);
        let (bell, received) = (publisher.bell().clone(), publisher.received().clone());
        let participant = Participant::Publisher(Box::new(publisher));
        let (place, stage) = self.seat(participant, credentials.fragment, first_section, None);
        self.with(place.index, now, |participant, around| Some(participant.run(around)));
        let session = Session { commands, place, stage, received: Some(received) };
        Ok(Published { accepted: Accepted { sdp: answer.into(), session }, bell })
    }

    /// Has a publisher end if it has vanished, for another that wants its name.
    pub(super) fn make_way(&mut self, place: Place, answer: oneshot::Sender<bool>, now: Instant) {
        let seat = self.seats.get_mut(place.index).filter(|seat| seat.serial == place.serial);
        let Some(Participant::Publisher(publisher)) = seat.map(|seat| &mut seat.participant) else {
            return;
        };
        publisher.challenge(answer, now);
        self.wake(place, now);
    }
}

/// Decides what each section is to become: all that the peer wants to send is received, or the offer is refused.
///
/// Source: RFC 9725 §4.4.3: nothing is taken in part.
pub(super) fn decide(offer: &Offer, options: &PublishOptions) -> Result<Vec<Decision>, PublishError> {
    let range = BitrateRange { min: options.min_bitrate, max: options.max_bitrate };
    let mut decisions = Vec::new();
    let mut taken = 0;
    let surplus = surplus(offer);
    for (index, section) in offer.media.iter().enumerate() {
        let formats = match section.kind {
            Kind::Other => Vec::new(),
            _ => sdp::receivable(section, &options.strip_codecs, &range),
        };
        let sends = sends(section) && !surplus.contains(&index);
        decisions.push(match (sends, formats) {
            (true, formats) if formats.is_empty() => return Err(PublishError::NotTaken(no_codec(section))),
            (true, formats) => {
                taken += 1;
                let bitrate_max = options.max_bitrate.filter(|_| section.kind == Kind::Video);
                let extensions = extensions(offer, section, options);
                Decision::Receive { formats, extensions, rids: section.rids.clone(), bitrate_max }
            }
            (false, mut formats) if !section.disabled && !formats.is_empty() => Decision::Idle(formats.swap_remove(0)),
            (false, _) => Decision::Refuse,
        });
    }
    match taken {
        0 => Err(PublishError::NotTaken(
            "the offer has no audio or video section that sends; offer sendonly sections to publish".into(),
        )),
        _ => Ok(decisions),
    }
}

fn sends(section: &MediaSection) -> bool {
    !section.disabled && section.kind != Kind::Other && section.direction.sends()
}

/// Whether a peer brings each rendition of a picture in a section of its own.
fn brings_renditions(offer: &Offer) -> bool {
    offer.media.iter().any(|section| section.rendition_of.is_some() && sends(section))
}

/// The sections with further renditions that are not received: they have no name, or that of another, or there are more
/// than `HOP_RENDITIONS`.
fn surplus(offer: &Offer) -> Vec<usize> {
    let mut labels: Vec<&str> = Vec::new();
    let mut surplus = Vec::new();
    let sections = offer.media.iter().enumerate();
    for (index, section) in sections.filter(|(_, section)| section.kind == Kind::Video && sends(section)) {
        match section.label.as_deref() {
            Some(label) if !labels.contains(&label) && labels.len() < limits::HOP_RENDITIONS.get_usize() => {
                labels.push(label);
            }
            _ if section.rendition_of.is_some() => surplus.push(index),
            _ => {}
        }
    }
    if labels.len() >= limits::HOP_RENDITIONS.get_usize() && !surplus.is_empty() {
        limits::HOP_RENDITIONS.hit();
    }
    surplus
}

fn no_codec(section: &MediaSection) -> String {
    const TAKEN: [Codec; 9] = [
        Codec::H264,
        Codec::H265,
        Codec::Vp8,
        Codec::Vp9,
        Codec::Av1,
        Codec::Opus,
        Codec::G722,
        Codec::Pcmu,
        Codec::Pcma,
    ];
    let is_video = section.kind == Kind::Video;
    let names = TAKEN.iter().filter(|codec| (codec.kind() == headwater_media::TrackKind::Video) == is_video);
    let names: Vec<&str> = names.map(|codec| codec.name()).collect();
    format!("the {} of the offer has no codec that is taken here; offer one of {}", section.name, names.join(", "))
}

/// The header extensions of a section that are taken. A number that stands for two things in a bundle stands for
/// the first (RFC 8843 §9.2).
fn extensions(offer: &Offer, section: &MediaSection, options: &PublishOptions) -> Vec<(u8, &'static str)> {
    let is_taken =
        |uri: &str| uri != extension::ORIENTATION || section.kind == Kind::Video && !options.strip_orientation;
    let earlier = || offer.media.iter().flat_map(|section| &section.extensions);
    let is_first = |number: u8, uri: &str| earlier().find(|(n, _)| *n == number).is_some_and(|(_, first)| first == uri);
    let known = section.extensions.iter().filter_map(|(number, uri)| {
        let uri = extension::RECEIVED.into_iter().find(|known| known == uri)?;
        (is_first(*number, uri) && is_taken(uri)).then_some((*number, uri))
    });
    known.collect()
}

/// What is received. Video sections with labels are one section where `takes_renditions`: each holds a rendition.
pub(super) fn sections(offer: &Offer, decisions: &[Decision], takes_renditions: bool) -> Vec<Section> {
    let received = offer.media.iter().zip(decisions).filter_map(|(section, decision)| match decision {
        Decision::Receive { formats, extensions, rids, .. } => Some((section, formats, extensions, rids)),
        _ => None,
    });
    let section =
        |(index, (section, formats, extensions, rids)): (usize, (&MediaSection, &Vec<_>, &Vec<_>, &Vec<_>))| {
            // 16 bytes is the most that the one-byte form of extensions holds (RFC 8285 §4.2).
            let mid = section.mid.clone().filter(|mid| (1..=16).contains(&mid.len()));
            let is_video = section.kind == Kind::Video;
            let label = section.label.clone().filter(|_| takes_renditions && is_video);
            let mid = mid.unwrap_or_else(|| format!("section{index}"));
            Section {
                is_video,
                formats: formats.clone(),
                rids: label.clone().map_or_else(|| rids.clone(), |label| vec![label]),
                parts: vec![Part { mid, sources: section.sources.clone(), label }],
                extensions: extensions.clone(),
            }
        };
    let mut sections: Vec<Section> = Vec::new();
    for section in received.enumerate().map(section) {
        match sections.iter_mut().find(|known| known.is_labelled() && section.is_labelled()) {
            // The first of a name has it.
            Some(known) if section.rids.iter().any(|rid| known.rids.contains(rid)) => {}
            Some(known) => known.add(section),
            None => sections.push(section),
        }
    }
    sections
}

pub(super) fn first_section(offer: &Offer, decisions: &[Decision]) -> Option<(String, String)> {
    let mut taken = offer.media.iter().zip(decisions).filter(|(_, decision)| !matches!(decision, Decision::Refuse));
    let (section, _) = taken.next()?;
    Some((section.name.clone(), section.mid.clone()?))
}
