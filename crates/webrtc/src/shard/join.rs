//! How a viewer is taken in: from an offer to a seat and an answer.

use std::{sync::Arc, time::Instant};

use headwater_graph::{Bell, ConvertError, Subscription};
use headwater_media::{Codec, TrackKind, limits};
use headwater_net::Permit;
use tokio::sync::watch;

use crate::{
    Offer,
    egress::{Agreed, Egress, Outgoing},
    error::ViewError,
    participant::Participant,
    sdp::{self, Decision, Format, Kind, Local, MediaSection},
    session::{Accepted, Place, Progress, Session, Stage},
    viewer::{Outlet, Viewer},
};

use super::{
    core::{Core, Feed, Seat},
    rest,
};

/// A viewer that has been taken in.
pub(super) struct Joined {
    pub(super) accepted: Accepted,
    /// If it is the first of its stream in this shard: the stream's place, and the bell to wait for.
    pub(super) new_feed: Option<(usize, Bell)>,
}

/// What each media section of the offer is to become.
pub(super) struct Choice {
    pub(super) sections: Vec<SectionChoice>,
    pub(super) outlets: Vec<Outlet>,
}

pub(super) enum SectionChoice {
    /// The outlet of this number.
    Send(usize),
    Idle(Format),
    Refuse,
}

impl Core {
    /// Takes a viewer in.
    pub(super) fn join(
        &mut self,
        offer: Offer,
        subscription: Subscription,
        pending: Permit,
        now: Instant,
    ) -> Result<Joined, ViewError> {
        let commands = self.commands.upgrade().ok_or(ViewError::Stopping)?;
        if self.seats.len() >= limits::WEBRTC_VIEWERS_PER_SHARD.get_usize() {
            limits::WEBRTC_VIEWERS_PER_SHARD.hit();
            return Err(ViewError::Full);
        }
        let (bell, is_new) = self.bell_of(&subscription);
        let mut choice = choose(&offer, &labels(&offer, &subscription), &subscription, &bell)?;

        let credentials = self.new_credentials();
        let mid_extension = mid_extension(&offer, &choice.sections);
        let media = outgoing(&offer, &choice, mid_extension);
        let cname = format!("{:016x}", rand::random::<u64>());
        let agreed = Agreed {
            local_ice: &credentials,
            remote_ice: &offer.ice,
            fingerprint: &offer.fingerprint,
            role: offer.role,
            mid_extension,
            media: &media,
            cname: &cname,
            candidates: None,
        };
        let mut egress =
            Egress::new(&self.common, &agreed, now).map_err(|error| ViewError::Setup(error.to_string()))?;
        if subscription.viewer().peer().server.is_some() {
            egress.report_steadily();
        }
        for (outlet, sources) in choice.outlets.iter_mut().zip(egress.sources()) {
            outlet.set_sources(sources);
        }
        let local = Local {
            session: rand::random::<u64>() >> 2,
            ice: &credentials,
            fingerprint: &self.common.fingerprint(),
            candidates: &self.candidates,
            cname: &cname,
            mid_extension,
        };
        let answer = sdp::write(&offer, &decisions(&offer, &choice), &local);

        let viewer = Viewer::new(egress, choice.outlets, subscription, bell.clone(), pending, now);
        let first_section = first_section(&offer, &choice.sections);
        let (place, stage, stream) = self.seat_viewer(viewer, credentials.fragment, first_section, &bell);
        self.with(place.index, now, |participant, around| Some(participant.run(around)));
        let session = Session { commands, place, stage, received: None };
        Ok(Joined { accepted: Accepted { sdp: answer.into(), session }, new_feed: is_new.then_some((stream, bell)) })
    }

    /// The bell of those who watch a stream, and whether it is a new one.
    pub(super) fn bell_of(&self, subscription: &Subscription) -> (Bell, bool) {
        let known = self.feeds.get(&stream_of(subscription)).map(|feed| feed.bell.clone());
        let is_new = known.is_none();
        (known.unwrap_or_else(|| Bell::watched(super::now)), is_new)
    }

    /// Gives a viewer a seat, and a place among those who watch its stream.
    pub(super) fn seat_viewer(
        &mut self,
        viewer: Viewer,
        fragment: String,
        first_section: Option<(String, String)>,
        bell: &Bell,
    ) -> (Place, watch::Receiver<Stage>, usize) {
        let stream = stream_of(viewer.subscription());
        let (place, stage) = self.seat(Participant::Viewer(viewer), fragment, first_section, Some(stream));
        let feed = self.feeds.entry(stream);
        feed.or_insert_with(|| Feed { bell: bell.clone(), viewers: Vec::new() }).viewers.push(place.index);
        (place, stage, stream)
    }

    /// Gives a seat.
    pub(super) fn seat(
        &mut self,
        participant: Participant,
        fragment: String,
        first_section: Option<(String, String)>,
        feed: Option<usize>,
    ) -> (Place, watch::Receiver<Stage>) {
        self.sorting.rest().wake(super::now(), rest::FOR_A_SESSION);
        self.next_serial += 1;
        let serial = self.next_serial;
        let (progress, stage) = Progress::new();
        let deadline = Default::default();
        let fragment_of_seat = fragment.clone();
        let seat = Seat {
            participant,
            serial,
            fragment: fragment_of_seat,
            feed,
            first_section,
            deadline,
            progress,
            unsaid: 0,
        };
        let index = self.seats.insert(seat);
        self.by_fragment.insert(fragment, index);
        self.counters.sessions.set(self.seats.len() as u64);
        (Place { index, serial }, stage)
    }
}

/// What stands for a stream in a shard.
fn stream_of(subscription: &Subscription) -> usize {
    Arc::as_ptr(subscription.stream()) as usize
}

/// Whether the peer is ready to receive in a section.
fn is_usable(section: &MediaSection) -> bool {
    !section.disabled && section.direction.receives()
}

/// Decides what each section is to become, and opens what is to be sent. The labels say for each section which
/// rendition it is to hold, where it is to hold one alone.
pub(super) fn choose(
    offer: &Offer,
    labels: &[Option<String>],
    subscription: &Subscription,
    bell: &Bell,
) -> Result<Choice, ViewError> {
    let mut choice = Choice { sections: Vec::new(), outlets: Vec::new() };
    let mut reasons = Vec::new();
    let mut taken = Vec::new();
    let labels = labels.iter().map(Option::as_deref).chain(std::iter::repeat(None));
    for (section, label) in offer.media.iter().zip(labels) {
        let kind = match section.kind {
            Kind::Audio => TrackKind::Audio,
            Kind::Video => TrackKind::Video,
            Kind::Other => {
                choice.sections.push(SectionChoice::Refuse);
                continue;
            }
        };
        let is_further = section.rendition_of.is_some();
        let asks = section.wanted.as_deref().filter(|_| label.is_none() && is_usable(section));
        let opened = match (asks, is_usable(section) && (label.is_some() || !is_further && !taken.contains(&kind))) {
            (Some(absent), _) => Err(Some(format!("the stream has no size {absent:?}"))),
            (None, true) => open(section, kind, label, subscription, bell),
            (None, false) => Err(None),
        };
        choice.sections.push(match opened {
            Ok(outlet) => {
                taken.push(kind);
                choice.outlets.push(outlet);
                SectionChoice::Send(choice.outlets.len() - 1)
            }
            Err(reason) => {
                reasons.extend(reason.map(|reason| (kind, reason)));
                idle(section)
            }
        });
    }
    let picture_missing =
        !taken.contains(&TrackKind::Video) && reasons.iter().any(|(kind, _)| *kind == TrackKind::Video);
    if choice.outlets.is_empty() || picture_missing {
        let reasons: Vec<String> = reasons.into_iter().map(|(_, reason)| reason).collect();
        return Err(ViewError::NothingInCommon(match reasons.is_empty() {
            true => "the offer asks for no audio or video that this stream has; offer recvonly sections for it".into(),
            false => reasons.join("; "),
        }));
    }
    Ok(choice)
}

/// The rendition that a peer is sent in each section: the one that it asks for, or the next where it takes one in each;
/// none where it takes the best alone, or there is only one.
fn labels(offer: &Offer, subscription: &Subscription) -> Vec<Option<String>> {
    let takes = |section: &MediaSection| section.kind == Kind::Video && is_usable(section);
    let takes_several = offer.media.iter().any(|section| section.rendition_of.is_some());
    let asks = offer.media.iter().any(|section| takes(section) && section.wanted.is_some());
    let track = subscription.stream().track(TrackKind::Video).filter(|_| takes_several || asks);
    let there = track.map(|track| track.labels()).unwrap_or_default();
    if asks {
        let wanted =
            |section: &MediaSection| section.wanted.clone().filter(|label| takes(section) && there.contains(label));
        return offer.media.iter().map(wanted).collect();
    }
    let mut labels = there.into_iter();
    offer.media.iter().map(|section| takes(section).then(|| labels.next()).flatten()).collect()
}

/// Opens a track, or the rendition of that label, in the best codec that the section takes. `Err(None)` where the stream
/// has no such track.
fn open(
    section: &MediaSection,
    kind: TrackKind,
    label: Option<&str>,
    subscription: &Subscription,
    bell: &Bell,
) -> Result<Outlet, Option<String>> {
    let track = subscription.stream().track(kind).ok_or(None)?;
    let source = track.native().parameters();
    let formats = sdp::choose(section, source.as_deref());
    let own = source.as_ref().map(|source| source.codec);
    let mut codecs: Vec<Codec> = formats.iter().map(|format| format.codec).collect();
    // The source's own codec needs no conversion.
    codecs.sort_by_key(|codec| Some(*codec) != own);
    let mut reason: Option<ConvertError> = None;
    for codec in codecs {
        let mut formats = formats.clone();
        formats.retain(|format| format.codec == codec);
        let opened = match label {
            Some(label) => Outlet::open_rendition(subscription, track.clone(), label, codec, formats, bell),
            None => Outlet::open(subscription, track.clone(), codec, formats, bell),
        };
        match opened {
            Ok(outlet) => return Ok(outlet),
            Err(error) => reason = reason.or(Some(error)),
        }
    }
    let offered: Vec<&str> = formats.iter().map(|format| format.codec.name()).collect();
    Err(Some(match (reason, own) {
        (Some(_), Some(own)) => format!(
            "the stream's {kind} is {own}, the offer takes only {}, and this server cannot convert it",
            offered.join(", ")
        ),
        (Some(error), None) => error.to_string(),
        (None, Some(own)) => {
            format!("the stream's {kind} is {own}, and the offer has no codec for it that this server knows")
        }
        (None, None) => format!("the stream's {kind} has not begun yet"),
    }))
}

fn idle(section: &MediaSection) -> SectionChoice {
    let format = sdp::choose(section, None).into_iter().next();
    match format.filter(|_| !section.disabled) {
        Some(format) => SectionChoice::Idle(format),
        None => SectionChoice::Refuse,
    }
}

fn decisions(offer: &Offer, choice: &Choice) -> Vec<Decision> {
    let decide = |(section, choice_of): (&MediaSection, &SectionChoice)| match choice_of {
        SectionChoice::Send(index) => match choice.outlets.get(*index) {
            Some(outlet) => Decision::Send {
                formats: outlet.formats().to_vec(),
                source: outlet.sources().main,
                retransmissions: outlet.sources().retransmissions,
                transport_extension: transport_extension(section),
                orientation_extension: orientation_extension(section),
                label: outlet.label().map(str::to_owned),
            },
            None => Decision::Refuse,
        },
        SectionChoice::Idle(format) => Decision::Idle(format.clone()),
        SectionChoice::Refuse => Decision::Refuse,
    };
    offer.media.iter().zip(&choice.sections).map(decide).collect()
}

fn sent<'a>(offer: &'a Offer, sections: &'a [SectionChoice]) -> impl Iterator<Item = (usize, &'a MediaSection)> {
    offer.media.iter().zip(sections).filter_map(|(section, choice)| match choice {
        SectionChoice::Send(index) => Some((*index, section)),
        _ => None,
    })
}

/// The number of the extension that names media sections, where all that is sent can use it.
pub(super) fn mid_extension(offer: &Offer, sections: &[SectionChoice]) -> Option<u8> {
    let mut number = None;
    for (_, section) in sent(offer, sections) {
        let (offered, _) = section.extensions.iter().find(|(_, uri)| uri == sdp::extension::MID)?;
        // 16 bytes is the most that the one-byte form of extensions holds (RFC 8285 §4.2).
        let fits = section.mid.as_ref().is_some_and(|mid| (1..=16).contains(&mid.len()));
        if !fits || number.is_some_and(|number| number != *offered) {
            return None;
        }
        number = Some(*offered);
    }
    number
}

/// The number of the extension by which packets are numbered over the transport, where the peer tells of pictures
/// what has become of them.
fn transport_extension(section: &MediaSection) -> Option<u8> {
    let tells = |payload: &sdp::Payload| payload.feedback.iter().any(|feedback| feedback == "transport-cc");
    if section.kind != Kind::Video || !section.payloads.iter().any(tells) {
        return None;
    }
    section.extension(sdp::extension::TRANSPORT_SEQUENCE)
}

/// The number of the extension by which pictures say how they are to be turned.
fn orientation_extension(section: &MediaSection) -> Option<u8> {
    section.extension(sdp::extension::ORIENTATION).filter(|_| section.kind == Kind::Video)
}

pub(super) fn outgoing(offer: &Offer, choice: &Choice, mid_extension: Option<u8>) -> Vec<Outgoing> {
    let media = sent(offer, &choice.sections).filter_map(|(index, section)| {
        let outlet = choice.outlets.get(index)?;
        let own_name = index.to_string();
        Some(Outgoing {
            mid: section.mid.clone().filter(|_| mid_extension.is_some()).unwrap_or(own_name),
            formats: outlet.formats().to_vec(),
            transport_extension: transport_extension(section),
            orientation_extension: orientation_extension(section),
            sources: None,
        })
    });
    media.collect()
}

pub(super) fn first_section(offer: &Offer, sections: &[SectionChoice]) -> Option<(String, String)> {
    let taken = offer.media.iter().zip(sections);
    let mut taken = taken.filter(|(_, choice)| !matches!(choice, SectionChoice::Refuse));
    let (section, _) = taken.next()?;
    Some((section.name.clone(), section.mid.clone()?))
}
