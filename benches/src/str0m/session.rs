//! A session of str0m as a server has it that forwards packets: of one who publishes, or of one who watches.
//!
//! str0m is given its best: packets of RTP, no estimate of the line, no statistics, no extension of the header but the
//! name of the section, payloads that all viewers share, and a short memory for packets that are asked for again.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Result;
use headwater_media::TrackKind;
use str0m::{
    Candidate, Event, Input, Output, Rtc,
    change::SdpOffer,
    media::{KeyframeRequestKind, MediaAdded, Pt},
    rtp::{RtpPacket, RtpWrite, Ssrc},
};

use crate::{camera, peer::Common};

/// What a viewer may ask for again: more than a second of the picture.
const CACHE_PACKETS: usize = 512;
const CACHE_AGE: Duration = Duration::from_secs(1);
/// A number from which on a viewer's packets are counted.
const SEQUENCE: u64 = 1_000;

/// A packet on its way to the viewers.
pub(crate) struct Piece {
    pub(crate) kind: TrackKind,
    /// In ticks of the track's clock.
    pub(crate) time: u32,
    pub(crate) marker: bool,
    pub(crate) payload: Arc<[u8]>,
}

/// One of the sessions.
pub(crate) struct Session {
    rtc: Rtc,
    is_connected: bool,
    role: Role,
}

enum Role {
    Publisher {
        /// What its sound is sent as.
        sound: Vec<Pt>,
        /// The source of its picture.
        picture: Option<Ssrc>,
    },
    Viewer {
        audio: Option<Track>,
        video: Option<Track>,
        /// Whether it has been sent the beginning of a key frame.
        has_begun: bool,
    },
}

/// What a viewer is sent of a track.
struct Track {
    source: Ssrc,
    payload_type: Pt,
    sequence: u64,
}

impl Session {
    /// Answers the offer of one who publishes.
    pub(crate) fn publisher(common: &Common, local: SocketAddr, offer: &str) -> Result<(Session, String)> {
        Session::answer(common, local, offer, Role::Publisher { sound: Vec::new(), picture: None })
    }

    /// Answers the offer of one who wants to watch.
    pub(crate) fn viewer(common: &Common, local: SocketAddr, offer: &str) -> Result<(Session, String)> {
        Session::answer(common, local, offer, Role::Viewer { audio: None, video: None, has_begun: false })
    }

    fn answer(common: &Common, local: SocketAddr, offer: &str, role: Role) -> Result<(Session, String)> {
        let mut rtc = common.server();
        rtc.add_local_candidate(Candidate::host(local, "udp")?);
        let answer = rtc.sdp_api().accept_offer(SdpOffer::from_sdp_string(offer)?)?;
        Ok((Session { rtc, is_connected: false, role }, answer.to_sdp_string()))
    }

    /// Whether a datagram is of this session.
    pub(crate) fn accepts(&self, input: &Input<'_>) -> bool {
        self.rtc.accepts(input)
    }

    /// Takes a datagram, or lets time pass. To be followed by [`Session::poll`].
    pub(crate) fn take(&mut self, input: Input<'_>) -> Result<()> {
        Ok(self.rtc.handle_input(input)?)
    }

    /// Hands over what it sends, and what a publisher has sent; says when it wants to run again.
    pub(crate) fn poll(
        &mut self,
        mut send: impl FnMut(SocketAddr, &[u8]),
        mut came: impl FnMut(Piece),
    ) -> Result<Instant> {
        loop {
            match self.rtc.poll_output()? {
                Output::Timeout(at) => return Ok(at),
                Output::Transmit(datagram) => send(datagram.destination, &datagram.contents),
                Output::Event(Event::RtpPacket(packet)) => {
                    if let Some(piece) = self.piece(packet) {
                        came(piece);
                    }
                }
                Output::Event(Event::Connected) => self.is_connected = true,
                Output::Event(Event::MediaAdded(added)) => self.add(&added),
                Output::Event(_) => {}
            }
        }
    }

    fn add(&mut self, added: &MediaAdded) {
        let Some(media) = self.rtc.media(added.mid) else { return };
        let types = media.remote_pts().to_vec();
        match &mut self.role {
            Role::Publisher { sound, .. } if added.kind.is_audio() => *sound = types,
            Role::Publisher { .. } => {}
            Role::Viewer { audio, video, .. } => {
                let mut api = self.rtc.direct_api();
                let Some((stream, payload_type)) = api.stream_tx_by_mid(added.mid, None).zip(types.first()) else {
                    return;
                };
                stream.set_rtx_cache(CACHE_PACKETS, CACHE_AGE, None);
                let track = Track { source: stream.ssrc(), payload_type: *payload_type, sequence: SEQUENCE };
                *(if added.kind.is_audio() { audio } else { video }) = Some(track);
            }
        }
    }

    fn piece(&mut self, packet: RtpPacket) -> Option<Piece> {
        let Role::Publisher { sound, picture } = &mut self.role else { return None };
        let is_sound = sound.contains(&packet.header.payload_type);
        if !is_sound {
            *picture = Some(packet.header.ssrc);
        }
        Some(Piece {
            kind: if is_sound { TrackKind::Audio } else { TrackKind::Video },
            time: packet.header.timestamp,
            marker: packet.header.marker,
            payload: packet.payload,
        })
    }

    /// Writes packets of one track to a viewer who has connected, and says whether there were any for it. To be followed
    /// by [`Session::poll`]. Who has not seen the beginning of a picture waits for a key frame.
    pub(crate) fn write(&mut self, burst: &[Piece], now: Instant) -> Result<bool> {
        let Role::Viewer { audio, video, has_begun } = &mut self.role else { return Ok(false) };
        let Some(first) = burst.first().filter(|_| self.is_connected) else { return Ok(false) };
        let is_picture = first.kind == TrackKind::Video;
        if is_picture && !*has_begun {
            *has_begun = camera::begins_key_frame(&first.payload);
            if !*has_begun {
                return Ok(false);
            }
        }
        let Some(track) = (if is_picture { video } else { audio }) else { return Ok(false) };
        let mut api = self.rtc.direct_api();
        let Some(stream) = api.stream_tx(&track.source) else { return Ok(false) };
        for piece in burst {
            let payload = piece.payload.clone();
            let write = RtpWrite::new(track.payload_type, track.sequence.into(), piece.time, now, payload);
            stream.write_rtp(write.marker(piece.marker).nackable(is_picture));
            track.sequence += 1;
        }
        // All of them are taken up when time passes, and leave by one round of polling.
        self.rtc.handle_input(Input::Timeout(now))?;
        Ok(true)
    }

    /// Whether it is a viewer that waits for a key frame.
    pub(crate) fn is_waiting(&self) -> bool {
        self.is_connected && self.rtc.is_alive() && matches!(self.role, Role::Viewer { has_begun: false, .. })
    }

    /// Whether it has connected.
    pub(crate) fn is_connected(&self) -> bool {
        self.is_connected
    }

    /// Asks a publisher for a key frame. To be followed by [`Session::poll`].
    pub(crate) fn ask_for_key_frame(&mut self, now: Instant) -> Result<()> {
        if let Role::Publisher { picture: Some(source), .. } = &self.role
            && let Some(stream) = self.rtc.direct_api().stream_rx(source)
        {
            stream.request_keyframe(KeyframeRequestKind::Pli);
            self.rtc.handle_input(Input::Timeout(now))?;
        }
        Ok(())
    }

    /// Ends it without a word.
    pub(crate) fn end(&mut self) {
        self.rtc.disconnect();
    }
}
