//! What str0m is told alike in all sessions.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use headwater_media::Codec;
use str0m::{
    Candidate, IceCreds, RtcConfig,
    format::{Codec as WireCodec, FormatParams},
    media::{Frequency, Pt},
};

use crate::sdp::{Format, IceCredentials};

pub(crate) fn credentials(ice: &IceCredentials) -> IceCreds {
    IceCreds { ufrag: ice.fragment.clone(), pass: ice.password.clone() }
}

/// The local address that str0m is told, in place of the real ones.
///
/// A server has many addresses, and behind a translator it does not know the one that the peer sees. str0m only
/// needs one for each family and carrier to hang a pair on; the answer names the real ones, and the shard remembers
/// which of them the peer used.
pub(crate) fn stand_in(is_ipv4: bool, port: u16) -> SocketAddr {
    let ip: IpAddr = if is_ipv4 { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() };
    SocketAddr::new(ip, port)
}

pub(crate) fn stand_ins(port: u16) -> Vec<Candidate> {
    let families = [stand_in(true, port), stand_in(false, port)];
    let of = |protocol: &'static str| families.map(|address| Candidate::host(address, protocol).ok());
    of("udp").into_iter().chain(of("tcp")).flatten().collect()
}

pub(crate) fn add_format(config: &mut RtcConfig, format: &Format) {
    let (codec, clock_rate, channels) = match format.codec {
        Codec::H264 => (WireCodec::H264, Frequency::NINETY_KHZ, None),
        Codec::H265 => (WireCodec::H265, Frequency::NINETY_KHZ, None),
        Codec::Vp8 => (WireCodec::Vp8, Frequency::NINETY_KHZ, None),
        Codec::Vp9 => (WireCodec::Vp9, Frequency::NINETY_KHZ, None),
        Codec::Av1 => (WireCodec::Av1, Frequency::NINETY_KHZ, None),
        Codec::Opus => (WireCodec::Opus, Frequency::FORTY_EIGHT_KHZ, Some(2)),
        Codec::Pcmu => (WireCodec::PCMU, Frequency::EIGHT_KHZ, Some(1)),
        Codec::Pcma => (WireCodec::PCMA, Frequency::EIGHT_KHZ, Some(1)),
        Codec::G722 => (WireCodec::G722, Frequency::SIXTEEN_KHZ, Some(1)),
        _ => return,
    };
    config.codec_config().add_config(
        Pt::from(format.payload_type),
        format.retransmission.map(Pt::from),
        codec,
        clock_rate,
        channels,
        FormatParams::default(),
    );
}
