//! Fragments of a session description, as trickled candidates and ICE restarts are told by PATCH.

use headwater_media::limits;

use super::{
    answer::Candidates,
    offer::{IceCredentials, OfferError, check_credentials},
};

/// A trickled fragment (RFC 8840 §9): the peer's ICE credentials, and how many candidates it names.
///
/// The candidates themselves are not kept: the server is ICE-lite, never begins a check, and learns a peer's address
/// from the peer's own checks. So a fragment cannot make it send anything anywhere (RFC 8445 §19.5.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fragment {
    pub(crate) ice: IceCredentials,
    candidates: usize,
}

impl Fragment {
    /// Reads a fragment.
    ///
    /// # Errors
    /// Says in a sentence what is wrong with it; limits that it exceeds are counted.
    pub fn parse(text: &str) -> Result<Fragment, OfferError> {
        let too_large = |limit: &'static limits::Limit| {
            limit.hit();
            OfferError::TooLarge { max: limit.get(), unit: limit.unit }
        };
        if text.len() > limits::SDP_BYTES.get_usize() {
            return Err(too_large(&limits::SDP_BYTES));
        }
        if text.lines().count() > limits::SDP_LINES.get_usize() {
            return Err(too_large(&limits::SDP_LINES));
        }
        let value = |name: &str| text.lines().find_map(|line| line.trim_end().strip_prefix(name)).map(str::trim);
        let (Some(fragment), Some(password)) = (value("a=ice-ufrag:"), value("a=ice-pwd:")) else {
            return Err(OfferError::Unusable("a=ice-ufrag or a=ice-pwd is missing"));
        };
        let candidates = text.lines().filter(|line| line.starts_with("a=candidate:")).count();
        if candidates > limits::SDP_CANDIDATES.get_usize() {
            return Err(too_large(&limits::SDP_CANDIDATES));
        }
        Ok(Fragment { ice: check_credentials(fragment, password)?, candidates })
    }

    /// The user name fragment of the peer's ICE agent.
    pub fn ice_fragment(&self) -> &str {
        &self.ice.fragment
    }

    /// How many candidates it names.
    pub fn candidates(&self) -> usize {
        self.candidates
    }
}

/// The fragment that answers an ICE restart (RFC 9725 §4.3.3).
pub(crate) fn write(ice: &IceCredentials, candidates: &Candidates, section: Option<(&str, &str)>) -> String {
    let mut text = format!("a=ice-lite\r\na=ice-ufrag:{}\r\na=ice-pwd:{}\r\n", ice.fragment, ice.password);
    if let Some((name, mid)) = section {
        text.push_str(&format!("m={name} 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:{mid}\r\n"));
    }
    for candidate in candidates.lines() {
        text.push_str(&format!("a={candidate}\r\n"));
    }
    text.push_str("a=end-of-candidates\r\n");
    text
}
