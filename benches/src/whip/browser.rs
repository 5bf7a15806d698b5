//! One publishing browser, as far as the server can tell.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use headwater_media::TrackKind;
use socket2::SockRef;
use str0m::{
    Candidate, Event, Input, Output, Rtc,
    change::SdpAnswer,
    config::{CryptoProvider, DtlsCert},
    media::{Direction, MediaKind, Mid},
    net::{Protocol, Receive},
    rtp::RtpWrite,
};

use crate::{
    camera::{Camera, Packet},
    http,
};

const BUFFER_BYTES: usize = 4 << 20;
const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// What all browsers have in common, so that a hundred of them do not make a hundred certificates.
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
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))
            .context("no socket for a publisher: raise the limit of open files (ulimit -n)")?;
        socket.set_nonblocking(true)?;
        // Less than asked for is what the machine allows.
        let _ = SockRef::from(&socket).set_send_buffer_size(BUFFER_BYTES);
        let local = socket.local_addr()?;
        let mut rtc = Rtc::builder()
            .set_crypto_provider(common.crypto.clone())
            .set_dtls_cert(common.certificate.clone())
            .set_rtp_mode(true)
            .set_stats_interval(None)
            .set_rtcp_report_interval_audio(REPORT_INTERVAL)
            .set_rtcp_report_interval_video(REPORT_INTERVAL)
            .clear_codecs()
            .enable_opus(true, false)
            .enable_h264(true)
            .build(Instant::now());
        rtc.add_local_candidate(Candidate::host(local, "udp")?);
        let mut changes = rtc.sdp_api();
        let audio = changes.add_media(MediaKind::Audio, Direction::SendOnly, None, None, None);
        let video = changes.add_media(MediaKind::Video, Direction::SendOnly, None, None, None);
        let (offer, pending) = changes.apply().context("no offer")?;
        let path = format!("/{stream}/whip");
        let answer = http::request(server, "POST", &path, "application/sdp", &offer.to_sdp_string())?;
        let said = answer.body.lines().next().unwrap_or_default();
        ensure!(answer.status == 201, "POST {path} answers {}: {said}", answer.status);
        rtc.sdp_api().accept_answer(pending, SdpAnswer::from_sdp_string(&answer.body)?)?;
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
        self.rtc.close()?;
        self.poll_farewell()
    }

    fn poll_farewell(&mut self) -> Result<()> {
        for _ in 0..16 {
            match self.rtc.poll_output()? {
                Output::Timeout(_) => break,
                Output::Transmit(datagram) => {
                    let _ = self.socket.send_to(&datagram.contents, datagram.destination);
                }
                Output::Event(_) => {}
            }
        }
        Ok(())
    }
}
