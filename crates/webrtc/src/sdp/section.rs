//! One media section of an offer, read.

use headwater_media::limits::{self, Limit};
use sdp_types::{Attribute, Media};

/// The attribute by which a server that asks another for a stream, or brings it one, says that a section takes or holds
/// a further rendition of the picture of the section that it names: `a=x-rendition-of:1`.
///
/// It is ours. Whoever does not know it passes over it (RFC 8866 §5.13), and so over the section.
pub(crate) const RENDITION_OF: &str = "x-rendition-of";

/// The attribute by which a server that asks another for a stream says which rendition of the picture a section is to
/// hold: `a=x-rendition:h`. Labels (RFC 4574) would say the same, but others' offers have some that mean nothing here.
pub(crate) const RENDITION: &str = "x-rendition";

/// What a media section carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Sound.
    Audio,
    /// Picture.
    Video,
    /// Anything else, such as data channels.
    Other,
}

/// Which way media may flow, as the peer sees it (RFC 8866 §6.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Both ways.
    SendReceive,
    /// From the peer.
    SendOnly,
    /// To the peer.
    ReceiveOnly,
    /// Neither way.
    Inactive,
}

impl Direction {
    /// Whether the peer is ready to receive.
    pub fn receives(self) -> bool {
        matches!(self, Direction::SendReceive | Direction::ReceiveOnly)
    }

    /// Whether the peer wants to send.
    pub fn sends(self) -> bool {
        matches!(self, Direction::SendReceive | Direction::SendOnly)
    }
}

/// One media section of an offer.
#[derive(Clone, Debug)]
pub(crate) struct MediaSection {
    pub(crate) kind: Kind,
    /// The words of the m-line, for answers that refuse it.
    pub(crate) name: String,
    pub(crate) protocol: String,
    pub(crate) formats: String,
    pub(crate) mid: Option<String>,
    pub(crate) direction: Direction,
    pub(crate) bundled: bool,
    /// Port 0 without `bundle-only`: the peer does not want it.
    pub(crate) disabled: bool,
    pub(crate) payloads: Vec<Payload>,
    pub(crate) extensions: Vec<(u8, String)>,
    pub(crate) reduced_size: bool,
    /// What it says of its synchronization sources, in its order.
    pub(crate) sources: Vec<OfferedSource>,
    /// The names of the renditions that the peer wants to send (RFC 8853 §5.1), in its order.
    pub(crate) rids: Vec<String>,
    /// The name of the rendition that fills it, in the answer or the offer of a server that sends each in a section of
    /// its own (RFC 4574).
    pub(crate) label: Option<String>,
    /// The section whose picture it takes or holds another rendition of, by its name: see [`RENDITION_OF`].
    pub(crate) rendition_of: Option<String>,
    /// The label of the rendition that it is to hold, where the peer asks for that one: see [`RENDITION`].
    pub(crate) wanted: Option<String>,
}

/// A source of media, with the source of its retransmissions where the offer names one (RFC 5576 §4.1, RFC 4588 §8.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OfferedSource {
    pub(crate) main: u32,
    pub(crate) retransmissions: Option<u32>,
}

/// One payload type of a media section.
#[derive(Clone, Debug, Default)]
pub(crate) struct Payload {
    pub(crate) number: u8,
    pub(crate) name: String,
    pub(crate) clock_rate: u32,
    pub(crate) channels: u8,
    pub(crate) parameters: Option<String>,
    pub(crate) feedback: Vec<String>,
}

/// What stops a section from being read.
pub(super) enum Problem {
    Limit(&'static Limit),
    Rule(&'static str),
}

impl MediaSection {
    pub(super) fn read(section: &Media, bundle: &[String], session: &[Attribute]) -> Result<MediaSection, Problem> {
        let attributes = &section.attributes;
        let kind = match section.media.as_str() {
            "audio" => Kind::Audio,
            "video" => Kind::Video,
            _ => Kind::Other,
        };
        let first = |name| values(attributes, name).into_iter().next();
        let mid = first("mid").map(str::to_owned);
        if mid.as_ref().is_some_and(|mid| mid.len() > 64 || mid.chars().any(char::is_control)) {
            return Err(Problem::Rule("has an a=mid of more than 64 characters"));
        }
        let payloads = match kind {
            Kind::Other => Vec::new(),
            Kind::Audio | Kind::Video => read_payloads(section)?,
        };
        let reads_as = |name| has(attributes, name);
        let of_session = |name| has(session, name) && !has_direction(attributes);
        let direction = if reads_as("recvonly") || of_session("recvonly") {
            Direction::ReceiveOnly
        } else if reads_as("sendonly") || of_session("sendonly") {
            Direction::SendOnly
        } else if reads_as("inactive") || of_session("inactive") {
            Direction::Inactive
        } else {
            Direction::SendReceive
        };
        Ok(MediaSection {
            kind,
            name: section.media.clone(),
            protocol: section.proto.clone(),
            formats: section.fmt.clone(),
            bundled: mid.as_ref().is_some_and(|mid| bundle.contains(mid)),
            mid,
            direction,
            disabled: section.port == 0 && !has(attributes, "bundle-only"),
            payloads,
            extensions: read_extensions(attributes),
            reduced_size: has(attributes, "rtcp-rsize"),
            sources: read_sources(attributes)?,
            rids: read_rids(attributes)?,
            label: first("label").filter(|label| is_rid(label)).map(str::to_owned),
            rendition_of: first(RENDITION_OF).map(str::to_owned),
            wanted: first(RENDITION).filter(|label| is_rid(label)).map(str::to_owned),
        })
    }

    /// The number of a header extension, where the section has it.
    pub(crate) fn extension(&self, uri: &str) -> Option<u8> {
        self.extensions.iter().find(|(_, known)| known == uri).map(|(number, _)| *number)
    }
}

fn has_direction(attributes: &[Attribute]) -> bool {
    ["sendrecv", "recvonly", "sendonly", "inactive"].iter().any(|name| has(attributes, name))
}

fn read_payloads(section: &Media) -> Result<Vec<Payload>, Problem> {
    let numbers: Vec<&str> = section.fmt.split_whitespace().collect();
    if numbers.len() > limits::SDP_PAYLOAD_TYPES.get_usize() {
        return Err(Problem::Limit(&limits::SDP_PAYLOAD_TYPES));
    }
    let attributes = &section.attributes;
    let maps = values(attributes, "rtpmap");
    let parameters = values(attributes, "fmtp");
    let feedback = values(attributes, "rtcp-fb");
    let mut payloads: Vec<Payload> = Vec::with_capacity(numbers.len());
    for text in numbers {
        let number: u8 = text
            .parse()
            .ok()
            .filter(|number| *number < 128)
            .ok_or(Problem::Rule("has a payload type that is not a number from 0 to 127"))?;
        if payloads.iter().any(|payload| payload.number == number) {
            return Err(Problem::Rule("has a payload type twice"));
        }
        let of_number = |value: &&str| value.split_once(' ').is_some_and(|(n, _)| n == text);
        let map = maps.iter().copied().find(of_number).and_then(|value| value.split_once(' '));
        let mut payload = read_map(map.map_or("", |(_, map)| map), number);
        payload.parameters = parameters
            .iter()
            .copied()
            .find(of_number)
            .and_then(|value| value.split_once(' '))
            .map(|(_, parameters)| parameters.trim().to_owned());
        payload.feedback = feedback
            .iter()
            .filter_map(|value| value.split_once(' '))
            .filter(|(of, _)| *of == text || *of == "*")
            .map(|(_, feedback)| feedback.trim().to_owned())
            .collect();
        payloads.push(payload);
    }
    Ok(payloads)
}

/// `opus/48000/2`; static payload types need no map (RFC 3551 §6).
fn read_map(map: &str, number: u8) -> Payload {
    let map = match (map, number) {
        ("", 0) => "PCMU/8000",
        ("", 8) => "PCMA/8000",
        ("", 9) => "G722/8000",
        _ => map,
    };
    let mut parts = map.split('/').map(str::trim);
    Payload {
        number,
        name: parts.next().unwrap_or_default().to_owned(),
        clock_rate: parts.next().and_then(|rate| rate.parse().ok()).unwrap_or(0),
        channels: parts.next().and_then(|channels| channels.parse().ok()).unwrap_or(1),
        ..Payload::default()
    }
}

/// `4 urn:…` or `4/recvonly urn:…`; numbers beyond the one-byte form are of no use here (RFC 8285 §4.2).
fn read_extensions(attributes: &[Attribute]) -> Vec<(u8, String)> {
    let values = values(attributes, "extmap");
    let read = values.into_iter().filter_map(|value| {
        let (number, rest) = value.split_once(' ')?;
        let number = number.split('/').next()?.parse().ok()?;
        let uri = rest.split_whitespace().next()?.to_owned();
        (1..=14).contains(&number).then_some((number, uri))
    });
    read.collect()
}

/// The sources of `a=ssrc` and `a=ssrc-group:FID`. Some peers name retransmissions in the group alone.
fn read_sources(attributes: &[Attribute]) -> Result<Vec<OfferedSource>, Problem> {
    let mut pairs = Vec::new();
    for group in values(attributes, "ssrc-group") {
        let mut words = group.split_whitespace();
        let numbers = (words.next() == Some("FID")).then(|| words.map_while(|word| word.parse::<u32>().ok()));
        let numbers: Vec<u32> = numbers.into_iter().flatten().collect();
        if let [main, retransmissions] = numbers[..] {
            pairs.push((main, retransmissions));
        }
    }
    let mut sources: Vec<OfferedSource> = Vec::new();
    for value in values(attributes, "ssrc") {
        let Some(main) = value.split_whitespace().next().and_then(|number| number.parse().ok()) else {
            continue;
        };
        let is_known = sources.iter().any(|source| source.main == main);
        if is_known || pairs.iter().any(|(_, retransmissions)| *retransmissions == main) {
            continue;
        }
        if sources.len() >= limits::WEBRTC_SOURCES.get_usize() {
            return Err(Problem::Limit(&limits::WEBRTC_SOURCES));
        }
        let retransmissions = pairs.iter().find(|(of, _)| *of == main).map(|(_, number)| *number);
        sources.push(OfferedSource { main, retransmissions });
    }
    Ok(sources)
}

/// The names in `a=rid:NAME send`, where `a=simulcast` wants them sent.
fn read_rids(attributes: &[Attribute]) -> Result<Vec<String>, Problem> {
    if !has(attributes, "simulcast") {
        return Ok(Vec::new());
    }
    let mut rids: Vec<String> = Vec::new();
    for value in values(attributes, "rid") {
        let mut words = value.split_whitespace();
        let (Some(name), Some("send")) = (words.next(), words.next()) else {
            continue;
        };
        if !is_rid(name) {
            return Err(Problem::Rule("has an a=rid whose name is not made of up to 8 letters and digits"));
        }
        if !rids.iter().any(|known| known == name) {
            rids.push(name.to_owned());
        }
    }
    if rids.len() > limits::WEBRTC_RENDITIONS.get_usize() {
        return Err(Problem::Limit(&limits::WEBRTC_RENDITIONS));
    }
    Ok(rids)
}

/// The longest name of a rendition that its header extension is read with.
const RID_BYTES_MAX: usize = 8;

/// Whether a rendition may have this name.
fn is_rid(name: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    (1..=RID_BYTES_MAX).contains(&name.len()) && name.chars().all(is_letter)
}

/// The values of all attributes of a name.
pub(super) fn values<'a>(attributes: &'a [Attribute], name: &str) -> Vec<&'a str> {
    let with_name = attributes.iter().filter(|attribute| attribute.attribute == name);
    with_name.map(|attribute| attribute.value.as_deref().unwrap_or_default()).collect()
}

/// Whether there is an attribute of a name.
pub(super) fn has(attributes: &[Attribute], name: &str) -> bool {
    attributes.iter().any(|attribute| attribute.attribute == name)
}
