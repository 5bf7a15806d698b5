//! A full WebRTC client that publishes numbered packets, with str0m as its stack and a socket of its own.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use headwater_graph::{Bell, Cursor, Hub, Join, Next, Peer, Subscription};
use headwater_media::{Codec, Packet, TrackKind};
use headwater_webrtc::{Accepted, Offer, PublishError, PublishOptions, WebRtc};
use str0m::{
    Candidate, Event, Input, Output, Rtc,
    change::{SdpAnswer, SdpPendingOffer},
    media::{Direction, MediaKind, Mid},
    net::{Protocol, Receive},
    rtp::{ExtensionValues, RtpWrite, VideoOrientation},
};
use tokio::net::UdpSocket;

use crate::publisher::name;

/// What the client sends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) codec: Codec,
    /// Pictures between two key frames; no key frame but the first and those asked for, if zero.
    pub(crate) group: i64,
    /// How long a picture takes from capture to the network, and sound does not.
    pub(crate) picture_delay: Duration,
}

impl Default for Plan {
    fn default() -> Plan {
        Plan { codec: Codec::H264, group: 25, picture_delay: Duration::ZERO }
    }
}

pub(crate) const PARTS: u8 = 4;
pub(crate) const FRAME: Duration = Duration::from_millis(20);

/// Which media datagrams the network loses.
type Loss = Box<dyn FnMut(&[u8]) -> bool + Send>;

pub(crate) struct Sender {
    rtc: Rtc,
    socket: UdpSocket,
    local: SocketAddr,
    remote: SocketAddr,
    plan: Plan,
    video: Mid,
    audio: Mid,
    pub(crate) accepted: Accepted,
    /// When frame 0 was captured, once connected.
    begun: Option<Instant>,
    frame: i64,
    sequence: (u64, u64),
    waiting: VecDeque<(Instant, i64)>,
    key_frame_wanted: bool,
    /// When key frames were asked for.
    pub(crate) asked: Vec<Instant>,
    pub(crate) closed: bool,
    /// Which media datagrams to the server are lost.
    pub(crate) loses: Loss,
    /// What the last packet of a picture says of how it is to be turned, by its number and whether it is a key frame.
    pub(crate) turns: fn(i64, bool) -> Option<VideoOrientation>,
    is_key: bool,
}

/// A client's offer to send sound and picture.
pub(crate) async fn offer(codec: Codec) -> (Rtc, UdpSocket, String, SdpPendingOffer, (Mid, Mid)) {
    let builder = Rtc::builder().set_rtp_mode(true).clear_codecs().enable_opus(true, false);
    let builder = builder.set_rtcp_report_interval_audio(Duration::from_secs(1));
    let builder = match codec {
        Codec::Vp8 => builder.enable_vp8(true),
        _ => builder.enable_h264(true),
    };
    let mut rtc = builder.build(Instant::now());
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket2::SockRef::from(&socket).set_recv_buffer_size(4 << 20).unwrap();
    rtc.add_local_candidate(Candidate::host(socket.local_addr().unwrap(), "udp").unwrap());
    let mut api = rtc.sdp_api();
    let audio = api.add_media(MediaKind::Audio, Direction::SendOnly, None, None, None);
    let video = api.add_media(MediaKind::Video, Direction::SendOnly, None, None, None);
    let (offer, pending) = api.apply().unwrap();
    (rtc, socket, offer.to_sdp_string(), pending, (audio, video))
}

impl Sender {
    pub(crate) async fn publish(hub: &Hub, server: &WebRtc, plan: Plan) -> Sender {
        Sender::try_publish(hub, server, plan, PublishOptions::default()).await.unwrap()
    }

    pub(crate) async fn try_publish(
        hub: &Hub,
        server: &WebRtc,
        plan: Plan,
        options: PublishOptions,
    ) -> Result<Sender, PublishError> {
        Sender::publish_saying(hub, server, plan, options, |offer| offer).await
    }

    /// The same with an offer that says something else.
    pub(crate) async fn publish_saying(
        hub: &Hub,
        server: &WebRtc,
        plan: Plan,
        options: PublishOptions,
        say: impl FnOnce(String) -> String,
    ) -> Result<Sender, PublishError> {
        let (mut rtc, socket, text, pending, (audio, video)) = offer(plan.codec).await;
        let publication = hub.publish(name(), Peer::new("WebRTC", "sender")).unwrap();
        let offer = Offer::parse(&say(text))?;
        let accepted = server.publish(offer, publication, options, "127.0.0.1".parse().unwrap()).await?;
        let answer = SdpAnswer::from_sdp_string(&accepted.sdp).unwrap();
        rtc.sdp_api().accept_answer(pending, answer).unwrap();
        let local = socket.local_addr().unwrap();
        Ok(Sender {
            rtc,
            socket,
            local,
            remote: server.address(),
            plan,
            video,
            audio,
            accepted,
            begun: None,
            frame: 0,
            sequence: (100, 65_500),
            waiting: VecDeque::new(),
            key_frame_wanted: false,
            asked: Vec::new(),
            closed: false,
            loses: Box::new(|_| false),
            turns: |_, _| None,
            is_key: false,
        })
    }

    /// Sends in real time until `done` says so; fails after ten seconds.
    pub(crate) async fn run_until(&mut self, what: &str, mut done: impl FnMut(&mut Sender) -> bool) {
        let limit = Instant::now() + Duration::from_secs(10);
        while !done(self) {
            assert!(Instant::now() < limit, "not within ten seconds: {what}");
            self.step().await;
        }
    }

    pub(crate) async fn run_for(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.step().await;
        }
    }

    async fn step(&mut self) {
        self.write();
        let timeout = self.drain().await;
        let until = timeout.min(Instant::now() + Duration::from_millis(5));
        let mut buffer = vec![0; 2_000];
        let wait = until.saturating_duration_since(Instant::now());
        match tokio::time::timeout(wait, self.socket.recv_from(&mut buffer)).await {
            Ok(Ok((size, _))) => {
                let received = Receive::new(Protocol::Udp, self.remote, self.local, &buffer[..size]).unwrap();
                self.rtc.handle_input(Input::Receive(Instant::now(), received)).unwrap();
            }
            _ => self.rtc.handle_input(Input::Timeout(Instant::now())).unwrap(),
        }
    }

    async fn drain(&mut self) -> Instant {
        loop {
            match self.rtc.poll_output().unwrap() {
                Output::Timeout(at) => return at,
                Output::Transmit(transmit) => {
                    let is_media = transmit.contents.first().is_some_and(|first| first & 0xc0 == 0x80)
                        && transmit.contents.get(1).is_some_and(|second| !(192..224).contains(second));
                    if !is_media || !(self.loses)(&transmit.contents) {
                        self.socket.send_to(&transmit.contents, transmit.destination).await.unwrap();
                    }
                }
                Output::Event(Event::Connected) => self.begun = Some(Instant::now()),
                Output::Event(Event::Closed) => self.closed = true,
                Output::Event(Event::KeyframeRequest(_)) => {
                    self.asked.push(Instant::now());
                    self.key_frame_wanted = true;
                }
                Output::Event(_) => {}
            }
        }
    }

    /// Writes what is due: sound as it is captured, pictures after their delay.
    fn write(&mut self) {
        let Some(begun) = self.begun else { return };
        let now = Instant::now();
        while begun + FRAME * self.frame as u32 <= now {
            let (frame, captured) = (self.frame, begun + FRAME * self.frame as u32);
            self.frame += 1;
            self.write_sound(frame, captured);
            self.waiting.push_back((captured + self.plan.picture_delay, frame));
        }
        while self.waiting.front().is_some_and(|(at, _)| *at <= now) {
            let (at, frame) = self.waiting.pop_front().unwrap();
            self.write_picture(frame, at - self.plan.picture_delay);
        }
    }

    fn write_sound(&mut self, frame: i64, captured: Instant) {
        let payload: Arc<[u8]> = frame.to_be_bytes().into();
        self.send(self.audio, frame * 960 + 77, captured, false, payload);
    }

    fn write_picture(&mut self, frame: i64, captured: Instant) {
        let regular = frame == 0 || self.plan.group > 0 && frame % self.plan.group == 0;
        let is_key = regular || std::mem::take(&mut self.key_frame_wanted);
        self.is_key = is_key;
        for part in 0..PARTS {
            let mut payload = header(self.plan.codec, is_key, part == 0);
            payload.extend_from_slice(&frame.to_be_bytes());
            payload.resize(if part + 1 == PARTS { 400 } else { 1_000 }, part);
            self.send(self.video, frame * 1_800 + 4_294_900_000, captured, part + 1 == PARTS, payload.into());
        }
    }

    fn send(&mut self, mid: Mid, time: i64, captured: Instant, marker: bool, payload: Arc<[u8]>) {
        let is_video = mid == self.video;
        let sequence = if is_video { &mut self.sequence.1 } else { &mut self.sequence.0 };
        *sequence += 1;
        let sequence = *sequence;
        let payload_type = self.rtc.media(mid).unwrap().remote_pts()[0];
        let mut api = self.rtc.direct_api();
        let stream = api.stream_tx_by_mid(mid, None).unwrap();
        let write = RtpWrite::new(payload_type, sequence.into(), time as u32, captured, payload);
        let turn = (self.turns)((time - 4_294_900_000) / 1_800, self.is_key).filter(|_| is_video && marker);
        let loudness = (!is_video).then_some((-33, true));
        let said = ExtensionValues {
            audio_level: loudness.map(|(level, _)| level),
            voice_activity: loudness.map(|(_, speaks)| speaks),
            video_orientation: turn,
            ..ExtensionValues::default()
        };
        stream.write_rtp(write.marker(marker).nackable(is_video).ext_vals(said));
    }

    /// Sends any bytes from the client's own address.
    pub(crate) async fn send_raw(&self, datagram: &[u8]) {
        self.socket.send_to(datagram, self.remote).await.unwrap();
    }

    /// Closes the session from this side.
    pub(crate) async fn leave(&mut self) {
        self.rtc.close().unwrap();
        self.drain().await;
    }
}

/// The bytes before the number in a payload: enough to tell key frames.
fn header(codec: Codec, is_key: bool, is_first: bool) -> Vec<u8> {
    match codec {
        // A descriptor, and the frame tag with the sizes that a key frame has.
        Codec::Vp8 if is_first && is_key => vec![0x10, 0, 0, 0, 0x9d, 0x01, 0x2a, 0x40, 1, 0xf0, 0],
        Codec::Vp8 if is_first => vec![0x10, 1, 0, 0],
        Codec::Vp8 => vec![0],
        // A fragment of a slice.
        _ => vec![0x7c, if is_first { 0x80 } else { 0 } | if is_key { 5 } else { 1 }],
    }
}

/// Reads the lanes of the stream that is published.
pub(crate) struct Reader {
    pub(crate) subscription: Subscription,
    video: Cursor<Packet>,
    audio: Cursor<Packet>,
    pub(crate) pictures: Vec<Packet>,
    pub(crate) sounds: Vec<Packet>,
    pub(crate) discontinuities: usize,
}

impl Reader {
    /// A reader of a stream that is live, or `None`.
    pub(crate) async fn open(hub: &Hub, codec: Codec) -> Option<Reader> {
        hub.find(&name()).filter(|stream| stream.state() == headwater_graph::StreamState::Live)?;
        let subscription = hub.subscribe(&name(), Peer::new("TEST", "reader")).await.ok()?;
        let bell = Bell::new();
        let open = |kind, codec| {
            let track = subscription.stream().track(kind)?;
            subscription.packets(&track, &[codec], &bell, Join::NewestGroup).ok()
        };
        let (video, audio) = (open(TrackKind::Video, codec)?, open(TrackKind::Audio, Codec::Opus)?);
        let (pictures, sounds) = (Vec::new(), Vec::new());
        Some(Reader { subscription, video, audio, pictures, sounds, discontinuities: 0 })
    }

    /// Takes what is new; says how many packets of the picture there are.
    pub(crate) fn read(&mut self) -> usize {
        for (cursor, packets) in [(&mut self.video, &mut self.pictures), (&mut self.audio, &mut self.sounds)] {
            loop {
                match cursor.next() {
                    Next::Item(packet) => packets.push(packet.clone()),
                    Next::Discontinuity => self.discontinuities += 1,
                    Next::Parameters(_) | Next::Lost { .. } => {}
                    Next::Empty | Next::Ended => break,
                }
            }
        }
        self.pictures.len()
    }

    pub(crate) fn demand(&self) -> &headwater_graph::Demand {
        self.video.demand()
    }
}

/// The number of the frame that a packet belongs to.
pub(crate) fn frame(packet: &Packet, codec: Codec) -> i64 {
    let at = match (codec, packet.payload.len()) {
        (_, 8) => 0,
        (Codec::Vp8, _) if packet.random_access => 11,
        (Codec::Vp8, _) if packet.payload[0] == 0x10 => 4,
        (Codec::Vp8, _) => 1,
        _ => 2,
    };
    i64::from_be_bytes(packet.payload[at..at + 8].try_into().unwrap())
}

/// A reader of the stream, once viewers may come.
pub(crate) async fn reader(hub: &Hub, sender: &mut Sender) -> Reader {
    let limit = Instant::now() + Duration::from_secs(10);
    loop {
        sender.step().await;
        if let Some(reader) = Reader::open(hub, sender.plan.codec).await {
            return reader;
        }
        assert!(Instant::now() < limit, "the stream does not become live");
    }
}
