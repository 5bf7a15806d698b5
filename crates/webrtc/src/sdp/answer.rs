//! Writes the answer.

use std::{fmt::Write, net::SocketAddr};

use str0m::crypto::Fingerprint;

use super::{
    extension,
    format::Format,
    offer::{IceCredentials, Offer, Role},
    section::MediaSection,
};

/// What becomes of one media section of the offer.
#[derive(Clone, Debug)]
pub(crate) enum Decision {
    /// Media is sent in it.
    Send {
        /// The payload types, the one in use first.
        formats: Vec<Format>,
        /// The synchronization source of the media.
        source: u32,
        /// And of its retransmissions.
        retransmissions: Option<u32>,
        /// The extension by which its packets are numbered among all of the transport, where the offer has it.
        transport_extension: Option<u8>,
        /// The extension by which its pictures say how they are to be turned, where the offer has it.
        orientation_extension: Option<u8>,
        /// The rendition that it holds, where the peer takes each in a section of its own.
        label: Option<String>,
    },
    /// Media is received in it.
    Receive {
        /// The payload types that the peer may send.
        formats: Vec<Format>,
        /// Header extensions by their number.
        extensions: Vec<(u8, &'static str)>,
        /// The names of renditions.
        rids: Vec<String>,
        /// Bits in a second that the peer is asked not to exceed.
        bitrate_max: Option<u64>,
    },
    /// It could carry a codec, but there is nothing to send: it stays in the bundle and idle.
    Idle(Format),
    /// It cannot be served at all.
    Refuse,
}

/// This side of the transport.
#[derive(Clone, Debug)]
pub(crate) struct Local<'a> {
    pub(crate) session: u64,
    pub(crate) ice: &'a IceCredentials,
    pub(crate) fingerprint: &'a Fingerprint,
    pub(crate) candidates: &'a Candidates,
    /// The canonical name of the sources, which says that they belong together in time (RFC 7022).
    pub(crate) cname: &'a str,
    /// The extension for media identification, where the offer has it (RFC 9143 §15).
    pub(crate) mid_extension: Option<u8>,
}

/// The addresses that a peer may try, in order of preference.
#[derive(Clone, Debug, Default)]
pub(crate) struct Candidates {
    pub(crate) udp: Vec<SocketAddr>,
    pub(crate) tcp: Vec<SocketAddr>,
}

impl Candidates {
    /// The attribute lines: all of UDP before the first of TCP, as some clients try only the first.
    ///
    /// Source: RFC 8839 §5.1; RFC 8445 §5.1.2.1 for the priorities; RFC 6544 §4.5 for TCP.
    pub(crate) fn lines(&self) -> impl Iterator<Item = String> {
        let udp = self.udp.iter().zip(0u32..).map(|(address, index)| {
            let priority = priority(126, index);
            format!("candidate:{} 1 udp {priority} {} {} typ host", index + 1, address.ip(), address.port())
        });
        let tcp = self.tcp.iter().zip(0u32..).map(|(address, index)| {
            let (foundation, priority) = (100 + index, priority(90, index));
            let (ip, port) = (address.ip(), address.port());
            format!("candidate:{foundation} 1 tcp {priority} {ip} {port} typ host tcptype passive")
        });
        udp.chain(tcp)
    }
}

fn priority(of_type: u32, index: u32) -> u32 {
    let of_address = 65_535u32.saturating_sub(index).min(65_535);
    (of_type << 24) | (of_address << 8) | 255
}

/// Writes the answer to an offer; there is one decision for each of its media sections.
pub(crate) fn write(offer: &Offer, decisions: &[Decision], local: &Local<'_>) -> String {
    let mut sdp = String::with_capacity(4_096);
    let sections = || offer.media.iter().zip(decisions);
    let taken = || sections().filter(|(_, decision)| !matches!(decision, Decision::Refuse));
    let mids: Vec<&str> = taken().filter_map(|(section, _)| section.mid.as_deref()).collect();

    line(&mut sdp, "v=0");
    line(&mut sdp, &format!("o=- {} 1 IN IP4 0.0.0.0", local.session));
    line(&mut sdp, "s=-");
    line(&mut sdp, "t=0 0");
    if !mids.is_empty() && taken().all(|(section, _)| section.bundled) {
        line(&mut sdp, &format!("a=group:BUNDLE {}", mids.join(" ")));
    }
    line(&mut sdp, "a=msid-semantic: WMS *");
    line(&mut sdp, "a=ice-lite");

    let mut first = true;
    for (section, decision) in sections() {
        match decision {
            Decision::Refuse => refuse(&mut sdp, section),
            Decision::Idle(format) => {
                take(&mut sdp, section, std::slice::from_ref(format), None, offer.role, local, first);
                extensions(&mut sdp, &local.mid());
                line(&mut sdp, "a=inactive");
                first = false;
            }
            Decision::Send { formats, source, retransmissions, transport_extension, orientation_extension, label } => {
                take(&mut sdp, section, formats, None, offer.role, local, first);
                let mut taken = local.mid();
                taken.extend(transport_extension.map(|number| (number, extension::TRANSPORT_SEQUENCE)));
                taken.extend(orientation_extension.map(|number| (number, extension::ORIENTATION)));
                extensions(&mut sdp, &taken);
                line(&mut sdp, "a=sendonly");
                if let Some(label) = label {
                    line(&mut sdp, &format!("a=label:{label}"));
                }
                sources(&mut sdp, section, *source, *retransmissions, local.cname);
                first = false;
            }
            Decision::Receive { formats, extensions: taken, rids, bitrate_max } => {
                take(&mut sdp, section, formats, *bitrate_max, offer.role, local, first);
                extensions(&mut sdp, taken);
                line(&mut sdp, "a=recvonly");
                renditions(&mut sdp, rids);
                first = false;
            }
        }
    }
    sdp
}

/// RFC 8851 §4, RFC 8853 §5.1.
fn renditions(sdp: &mut String, rids: &[String]) {
    for rid in rids {
        line(sdp, &format!("a=rid:{rid} recv"));
    }
    if !rids.is_empty() {
        line(sdp, &format!("a=simulcast:recv {}", rids.join(";")));
    }
}

fn extensions(sdp: &mut String, extensions: &[(u8, &'static str)]) {
    for (number, uri) in extensions {
        line(sdp, &format!("a=extmap:{number} {uri}"));
    }
}

impl Local<'_> {
    fn mid(&self) -> Vec<(u8, &'static str)> {
        self.mid_extension.map(|number| (number, extension::MID)).into_iter().collect()
    }
}

fn line(sdp: &mut String, text: &str) {
    sdp.push_str(text);
    sdp.push_str("\r\n");
}

/// RFC 3264 §6: a refused section keeps its place, with port 0.
fn refuse(sdp: &mut String, section: &MediaSection) {
    line(sdp, &format!("m={} 0 {} {}", section.name, section.protocol, section.formats));
    line(sdp, "c=IN IP4 0.0.0.0");
    if let Some(mid) = &section.mid {
        line(sdp, &format!("a=mid:{mid}"));
    }
    line(sdp, "a=inactive");
}

fn take(
    sdp: &mut String,
    section: &MediaSection,
    formats: &[Format],
    bitrate_max: Option<u64>,
    role: Role,
    local: &Local<'_>,
    first: bool,
) {
    let numbers = formats.iter().flat_map(|format| [Some(format.payload_type), format.retransmission]);
    let numbers: Vec<String> = numbers.flatten().map(|number| number.to_string()).collect();
    line(sdp, &format!("m={} 9 {} {}", section.name, section.protocol, numbers.join(" ")));
    line(sdp, "c=IN IP4 0.0.0.0");
    if let Some(bits) = bitrate_max {
        // One line only: some peers read no more (RFC 3890 §6.2).
        line(sdp, &format!("b=TIAS:{bits}"));
    }
    if let Some(mid) = &section.mid {
        line(sdp, &format!("a=mid:{mid}"));
    }
    transport(sdp, role, local, first);
    line(sdp, "a=rtcp-mux");
    if section.reduced_size {
        line(sdp, "a=rtcp-rsize");
    }
    formats.iter().for_each(|format| payload(sdp, format));
}

fn transport(sdp: &mut String, role: Role, local: &Local<'_>, first: bool) {
    line(sdp, &format!("a=ice-ufrag:{}", local.ice.fragment));
    line(sdp, &format!("a=ice-pwd:{}", local.ice.password));
    let digits: Vec<String> = local.fingerprint.bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    line(sdp, &format!("a=fingerprint:{} {}", local.fingerprint.hash_func, digits.join(":")));
    line(
        sdp,
        match role {
            Role::Passive => "a=setup:passive",
            Role::Active => "a=setup:active",
        },
    );
    // In a bundle, candidates stand in the first section (RFC 8843 §7.3.3).
    if first {
        for candidate in local.candidates.lines() {
            line(sdp, &format!("a={candidate}"));
        }
        line(sdp, "a=end-of-candidates");
    }
}

fn payload(sdp: &mut String, format: &Format) {
    let number = format.payload_type;
    line(sdp, &format!("a=rtpmap:{number} {}", format.map));
    for feedback in &format.feedback {
        line(sdp, &format!("a=rtcp-fb:{number} {feedback}"));
    }
    if let Some(parameters) = &format.parameters {
        line(sdp, &format!("a=fmtp:{number} {parameters}"));
    }
    if let Some(retransmission) = format.retransmission {
        line(sdp, &format!("a=rtpmap:{retransmission} rtx/90000"));
        line(sdp, &format!("a=fmtp:{retransmission} apt={number}"));
    }
}

fn sources(sdp: &mut String, section: &MediaSection, source: u32, retransmissions: Option<u32>, cname: &str) {
    let name = &section.name;
    line(sdp, &format!("a=msid:{cname} {cname}-{name}"));
    if let Some(retransmissions) = retransmissions {
        line(sdp, &format!("a=ssrc-group:FID {source} {retransmissions}"));
    }
    for number in [Some(source), retransmissions].into_iter().flatten() {
        let mut text = format!("a=ssrc:{number} cname:{cname}\r\n");
        let _ = write!(text, "a=ssrc:{number} msid:{cname} {cname}-{name}");
        line(sdp, &text);
    }
}
