//! An offer, read and checked.

use headwater_media::limits::{self, Limit};
use sdp_types::{Attribute, Media, Session};
use str0m::crypto::Fingerprint;

use super::section::{Kind, MediaSection, Problem, values};

/// A peer's offer within all limits, with everything a session needs: ICE credentials, a certificate fingerprint
/// and at least one media section.
#[derive(Clone, Debug)]
pub struct Offer {
    pub(crate) ice: IceCredentials,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) role: Role,
    pub(crate) media: Vec<MediaSection>,
}

/// User name fragment and password of one side's ICE agent (RFC 8839 §5.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IceCredentials {
    pub(crate) fragment: String,
    pub(crate) password: String,
}

/// Which side begins the DTLS handshake (RFC 8842 §5.3), as this server has to do it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// The peer begins: it offered `actpass` or `active`.
    Passive,
    /// This server begins: the peer offered `passive`.
    Active,
}

/// Why an offer is not taken. All are the peer's to mend.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OfferError {
    /// A limit is exceeded.
    #[error("the SDP is too large: at most {max} {unit} are accepted")]
    TooLarge {
        /// The bound.
        max: u64,
        /// What it counts.
        unit: &'static str,
    },
    /// Not an SDP.
    #[error("the body is not a valid SDP: {0}")]
    Malformed(String),
    /// A media section breaks a rule.
    #[error("the SDP cannot be used: media section {index} ({name}) {problem}")]
    Section {
        /// Which one, counted from 0.
        index: usize,
        /// Its media type.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A part of the SDP that a session needs is missing or wrong.
    #[error("the SDP cannot be used: {0}")]
    Unusable(&'static str),
}

impl OfferError {
    fn limit(limit: &'static Limit) -> OfferError {
        limit.hit();
        OfferError::TooLarge { max: limit.get(), unit: limit.unit }
    }
}

impl Offer {
    /// Reads an offer.
    ///
    /// # Errors
    /// Says in a sentence what is wrong with it; limits that it exceeds are counted.
    pub fn parse(text: &str) -> Result<Offer, OfferError> {
        let session = parse_session(text)?;
        let bundle = bundle(&session.attributes);
        let mut media = Vec::with_capacity(session.medias.len());
        for (index, section) in session.medias.iter().enumerate() {
            let read = MediaSection::read(section, &bundle, &session.attributes);
            media.push(read.map_err(|problem| match problem {
                Problem::Limit(limit) => OfferError::limit(limit),
                Problem::Rule(problem) => OfferError::Section { index, name: section.media.clone(), problem },
            })?);
        }
        check_one_transport(&media)?;
        // With BUNDLE, the transport is that of the first section in use (RFC 8843 §7.1).
        let first = media.iter().position(|section| !section.disabled).unwrap_or(0);
        let lookup = Lookup { section: session.medias.get(first), session: &session.attributes };
        Ok(Offer { ice: ice_credentials(&lookup)?, fingerprint: fingerprint(&lookup)?, role: role(&lookup)?, media })
    }

    /// The user name fragment of the peer's ICE agent; another one later asks for a restart.
    pub fn ice_fragment(&self) -> &str {
        &self.ice.fragment
    }
}

pub(crate) fn parse_session(text: &str) -> Result<Session, OfferError> {
    if text.len() > limits::SDP_BYTES.get_usize() {
        return Err(OfferError::limit(&limits::SDP_BYTES));
    }
    if text.lines().count() > limits::SDP_LINES.get_usize() {
        return Err(OfferError::limit(&limits::SDP_LINES));
    }
    let count = |prefix: &str| text.lines().filter(|line| line.starts_with(prefix)).count();
    for (prefix, limit) in [("m=", &limits::SDP_MEDIA), ("a=candidate:", &limits::SDP_CANDIDATES)] {
        if count(prefix) > limit.get_usize() {
            return Err(OfferError::limit(limit));
        }
    }
    let session = Session::parse(text.as_bytes()).map_err(|error| OfferError::Malformed(error.to_string()))?;
    if session.medias.is_empty() {
        return Err(OfferError::Unusable("it has no media section (m=)"));
    }
    Ok(session)
}

fn check_one_transport(media: &[MediaSection]) -> Result<(), OfferError> {
    let in_use = || media.iter().filter(|section| !section.disabled && section.kind != Kind::Other);
    if in_use().count() > 1 && !in_use().all(|section| section.bundled) {
        return Err(OfferError::Unusable(
            "it has several media sections without a common a=group:BUNDLE; this server has one transport per session",
        ));
    }
    Ok(())
}

/// Attributes of a section, and of the session where the section does not say.
struct Lookup<'a> {
    section: Option<&'a Media>,
    session: &'a [Attribute],
}

impl<'a> Lookup<'a> {
    fn all(&self, name: &str) -> Vec<&'a str> {
        let section = self.section.map_or(&[][..], |section| &section.attributes);
        let own = values(section, name);
        if own.is_empty() { values(self.session, name) } else { own }
    }

    fn first(&self, name: &str) -> Option<&'a str> {
        self.all(name).into_iter().next()
    }
}

fn bundle(session: &[Attribute]) -> Vec<String> {
    let group = values(session, "group").into_iter().find_map(|value| value.strip_prefix("BUNDLE"));
    group.unwrap_or_default().split_whitespace().map(str::to_owned).collect()
}

fn ice_credentials(lookup: &Lookup<'_>) -> Result<IceCredentials, OfferError> {
    let (Some(fragment), Some(password)) = (lookup.first("ice-ufrag"), lookup.first("ice-pwd")) else {
        return Err(OfferError::Unusable("a=ice-ufrag or a=ice-pwd is missing"));
    };
    check_credentials(fragment, password)
}

/// Lengths and characters of RFC 8839 §5.4.
pub(crate) fn check_credentials(fragment: &str, password: &str) -> Result<IceCredentials, OfferError> {
    let is_ice = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || c == '+' || c == '/');
    // Some clients write '-' and '_' as well; they are harmless.
    let is_close = |text: &str| is_ice(&text.replace(['-', '_', '='], "+"));
    if !(4..=256).contains(&fragment.len()) || !(22..=256).contains(&password.len()) {
        return Err(OfferError::Unusable("a=ice-ufrag needs 4 to 256 characters and a=ice-pwd 22 to 256"));
    }
    if !is_close(fragment) || !is_close(password) {
        return Err(OfferError::Unusable("a=ice-ufrag or a=ice-pwd has characters that ICE does not allow"));
    }
    Ok(IceCredentials { fragment: fragment.to_owned(), password: password.to_owned() })
}

fn fingerprint(lookup: &Lookup<'_>) -> Result<Fingerprint, OfferError> {
    let all = lookup.all("fingerprint");
    if all.len() > limits::SDP_FINGERPRINTS.get_usize() {
        return Err(OfferError::limit(&limits::SDP_FINGERPRINTS));
    }
    if all.is_empty() {
        return Err(OfferError::Unusable("a=fingerprint is missing; media is only sent encrypted"));
    }
    let sha256 = all.iter().find_map(|value| {
        let (hash, digits) = value.split_once(' ')?;
        let bytes: Option<Vec<u8>> = digits.trim().split(':').map(|byte| u8::from_str_radix(byte, 16).ok()).collect();
        let bytes = bytes.filter(|bytes| bytes.len() == 32)?;
        let hash_func = "sha-256".to_owned();
        hash.eq_ignore_ascii_case(&hash_func).then_some(Fingerprint { hash_func, bytes })
    });
    sha256.ok_or(OfferError::Unusable("a=fingerprint has no valid sha-256 value"))
}

fn role(lookup: &Lookup<'_>) -> Result<Role, OfferError> {
    match lookup.first("setup") {
        Some("actpass" | "active") | None => Ok(Role::Passive),
        Some("passive") => Ok(Role::Active),
        Some(_) => Err(OfferError::Unusable("a=setup has to be actpass, active or passive")),
    }
}
