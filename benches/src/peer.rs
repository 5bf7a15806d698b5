//! What every WebRTC client of the benches is made of, whether it watches or publishes: a session of str0m, a socket,
//! and an offer made by HTTP.

use std::{
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use str0m::{
    Candidate, Output, Rtc,
    change::SdpAnswer,
    config::{CryptoProvider, DtlsCert},
    media::{Direction, MediaKind, Mid},
    rtp::Extension,
};

use crate::http;

/// Room of the kernel for each socket.
pub(crate) const BUFFER_BYTES: usize = 4 << 20;

/// The number of the extension of the header that names a packet's section (RFC 9143 §15), where the peer has no other.
const SECTION_EXTENSION: u8 = 4;

/// What all clients have in common, so that a hundred of them do not make a hundred certificates.
pub(crate) struct Common {
    crypto: Arc<CryptoProvider>,
    certificate: DtlsCert,
}

impl Common {
    pub(crate) fn new() -> Result<Common> {
        let crypto = Arc::new(str0m::crypto::from_feature_flags());
        let certificate = crypto.dtls_provider.generate_certificate().context("no certificate")?;
        Ok(Common { crypto, certificate })
    }

    /// A session of sound and picture, and the socket that is its one candidate.
    pub(crate) fn session(&self, reports: Option<Duration>) -> Result<(Rtc, UdpSocket)> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))
            .context("no socket for a client: raise the limit of open files (ulimit -n)")?;
        socket.set_nonblocking(true)?;
        let mut rtc = self.client(reports);
        rtc.add_local_candidate(Candidate::host(socket.local_addr()?, "udp")?);
        Ok((rtc, socket))
    }

    /// The same without a socket.
    pub(crate) fn client(&self, reports: Option<Duration>) -> Rtc {
        let mut config = Rtc::builder()
            .set_crypto_provider(self.crypto.clone())
            .set_dtls_cert(self.certificate.clone())
            .set_rtp_mode(true)
            .set_stats_interval(None)
            .clear_codecs()
            .enable_opus(true, false)
            .enable_h264(true);
        if let Some(interval) = reports {
            config = config.set_rtcp_report_interval_audio(interval).set_rtcp_report_interval_video(interval);
        }
        config.build(Instant::now())
    }

    /// A session of a server that forwards packets: ICE lite, and no more than that needs.
    pub(crate) fn server(&self) -> Rtc {
        Rtc::builder()
            .set_crypto_provider(self.crypto.clone())
            .set_dtls_cert(self.certificate.clone())
            .set_ice_lite(true)
            .set_rtp_mode(true)
            .set_stats_interval(None)
            .clear_codecs()
            .enable_opus(true, false)
            .enable_h264(true)
            .clear_extension_map()
            .set_extension(SECTION_EXTENSION, Extension::RtpMid)
            .build(Instant::now())
    }
}

/// The media sections of sound and of the picture, and when the server was asked for them.
pub(crate) struct Agreed {
    pub(crate) audio: Mid,
    pub(crate) video: Mid,
    pub(crate) asked: Instant,
}

/// Makes an offer to the server by WHEP or WHIP, and takes its answer.
pub(crate) fn agree(rtc: &mut Rtc, server: SocketAddr, path: &str, direction: Direction) -> Result<Agreed> {
    let mut changes = rtc.sdp_api();
    let audio = changes.add_media(MediaKind::Audio, direction, None, None, None);
    let video = changes.add_media(MediaKind::Video, direction, None, None, None);
    let (offer, pending) = changes.apply().context("no offer")?;
    let asked = Instant::now();
    let answer = http::request(server, "POST", path, "application/sdp", &offer.to_sdp_string())?;
    let said = answer.body.lines().next().unwrap_or_default();
    ensure!(answer.status == 201, "POST {path} answers {}: {said}", answer.status);
    rtc.sdp_api().accept_answer(pending, SdpAnswer::from_sdp_string(&answer.body)?)?;
    Ok(Agreed { audio, video, asked })
}

/// Says farewell to the server.
pub(crate) fn leave(rtc: &mut Rtc, socket: &UdpSocket) -> Result<()> {
    rtc.close()?;
    loop {
        match rtc.poll_output()? {
            Output::Timeout(_) => return Ok(()),
            Output::Transmit(datagram) => drop(socket.send_to(&datagram.contents, datagram.destination)),
            Output::Event(_) => {}
        }
    }
}
