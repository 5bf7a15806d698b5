//! One publishing browser, as far as the server can tell.

use std::{
    io,
    net::{SocketAddr, UdpSocket},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use headwater_media::TrackKind;
use socket2::SockRef;
use str0m::{
    Event, Input, Output, Rtc,
    media::{Direction, Mid},
    net::{Protocol, Receive},
    rtp::RtpWrite,
};

use crate::{
    camera::{Camera, Packet},
    peer::{self, Agreed, BUFFER_BYTES, Common},
};

const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// One browser.
pub(super) struct Browser {
    rtc: Rtc,
    socket: UdpSocket,
    local: SocketAddr,
    audio: Track,
    video: Track,
    camera: Camera,
    /// When the session wants to run again.
    timer: Instant,
    connected: bool,
    /// When its camera was switched on.
    begun: Option<Instant>,
    packets: u64,
}

/// One of its tracks.
struct Track {
    mid: Mid,
    sequence: u64,
}

impl Browser {
    /// Asks to publish a stream.
    pub(super) fn publish(common: &Common, server: SocketAddr, stream: &str, camera: Camera) -> Result<Browser> {
        let (mut rtc, socket) = common.session(Some(REPORT_INTERVAL))?;
        // Less than asked for is what the machine allows.
        let _ = SockRef::from(&socket).set_send_buffer_size(BUFFER_BYTES);
        let local = socket.local_addr()?;
        let Agreed { audio, video, .. } =
            peer::agree(&mut rtc, server, &format!("/{stream}/whip"), Direction::SendOnly)?;
        let now = Instant::now();
        let track = |mid| Track { mid, sequence: 1_000 };
        let (audio, video) = (track(audio), track(video));
        let mut browser =
            Browser { rtc, socket, local, audio, video, camera, timer: now, connected: false, begun: None, packets: 0 };
        browser.advance(now)?;
        Ok(browser)
    }

    pub(super) fn socket(&self) -> &UdpSocket {
        &self.socket
    }

    pub(super) fn is_connected(&self) -> bool {
        self.connected
    }

    /// Media packets sent.
    pub(super) fn packets(&self) -> u64 {
        self.packets
    }

    /// Switches its camera on.
    pub(super) fn begin(&mut self, at: Instant) {
        self.begun = Some(at);
    }

    /// When it wants to run again.
    pub(super) fn next(&self) -> Instant {
        let media = self.begun.map(|begun| begun + self.camera.next_due());
        media.map_or(self.timer, |media| media.min(self.timer))
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

    /// Lets time pass, and sends what is due.
    pub(super) fn advance(&mut self, now: Instant) -> Result<()> {
        if self.timer <= now {
            self.rtc.handle_input(Input::Timeout(now))?;
            self.poll()?;
        }
        while let Some(begun) = self.begun
            && begun + self.camera.next_due() <= now
            && let Some(packet) = self.camera.next()
        {
            self.send(packet)?;
        }
        Ok(())
    }

    fn send(&mut self, packet: Packet) -> Result<()> {
        let now = Instant::now();
        let is_video = packet.kind == TrackKind::Video;
        let track = if is_video { &mut self.video } else { &mut self.audio };
        let media = self.rtc.media(track.mid).context("a track is gone")?;
        let payload_type = *media.remote_pts().first().context("no codec was agreed on")?;
        let mut api = self.rtc.direct_api();
        let stream = api.stream_tx_by_mid(track.mid, None).context("a track has no source")?;
        let write = RtpWrite::new(payload_type, track.sequence.into(), packet.timestamp, now, packet.payload);
        stream.write_rtp(write.marker(packet.marker).nackable(is_video));
        track.sequence += 1;
        self.packets += 1;
        // The packet is taken up when time passes, and leaves then.
        self.rtc.handle_input(Input::Timeout(now))?;
        self.poll()
    }

    fn poll(&mut self) -> Result<()> {
        loop {
            match self.rtc.poll_output()? {
                Output::Timeout(at) => {
                    self.timer = at;
                    return Ok(());
                }
                Output::Transmit(datagram) => {
                    // A datagram that the kernel refuses is a lost one.
                    let _ = self.socket.send_to(&datagram.contents, datagram.destination);
                }
                Output::Event(Event::Connected) => self.connected = true,
                Output::Event(Event::KeyframeRequest(_)) => self.camera.want_key_frame(),
                Output::Event(Event::Closed) => bail!("the server has closed a publisher's session"),
                Output::Event(_) => {}
            }
        }
    }

    /// Says farewell.
    pub(super) fn leave(&mut self) -> Result<()> {
        peer::leave(&mut self.rtc, &self.socket)
    }
}
