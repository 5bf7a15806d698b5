//! How a session that this side has begun gets its seat.

use std::time::Instant;

use headwater_graph::{Bell, Publication, Subscription};
use headwater_media::{TrackKind, limits};
use headwater_net::Permit;
use tokio::sync::mpsc;

use crate::{
    Offer, Proposal, PublishOptions,
    call::CallError,
    egress::{Agreed as Sent, Carrier, Egress, Outgoing, Remote},
    participant::Participant,
    publisher::{Agreed as Received, Call, Ingress, Publisher},
    sdp::{self, Answer, Kind, ProposedSection},
    session::Session,
    viewer::Viewer,
};

use super::super::{
    Command,
    core::Core,
    join::{SectionChoice, choose, first_section as first_sent, mid_extension, outgoing},
    publish::{decide, first_section, sections},
};

/// What a session is made of, whichever way media goes.
pub(super) struct Parts {
    pub(super) proposal: Proposal,
    pub(super) peer: Answer,
    pub(super) pending: Permit,
    /// The shard's number for the session's socket or connection.
    pub(super) number: u32,
}

impl Core {
    /// Begins a session in which the peer sends. Its socket is bound to this port.
    pub(super) fn call_to_receive(
        &mut self,
        parts: Parts,
        port: u16,
        publication: Publication,
        options: &PublishOptions,
        now: Instant,
    ) -> Result<(Session, Bell), CallError> {
        let commands = self.room()?;
        let Parts { proposal, peer, pending, number } = parts;
        let answer = &peer.description;
        let decisions = decide(answer, options).map_err(|error| CallError::Answer(error.to_string()))?;
        let sections = sections(answer, &decisions, proposal.takes_renditions());
        let agreed = Received {
            local_ice: &proposal.ice,
            remote_ice: &answer.ice,
            fingerprint: &answer.fingerprint,
            role: answer.role,
            sections: &sections,
            port,
            call: Some(Call { number, candidates: &peer.candidates }),
        };
        let ingress = Ingress::new(&self.common, &agreed, now).map_err(|error| CallError::Setup(error.to_string()))?;
        let first_section = first_section(answer, &decisions);
        let publisher =
            Publisher::new(ingress, sections, publication, options.max_bitrate, self.coalescing_window, pending, now);
        let (bell, received) = (publisher.bell().clone(), publisher.received().clone());
        let participant = Participant::Publisher(Box::new(publisher));
        let (place, stage) = self.seat(participant, proposal.ice.fragment, first_section, None);
        self.with(place.index, now, |participant, around| Some(participant.run(around)));
        self.outbox.flush();
        Ok((Session { commands, place, stage, received: Some(received) }, bell))
    }

    /// Begins a session in which this side sends. If the peer is the first viewer of the stream in this shard, it
    /// comes with the stream's place and the bell to wait for.
    pub(super) fn call_to_send(
        &mut self,
        parts: Parts,
        subscription: Subscription,
        now: Instant,
    ) -> Result<(Session, Option<(usize, Bell)>), CallError> {
        let commands = self.room()?;
        let Parts { proposal, peer, pending, number } = parts;
        let answer = &peer.description;
        check_taken(&proposal.sections, answer)?;
        let (bell, is_new) = self.bell_of(&subscription);
        let labels: Vec<_> = proposal.sections.iter().map(|section| section.label.clone()).collect();
        let chosen = choose(answer, &labels, &subscription, &bell);
        let mut choice = chosen.map_err(|error| CallError::Answer(error.to_string()))?;
        let mid_extension = mid_extension(answer, &choice.sections);
        let mut media = outgoing(answer, &choice, mid_extension);
        tell_sources(&mut media, &choice.sections, &proposal.sections);
        let remote = |address: &std::net::SocketAddr| Remote { carrier: Carrier::Call(number), address: *address };
        let candidates: Vec<Remote> = peer.candidates.iter().map(remote).collect();
        let agreed = Sent {
            local_ice: &proposal.ice,
            remote_ice: &answer.ice,
            fingerprint: &answer.fingerprint,
            role: answer.role,
            mid_extension,
            media: &media,
            cname: &proposal.cname,
            candidates: Some(&candidates),
        };
        let egress = Egress::new(&self.common, &agreed, now).map_err(|error| CallError::Setup(error.to_string()))?;
        for (outlet, sources) in choice.outlets.iter_mut().zip(egress.sources()) {
            outlet.set_sources(sources);
        }
        let first_section = first_sent(answer, &choice.sections);
        let viewer = Viewer::new(egress, choice.outlets, subscription, bell.clone(), pending, now);
        let (place, stage, stream) = self.seat_viewer(viewer, proposal.ice.fragment, first_section, &bell);
        self.with(place.index, now, |participant, around| Some(participant.run(around)));
        self.outbox.flush();
        let session = Session { commands, place, stage, received: None };
        Ok((session, is_new.then_some((stream, bell))))
    }

    /// Whether there is a seat for one more session, and what it is to be commanded by.
    fn room(&self) -> Result<mpsc::Sender<Command>, CallError> {
        if self.seats.len() >= limits::WEBRTC_VIEWERS_PER_SHARD.get_usize() {
            limits::WEBRTC_VIEWERS_PER_SHARD.hit();
            return Err(CallError::Full("the server has as many WebRTC sessions as it takes".into()));
        }
        self.commands.upgrade().ok_or(CallError::Stopping)
    }
}

/// Whether an answer has the sections of the proposal (RFC 3264 §6), and takes the stream's picture, or its sound if it
/// has no picture. Further renditions of the picture are taken or not.
fn check_taken(proposed: &[ProposedSection], answer: &Offer) -> Result<(), CallError> {
    let wrong = |what: String| Err(CallError::Answer(what));
    if proposed.len() != answer.media.len() {
        return wrong(format!("it has {} media sections where {} were offered", answer.media.len(), proposed.len()));
    }
    let has_picture = proposed.iter().any(|section| section.kind == TrackKind::Video);
    for (section, answered) in proposed.iter().zip(&answer.media) {
        let (kind, is_video) = (section.kind, section.kind == TrackKind::Video);
        if answered.kind != (if is_video { Kind::Video } else { Kind::Audio }) {
            return wrong(format!("it has {} where {kind} was offered", answered.name));
        }
        let formats = sdp::choose(answered, None);
        let takes = formats.iter().any(|format| section.codecs.contains(&format.codec));
        let has_to = (is_video || !has_picture) && section.rendition_of.is_none();
        if has_to && (answered.disabled || !answered.direction.receives() || !takes) {
            let names: Vec<&str> = section.codecs.iter().map(|codec| codec.name()).collect();
            return wrong(format!("the other server takes no {kind} in {}", names.join(" or ")));
        }
    }
    Ok(())
}

/// The numbers of the sources are those that the proposal has told.
fn tell_sources(media: &mut [Outgoing], choice: &[SectionChoice], proposed: &[ProposedSection]) {
    for (choice, section) in choice.iter().zip(proposed) {
        if let SectionChoice::Send(index) = choice
            && let Some(media) = media.get_mut(*index)
        {
            media.sources = section.sources;
        }
    }
}
