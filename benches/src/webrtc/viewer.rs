//! One viewer: a browser as far as the server can tell, joined by WHEP.

use std::{
    io,
    net::{SocketAddr, UdpSocket},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use socket2::SockRef;
use str0m::{
    Event, Input, Output, Rtc,
    media::Direction,
    net::{Protocol, Receive},
    rtp::RtpPacket,
};

use super::{
    line::{Line, Mended, Quality},
    seen::Seen,
};
use crate::{
    camera::{self, Position},
    peer::{self, BUFFER_BYTES, Common},
    sinks::{drop_rtp, take_bursts_whole},
    timed::TimedReceiver,
};

/// What a viewer sees of its media.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Sight {
    /// Its socket drops media.
    Blind,
    /// Its socket drops media, and bursts of it without cutting them up.
    BlindToBursts,
    /// It counts packets.
    Counting,
    /// It counts packets and has the kernel say when they arrived.
    Timed,
    /// It counts packets at the end of a bad line.
    Through(Quality),
}

impl Sight {
    pub(super) fn of(counting: bool) -> Sight {
        if counting { Sight::Counting } else { Sight::Blind }
    }
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
    pub(super) seen: Seen,
    line: Option<Line>,
    pub(super) datagrams_sent: u64,
    pub(super) datagrams_received: u64,
}

impl Viewer {
    /// Asks for a stream.
    pub(super) fn join(common: &Common, server: SocketAddr, stream: &str, sight: Sight) -> Result<Viewer> {
        let (mut rtc, socket) = common.session(None)?;
        // Less than asked for is what the machine allows.
        let _ = SockRef::from(&socket).set_recv_buffer_size(BUFFER_BYTES);
        let timed = matches!(sight, Sight::Timed).then(|| TimedReceiver::new(&socket)).transpose()?;
        let local = socket.local_addr()?;
        let asked = peer::agree(&mut rtc, server, &format!("/{stream}/whep"), Direction::RecvOnly)?.asked;
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
            seen: Seen::default(),
            line: match sight {
                Sight::Through(quality) => Some(Line::new(quality, local.port().into())),
                _ => None,
            },
            datagrams_sent: 0,
            datagrams_received: 0,
        };
        viewer.advance(Instant::now())?;
        Ok(viewer)
    }

    pub(super) fn socket(&self) -> &UdpSocket {
        &self.socket
    }

    /// When it wants to run again.
    pub(super) fn next(&self) -> Instant {
        let through = self.line.as_ref().and_then(Line::next);
        through.map_or(self.next, |through| through.min(self.next))
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
            match &mut self.line {
                Some(line) => line.receive(from, &buffer[..length], Instant::now()),
                None => self.accept(from, &buffer[..length])?,
            }
        }
    }

    fn accept(&mut self, from: SocketAddr, bytes: &[u8]) -> Result<()> {
        self.datagrams_received += 1;
        let Ok(datagram) = Receive::new(Protocol::Udp, from, self.local, bytes) else {
            return Ok(());
        };
        self.rtc.handle_input(Input::Receive(Instant::now(), datagram))?;
        self.poll()
    }

    /// Lets time pass.
    pub(super) fn advance(&mut self, now: Instant) -> Result<()> {
        while let Some((from, bytes)) = self.line.as_mut().and_then(|line| line.arriving(now)) {
            self.accept(from, &bytes)?;
        }
        self.rtc.handle_input(Input::Timeout(now))?;
        self.poll()?;
        while let Some((to, bytes)) = self.line.as_mut().and_then(|line| line.leaving(now)) {
            let _ = self.socket.send_to(&bytes, to);
        }
        Ok(())
    }

    fn poll(&mut self) -> Result<()> {
        loop {
            match self.rtc.poll_output()? {
                Output::Timeout(at) => {
                    self.next = at;
                    return Ok(());
                }
                Output::Transmit(datagram) => {
                    self.datagrams_sent += 1;
                    match &mut self.line {
                        Some(line) => line.send(datagram.destination, datagram.contents.to_vec(), Instant::now()),
                        // A datagram that the kernel refuses is a lost one.
                        None => drop(self.socket.send_to(&datagram.contents, datagram.destination)),
                    }
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
            if matches!(self.sight, Sight::Blind) {
                drop_rtp(&self.socket)?;
            }
            if matches!(self.sight, Sight::BlindToBursts) {
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
        if let Some(line) = &mut self.line {
            line.take(*packet.header.ssrc, *packet.seq_no, Instant::now());
        }
        self.seen.take(packet, matches!(self.sight, Sight::Timed).then_some(self.waited));
        Ok(())
    }

    /// Counts anew from here on.
    pub(super) fn begin(&mut self) {
        self.seen.begin();
        self.line.iter_mut().for_each(Line::begin);
    }

    /// What became of what its line has lost.
    pub(super) fn mended(&self) -> Option<Mended> {
        self.line.as_ref().map(|line| line.mended(Instant::now()))
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
        peer::leave(&mut self.rtc, &self.socket)
    }

    /// Whether its socket lets media through.
    pub(super) fn is_seeing(&self) -> bool {
        !matches!(self.sight, Sight::Blind | Sight::BlindToBursts)
    }

    pub(super) fn is_connected(&self) -> bool {
        self.connected && self.rtc.is_alive()
    }
}
