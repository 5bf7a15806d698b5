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

use crate::{http, sinks::drop_rtp, source};

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
pub(super) struct Arrival {
    pub(super) after: Duration,
    pub(super) payload_type: u8,
    pub(super) timestamp: u32,
    pub(super) bytes: usize,
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
    socket: UdpSocket,
    local: SocketAddr,
    next: Instant,
    seeing: bool,
    connected: bool,
    asked: Instant,
    join_time: Option<Duration>,
    begun: Option<Instant>,
    counts: HashMap<u32, Count>,
    arrivals: Vec<Arrival>,
    ages: Vec<Duration>,
}

impl Viewer {
    /// Asks for a stream.
    pub(super) fn join(common: &Common, server: SocketAddr, stream: &str, seeing: bool) -> Result<Viewer> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))
            .context("no socket for a viewer: raise the limit of open files (ulimit -n)")?;
        socket.set_nonblocking(true)?;
        // Less than asked for is what the machine allows.
        let _ = SockRef::from(&socket).set_recv_buffer_size(RECEIVE_BYTES);
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
            socket,
            local,
            next: asked,
            seeing,
            connected: false,
            asked,
            join_time: None,
            begun: None,
            counts: HashMap::new(),
            arrivals: Vec::new(),
            ages: Vec::new(),
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
        let mut buffer = [0; 2_048];
        loop {
            let (length, from) = match self.socket.recv_from(&mut buffer) {
                Ok(datagram) => datagram,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            let Ok(datagram) = Receive::new(Protocol::Udp, from, self.local, &buffer[..length]) else {
                continue;
            };
            self.rtc.handle_input(Input::Receive(Instant::now(), datagram))?;
            self.poll()?;
        }
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
            if !self.seeing {
                drop_rtp(&self.socket)?;
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
        self.ages.extend(source::age(&packet.payload));
        Ok(())
    }

    /// Counts anew from here on.
    pub(super) fn begin(&mut self) {
        self.begun = Some(Instant::now());
        self.counts.clear();
        self.arrivals.clear();
        self.ages.clear();
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

    /// Time from the request to the first packet.
    pub(super) fn join_time(&self) -> Option<Duration> {
        self.join_time
    }

    /// Whether its socket lets media through.
    pub(super) fn is_seeing(&self) -> bool {
        self.seeing
    }

    pub(super) fn is_connected(&self) -> bool {
        self.connected && self.rtc.is_alive()
    }
}
