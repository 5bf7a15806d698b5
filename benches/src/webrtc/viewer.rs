//! One viewer: a browser as far as the server can tell, joined by WHEP.

use std::{
    collections::HashMap,
    io,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use socket2::SockRef;
use str0m::{
    Candidate, Event, Input, Output, Rtc,
    change::SdpAnswer,
    config::{CryptoProvider, DtlsCert},
    media::{Direction, MediaKind},
    net::{Protocol, Receive},
    rtp::RtpPacket,
};

use crate::{
    camera::{self, Position},
    http,
    sinks::{drop_rtp, take_bursts_whole},
    source,
    timed::TimedReceiver,
};

const RECEIVE_BYTES: usize = 4 << 20;

/// What all viewers have in common, so that a hundred of them do not make a hundred certificates.
pub(super) struct Common {
    crypto: Arc<CryptoProvider>,
    certificate: DtlsCert,
}

impl Common {
    pub(super) fn new() -> Result<Common> {
        let crypto = Arc::new(str0m::crypto::from_feature_flags());
        let certificate = crypto.dtls_provider.generate_certificate().context("no certificate")?;
        Ok(Common { crypto, certificate })
    }
}

/// A packet that arrived: when, in which frame, and how much of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    pub(super) after: Duration,
    pub(super) payload_type: u8,
    pub(super) timestamp: u32,
    pub(super) bytes: usize,
}

/// What a viewer sees of its media.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sight {
    /// Its socket drops media.
    Blind,
    /// Its socket drops media, and bursts of it without cutting them up.
    BlindToBursts,
    /// It counts packets.
    Counting,
    /// It counts packets and has the kernel say when they arrived.
    Timed,
}

impl Sight {
    pub(super) fn of(counting: bool) -> Sight {
        if counting { Sight::Counting } else { Sight::Blind }
    }
}

/// How old a packet of a camera was when the kernel had it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
    pub(crate) position: Position,
    /// When it was sent, which tells packets of one publisher apart.
    pub(crate) sent: Duration,
    pub(crate) age: Duration,
}

/// The sequence numbers of one source.
#[derive(Default)]
struct Count {
    first: Option<u64>,
    last: u64,
    received: u64,
}

/// One viewer.
pub(super) struct Viewer {
    rtc: Rtc,
    socket: Arc<UdpSocket>,
    local: SocketAddr,
    next: Instant,
    sight: Sight,
    timed: Option<TimedReceiver>,
    /// How long the packet at hand has been in the kernel.
    waited: Duration,
    connected: bool,
    asked: Instant,
    join_time: Option<Duration>,
    /// Whether its first key frame has begun, and the time from the request to the end of that.
    has_key_frame: bool,
    picture_time: Option<Duration>,
    begun: Option<Instant>,
    counts: HashMap<u32, Count>,
    arrivals: Vec<Arrival>,
    ages: Vec<Duration>,
    timings: Vec<Timing>,
}

impl Viewer {
    /// Asks for a stream.
    pub(super) fn join(common: &Common, server: SocketAddr, stream: &str, sight: Sight) -> Result<Viewer> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))
            .context("no socket for a viewer: raise the limit of open files (ulimit -n)")?;
        socket.set_nonblocking(true)?;
        // Less than asked for is what the machine allows.
        let _ = SockRef::from(&socket).set_recv_buffer_size(RECEIVE_BYTES);
        let timed = (sight == Sight::Timed).then(|| TimedReceiver::new(&socket)).transpose()?;
        let local = socket.local_addr()?;
        let mut rtc = Rtc::builder()
            .set_crypto_provider(common.crypto.clone())
            .set_dtls_cert(common.certificate.clone())
            .set_rtp_mode(true)
            .set_stats_interval(None)
            .clear_codecs()
            .enable_opus(true, false)
            .enable_h264(true)
            .build(Instant::now());
        rtc.add_local_candidate(Candidate::host(local, "udp")?);
        let mut changes = rtc.sdp_api();
        changes.add_media(MediaKind::Audio, Direction::RecvOnly, None, None, None);
        changes.add_media(MediaKind::Video, Direction::RecvOnly, None, None, None);
        let (offer, pending) = changes.apply().context("no offer")?;
        let asked = Instant::now();
        let path = format!("/{stream}/whep");
        let sdp = offer.to_sdp_string();
        let answer = http::request(server, "POST", &path, "application/sdp", &sdp)?;
        let said = answer.body.lines().next().unwrap_or_default();
        ensure!(answer.status == 201, "POST {path} answers {}: {said}", answer.status);
        let answer = SdpAnswer::from_sdp_string(&answer.body)?;
        rtc.sdp_api().accept_answer(pending, answer)?;
        let mut viewer = Viewer {
            rtc,
            socket: Arc::new(socket),
            local,
            next: asked,
            sight,
            timed,
            waited: Duration::ZERO,
            connected: false,
            asked,
            join_time: None,
            has_key_frame: false,
            picture_time: None,
            begun: None,
            counts: HashMap::new(),
            arrivals: Vec::new(),
            ages: Vec::new(),
            timings: Vec::new(),
        };
        viewer.advance(Instant::now())?;
        Ok(viewer)
    }

    pub(super) fn socket(&self) -> &UdpSocket {
        &self.socket
    }

    /// When it wants to run again.
    pub(super) fn next(&self) -> Instant {
        self.next
    }

    /// Takes all datagrams that have come.
    pub(super) fn receive(&mut self) -> Result<()> {
        if let Some(mut timed) = self.timed.take() {
            let socket = self.socket.clone();
            let result = timed.receive(&socket, |arrived| {
                self.waited = arrived.since;
                self.accept(arrived.from, arrived.bytes)
            });
            self.timed = Some(timed);
            return result;
        }
        let mut buffer = [0; 2_048];
        loop {
            let (length, from) = match self.socket.recv_from(&mut buffer) {
                Ok(datagram) => datagram,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            self.accept(from, &buffer[..length])?;
        }
    }

    fn accept(&mut self, from: SocketAddr, bytes: &[u8]) -> Result<()> {
        let Ok(datagram) = Receive::new(Protocol::Udp, from, self.local, bytes) else {
            return Ok(());
        };
        self.rtc.handle_input(Input::Receive(Instant::now(), datagram))?;
        self.poll()
    }

    /// Lets time pass.
    pub(super) fn advance(&mut self, now: Instant) -> Result<()> {
        self.rtc.handle_input(Input::Timeout(now))?;
        self.poll()
    }

    fn poll(&mut self) -> Result<()> {
        loop {
            match self.rtc.poll_output()? {
                Output::Timeout(at) => {
                    self.next = at;
                    return Ok(());
                }
                Output::Transmit(datagram) => {
                    // A datagram that the kernel refuses is a lost one.
                    let _ = self.socket.send_to(&datagram.contents, datagram.destination);
                }
                Output::Event(Event::Connected) => self.connected = true,
                Output::Event(Event::Closed) => bail!("the server has closed a session"),
                Output::Event(Event::RtpPacket(packet)) => self.take(&packet)?,
                Output::Event(_) => {}
            }
        }
    }

    fn take(&mut self, packet: &RtpPacket) -> Result<()> {
        if self.join_time.is_none() {
            self.join_time = Some(self.asked.elapsed());
            if self.sight == Sight::Blind {
                drop_rtp(&self.socket)?;
            }
            if self.sight == Sight::BlindToBursts {
                drop_rtp(&self.socket)?;
                take_bursts_whole(&self.socket)?;
            }
        }
        if self.picture_time.is_none() {
            self.has_key_frame |= camera::begins_key_frame(&packet.payload);
            let position = camera::position(&packet.payload, packet.header.marker);
            if self.has_key_frame && position == Position::Last {
                self.picture_time = Some(self.asked.elapsed());
            }
        }
        let Some(begun) = self.begun else {
            return Ok(());
        };
        let sequence = *packet.seq_no;
        let count = self.counts.entry(*packet.header.ssrc).or_default();
        let first = *count.first.get_or_insert(sequence);
        if sequence >= first {
            count.received += 1;
            count.last = count.last.max(sequence);
        }
        self.arrivals.push(Arrival {
            after: begun.elapsed(),
            payload_type: *packet.header.payload_type,
            timestamp: packet.header.timestamp,
            bytes: packet.payload.len(),
        });
        let (sent, age) = (source::sent(&packet.payload), source::age(&packet.payload));
        self.ages.extend(age);
        if self.sight == Sight::Timed {
            let position = camera::position(&packet.payload, packet.header.marker);
            let age = age.and_then(|age| age.checked_sub(self.waited));
            self.timings.extend(sent.zip(age).map(|(sent, age)| Timing { position, sent, age }));
        }
        Ok(())
    }

    /// Counts anew from here on.
    pub(super) fn begin(&mut self) {
        self.begun = Some(Instant::now());
        self.counts.clear();
        self.arrivals.clear();
        self.ages.clear();
        self.timings.clear();
    }

    /// Packets received, and those that should have been.
    pub(super) fn counts(&self) -> (u64, u64) {
        self.counts.values().fold((0, 0), |sum, count| {
            let expected = count.last + 1 - count.first.unwrap_or(0);
            (sum.0 + count.received, sum.1 + expected)
        })
    }

    pub(super) fn arrivals(&self) -> &[Arrival] {
        &self.arrivals
    }

    pub(super) fn ages(&self) -> impl Iterator<Item = Duration> {
        self.ages.iter().copied()
    }

    /// When packets arrived, if it was to tell.
    pub(super) fn timings(&self) -> &[Timing] {
        &self.timings
    }

    /// Time from the request to the first packet.
    pub(super) fn join_time(&self) -> Option<Duration> {
        self.join_time
    }

    /// Time from the request to the last packet of the first key frame, if it sees its media and that is a camera's.
    pub(super) fn picture_time(&self) -> Option<Duration> {
        self.picture_time
    }

    /// Says farewell to the server.
    pub(super) fn leave(&mut self) -> Result<()> {
        self.rtc.close()?;
        loop {
            match self.rtc.poll_output()? {
                Output::Timeout(_) => return Ok(()),
                Output::Transmit(datagram) => {
                    let _ = self.socket.send_to(&datagram.contents, datagram.destination);
                }
                Output::Event(_) => {}
            }
        }
    }

    /// Whether its socket lets media through.
    pub(super) fn is_seeing(&self) -> bool {
        self.sight != Sight::Blind
    }

    pub(super) fn is_connected(&self) -> bool {
        self.connected && self.rtc.is_alive()
    }
}
