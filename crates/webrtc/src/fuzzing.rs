//! What fuzzers call: any bytes for what a peer can reach before and after it has proved itself.

mod checks;
mod feedback;
mod handshakes;

use std::{
    sync::OnceLock,
    time::{Duration, Instant},
};

use headwater_media::{ClockRate, Codec, Format as TrackFormat, TrackParameters, VideoFormat};

use crate::{
    egress::{self, Agreed, Carrier, Common, Egress, Estimator, Outgoing, Path, Remote},
    framing::Unframer,
    publisher::{self, Ingress, Notice, Section},
    receive,
    sdp::{self, BitrateRange, Candidates, Decision, Format, Fragment, IceCredentials, Kind, Local, Offer},
    sdp::{OfferedSource, Role},
};
use is::stun::StunMessage;
use str0m::crypto::Fingerprint;

/// Reads an offer, decides on each section, and writes the answers to it as a viewer's and as a publisher's; reads the text as a fragment, too.
pub fn session_description(text: &str) {
    let _ = Fragment::parse(text);
    receive::answer(text);
    let Ok(offer) = Offer::parse(text) else { return };
    let source = h264();
    let decide = |section: &sdp::MediaSection| {
        let mut formats = sdp::choose(section, Some(&source));
        match section.kind {
            _ if formats.is_empty() => Decision::Refuse,
            Kind::Audio => Decision::Idle(formats.remove(0)),
            _ => Decision::Send {
                formats,
                source: 1,
                retransmissions: Some(2),
                transport_extension: Some(3),
                orientation_extension: Some(5),
                label: section.rendition_of.clone(),
            },
        }
    };
    let receive = |section: &sdp::MediaSection| Decision::Receive {
        formats: sdp::receivable(section, &[], &BitrateRange { min: Some(1), max: Some(u64::MAX) }),
        extensions: vec![(4, sdp::extension::MID)],
        rids: section.rids.clone(),
        bitrate_max: Some(u64::MAX),
    };
    check_answer(&offer, &offer.media.iter().map(decide).collect::<Vec<Decision>>());
    check_answer(&offer, &offer.media.iter().map(receive).collect::<Vec<Decision>>());
}

fn check_answer(offer: &Offer, decisions: &[Decision]) {
    let address = "192.0.2.1:8189".parse().ok();
    let candidates = Candidates { udp: address.into_iter().collect(), tcp: address.into_iter().collect() };
    let local = Local {
        session: 1,
        ice: &offer.ice,
        fingerprint: &offer.fingerprint,
        candidates: &candidates,
        cname: "cname",
        mid_extension: Some(4),
    };
    let answer = sdp::write(offer, decisions, &local);
    assert_eq!(answer.matches("\r\nm=").count(), offer.media.len(), "each section of the offer is answered");
    assert!(answer.lines().all(|line| line.get(1..2) == Some("=")), "nothing of the offer breaks a line");
}

/// Cuts a TCP stream into datagrams: the first byte says where it is cut itself.
pub fn framing(data: &[u8]) {
    let Some((piece, data)) = data.split_first() else { return };
    let read = |piece: usize| {
        let mut unframer = Unframer::default();
        let mut datagrams = Vec::new();
        for piece in data.chunks(piece.max(1)) {
            unframer.push(piece);
            loop {
                match unframer.next() {
                    Ok(Some(datagram)) => datagrams.push(datagram.to_vec()),
                    Ok(None) => break,
                    Err(_) => return datagrams,
                }
            }
        }
        datagrams
    };
    assert_eq!(read(usize::from(*piece)), read(data.len()));
}

/// Gives datagrams, each behind its length in two bytes, to a viewer's and to a publisher's session as if their peers
/// had sent them.
pub fn datagrams(data: &[u8]) {
    datagrams_of_publisher(data);
    let Some((mut egress, _)) = egress() else { return };
    let remote = Remote { carrier: Carrier::Udp, address: ([127, 0, 0, 1], 9).into() };
    let path = Path { remote, local: None };
    let now = Instant::now();
    let mut unframer = Unframer::default();
    unframer.push(data);
    let mut sent: Vec<Vec<u8>> = Vec::new();
    let mut notices = Vec::new();
    while let Ok(Some(datagram)) = unframer.next() {
        let _ = StunMessage::parse(datagram).is_ok_and(|message| egress.prove(&message).is_some());
        if egress.receive(path, datagram, now, &mut sent, &mut notices).is_err() {
            break;
        }
    }
    assert!(sent.len() <= data.len(), "nothing is amplified");
}

/// Gives a receiver that has connected what its peer can send: each datagram behind its length in two bytes, and behind
/// a byte that says whether it is given as it is, sealed as media, sealed as reports, or in place of time that passes.
pub fn receiver_datagrams(data: &[u8]) {
    receive::datagrams(data);
}

/// Gives STUN messages with good checksums to both sides of ICE: the one that waits for checks, and the one that makes
/// them.
pub fn ice_checks(data: &[u8]) {
    checks::checks(data);
}

/// Gives reports and feedback under a good seal to a session that sends, and does what they ask for.
pub fn feedback(data: &[u8]) {
    feedback::feedback(data);
}

/// Leads handshakes with a true peer, some of whose datagrams are changed, lost or doubled.
pub fn handshakes(data: &[u8]) {
    handshakes::handshake(data);
}

/// Reads a compound packet of reports and feedback, as it is once its seal has been opened.
pub fn reports(data: &[u8]) {
    let told = egress::count_feedback(data);
    assert!(told <= data.len() * 5, "at most 17 packets are lost for each 4 bytes");
}

/// Gives feedback packets, each behind its length in two bytes, to an estimator that sends five packets before each.
pub fn arrivals(data: &[u8]) {
    const RATES: std::ops::RangeInclusive<u64> = 30_000..=8_000_000;
    let mut now = Instant::now();
    let mut estimator = Estimator::new(300_000, *RATES.start(), *RATES.end(), now);
    let mut unframer = Unframer::default();
    unframer.push(data);
    while let Ok(Some(body)) = unframer.next() {
        let is_probed = estimator.probe(1_500_000, now) > 0;
        for _ in 0..5 {
            estimator.sent(1_200, now, is_probed);
            now += Duration::from_millis(10);
        }
        let before = (estimator.rate(), estimator.loss());
        if !estimator.feedback(body, now) {
            assert_eq!((estimator.rate(), estimator.loss()), before, "what is malformed says nothing");
        }
        assert!(estimator.rate().is_none_or(|rate| RATES.contains(&rate)));
        assert!((0.0..=1.0).contains(&estimator.loss()));
    }
}

fn datagrams_of_publisher(data: &[u8]) {
    let Some(mut ingress) = ingress() else { return };
    let remote = Remote { carrier: Carrier::Udp, address: ([127, 0, 0, 1], 9).into() };
    let now = Instant::now();
    let mut unframer = Unframer::default();
    unframer.push(data);
    let (mut sent, mut taken) = (0, 0);
    while let Ok(Some(datagram)) = unframer.next() {
        ingress.proves(remote, datagram, now);
        if ingress.receive(remote, datagram, now).is_err() {
            break;
        }
        let count = |notice| taken += usize::from(matches!(notice, Notice::Packet(_)));
        if ingress.drain(|_, _| sent += 1, count).is_err() {
            break;
        }
    }
    assert!(sent <= data.len(), "nothing is amplified");
    assert_eq!(taken, 0, "nothing is taken that is not authentic");
}

fn ingress() -> Option<Ingress> {
    let offer = Offer::parse(OFFER).ok()?;
    let section = |(index, section): (usize, &sdp::MediaSection)| Section {
        is_video: section.kind == Kind::Video,
        formats: sdp::receivable(section, &[], &BitrateRange::default()),
        parts: vec![publisher::Part { mid: index.to_string(), sources: Vec::new(), label: None }],
        rids: Vec::new(),
        extensions: vec![(4, sdp::extension::MID)],
    };
    let sections: Vec<Section> = offer.media.iter().enumerate().map(section).collect();
    let agreed = publisher::Agreed {
        local_ice: &IceCredentials { fragment: "fragment".into(), password: "password-of-the-server-side".into() },
        remote_ice: &offer.ice,
        fingerprint: &offer.fingerprint,
        role: offer.role,
        sections: &sections,
        port: 8189,
        call: None,
    };
    Ingress::new(common()?, &agreed, Instant::now()).ok()
}

const OFFER: &str = include_str!("sdp/chromium.sdp");

fn common() -> Option<&'static Common> {
    static COMMON: OnceLock<Option<Common>> = OnceLock::new();
    COMMON.get_or_init(Common::new).as_ref()
}

/// What is offered to viewers here and in benches.
pub(crate) fn h264() -> TrackParameters {
    TrackParameters {
        codec: Codec::H264,
        clock_rate: ClockRate::VIDEO,
        format: TrackFormat::Video(VideoFormat::default()),
        config: Default::default(),
    }
}

/// A session that nobody has connected to yet, and the formats of the one stream that it sends.
pub(crate) fn egress() -> Option<(Egress, Vec<sdp::Format>)> {
    let offer = Offer::parse(OFFER).ok()?;
    let section = offer.media.iter().find(|section| section.kind == Kind::Video)?;
    let formats = sdp::choose(section, Some(&h264()));
    let media = [Outgoing {
        mid: "1".into(),
        formats: formats.clone(),
        transport_extension: Some(3),
        orientation_extension: Some(5),
        sources: None,
    }];
    let local = IceCredentials { fragment: "fragment".into(), password: "password-of-the-server-side".into() };
    let agreed = Agreed {
        local_ice: &local,
        remote_ice: &offer.ice,
        fingerprint: &offer.fingerprint,
        role: offer.role,
        mid_extension: Some(4),
        media: &media,
        cname: "cname",
        candidates: None,
    };
    Some((Egress::new(common()?, &agreed, Instant::now()).ok()?, formats))
}

/// The numbers of the one stream of [`agreed_egress`].
const SOURCE: OfferedSource = OfferedSource { main: 1, retransmissions: Some(2) };

/// Who the peer of a session is.
struct Peer {
    fingerprint: Fingerprint,
    role: Role,
}

fn path(port: u16) -> Path {
    Path { remote: Remote { carrier: Carrier::Udp, address: ([127, 0, 0, 1], port).into() }, local: None }
}

/// The credentials of [`agreed_egress`]: its own, and its peer's.
fn session() -> [IceCredentials; 2] {
    ["here", "there"]
        .map(|name| IceCredentials { fragment: name.into(), password: format!("password-of-{name}-so-long") })
}

/// A session that sends one stream under numbers that are known, to nobody yet. It looks for the way if it is given
/// candidates.
fn agreed_egress(candidates: Option<&[Remote]>) -> Option<Egress> {
    let fingerprint = Fingerprint { hash_func: "sha-256".into(), bytes: vec![7; 32] };
    egress_for(candidates, &Peer { fingerprint, role: Role::Passive })
}

fn egress_for(candidates: Option<&[Remote]>, peer: &Peer) -> Option<Egress> {
    let format = Format {
        codec: Codec::H264,
        payload_type: 96,
        retransmission: Some(97),
        map: String::new(),
        parameters: None,
        feedback: Vec::new(),
    };
    let media = [Outgoing {
        mid: "0".into(),
        formats: vec![format],
        transport_extension: Some(3),
        orientation_extension: None,
        sources: Some(SOURCE),
    }];
    let [local, remote] = session();
    let agreed = Agreed {
        local_ice: &local,
        remote_ice: &remote,
        fingerprint: &peer.fingerprint,
        role: peer.role,
        mid_extension: None,
        media: &media,
        cname: "cname",
        candidates,
    };
    Egress::new(common()?, &agreed, Instant::now()).ok()
}
