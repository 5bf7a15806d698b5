//! What a node is told of itself and of its cluster.

use std::{fmt, net::IpAddr, str::FromStr, sync::Arc, time::Duration};

use headwater_access::Secret;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use url::{Host, Url};

/// What a node of a cluster has to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its name, unique in the cluster.
    pub node: NodeId,
    /// Where other nodes reach this one: `ws://` or `wss://`, host and port. Without a path, `/cluster` is meant.
    pub url: String,
    /// Where they fetch streams: `ws://` or `wss://`, host and port of the session protocol.
    pub media: String,
    /// What it is for.
    pub role: Role,
    /// The groups that it belongs to, the first the most.
    pub groups: Vec<String>,
    /// Where to find nodes that are already there, as [`Settings::url`] of those. One that lives is enough.
    pub entry: Vec<String>,
    /// What all nodes have in common and nobody else has. At least [`Settings::SECRET_BYTES_MIN`] bytes.
    pub secret: Secret,
    /// Addresses and networks whose nodes may connect; all if there are none.
    pub allow: Vec<String>,
    /// The version of the server, for people.
    pub version: String,
    /// How long a node may be gone before it is forgotten; never if `None`.
    pub forget_after: Option<Duration>,
    /// Whether nodes may talk without TLS beyond this machine.
    pub plain: bool,
    /// Whether nodes show each other certificates, which are then for the host and the name that they say are theirs.
    pub mutual: bool,
}

impl Settings {
    /// The shortest secret, in bytes.
    pub const SECRET_BYTES_MIN: usize = 16;

    /// Whether these can work, and the networks of [`Settings::allow`].
    pub(crate) fn check(&self) -> Result<Vec<IpNet>, ClusterError> {
        match self.faults().into_iter().next() {
            Some((_, error)) => Err(error),
            None => self.networks().collect(),
        }
    }

    /// All that is wrong, each with the name of the field.
    pub fn faults(&self) -> Vec<(&'static str, ClusterError)> {
        let secret = (self.secret.reveal().len() < Self::SECRET_BYTES_MIN).then_some(ClusterError::WeakSecret);
        let faults = [
            ("secret", secret),
            ("url", link_url(&self.url, self.plain).err()),
            ("media", check_url(&self.media).err()),
            ("entry", self.entry.iter().find_map(|url| link_url(url, self.plain).err())),
            ("groups", self.fault_of_groups()),
            ("allow", self.networks().find_map(Result::err)),
        ];
        faults.into_iter().filter_map(|(field, fault)| Some((field, fault?))).collect()
    }

    fn fault_of_groups(&self) -> Option<ClusterError> {
        if self.groups.len() > GROUPS_MAX {
            return Some(ClusterError::TooManyGroups);
        }
        let bad = self.groups.iter().find(|group| !is_plain(group, GROUP_BYTES_MAX))?;
        Some(ClusterError::BadGroup(bad.clone()))
    }

    fn networks(&self) -> impl Iterator<Item = Result<IpNet, ClusterError>> {
        self.allow.iter().map(|text| {
            let address = text.parse::<IpAddr>().map(IpNet::from);
            address.or_else(|_| text.parse()).map_err(|_| ClusterError::BadNetwork(text.clone()))
        })
    }
}

/// The most groups of one node.
pub(crate) const GROUPS_MAX: usize = 16;
const GROUP_BYTES_MAX: usize = 64;
/// The longest address of a node, in bytes.
const URL_BYTES_MAX: usize = 512;

/// Whether these could be the groups of a node.
pub(crate) fn are_groups(groups: &[String]) -> bool {
    groups.len() <= GROUPS_MAX && groups.iter().all(|group| is_plain(group, GROUP_BYTES_MAX))
}

/// The checked name of a node: letters, digits, `.`, `-`, `:` and `_`, at most [`NodeId::BYTES_MAX`]. Cloning is cheap.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NodeId(Arc<str>);

impl NodeId {
    /// The longest, in bytes.
    pub const BYTES_MAX: usize = 100;

    /// Checks a text.
    ///
    /// # Errors
    /// It is empty, too long or has another character.
    pub fn new(text: &str) -> Result<NodeId, InvalidNode> {
        if is_plain(text, Self::BYTES_MAX) { Ok(NodeId(text.into())) } else { Err(InvalidNode) }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn shared(&self) -> Arc<str> {
        self.0.clone()
    }
}

fn is_plain(text: &str, bytes_max: usize) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b".-:_".contains(&byte);
    !text.is_empty() && text.len() <= bytes_max && text.bytes().all(good)
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl FromStr for NodeId {
    type Err = InvalidNode;

    fn from_str(text: &str) -> Result<NodeId, InvalidNode> {
        NodeId::new(text)
    }
}

impl TryFrom<String> for NodeId {
    type Error = InvalidNode;

    fn try_from(text: String) -> Result<NodeId, InvalidNode> {
        NodeId::new(&text)
    }
}

impl From<NodeId> for String {
    fn from(node: NodeId) -> String {
        node.as_str().to_owned()
    }
}

/// A text is no name of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the name of a node has 1 to {} letters, digits, '.', '-', ':' and '_'", NodeId::BYTES_MAX)]
pub struct InvalidNode;

/// What a node is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Streams are published to it; edges fetch them.
    Origin,
    /// Viewers come to it; it fetches what they ask for. What is published to it stays there.
    Edge,
    /// It makes renditions of streams for edges. It has no publishers and no viewers of its own.
    Transcoder,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Role::Origin => "origin",
            Role::Edge => "edge",
            Role::Transcoder => "transcoder",
        })
    }
}

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Role, UnknownRole> {
        let all = [Role::Origin, Role::Edge, Role::Transcoder];
        all.into_iter().find(|role| role.to_string() == text).ok_or(UnknownRole)
    }
}

/// A text is none of the roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the role of a node is origin, edge or transcoder")]
pub struct UnknownRole;

/// Why a node cannot start. All are faults of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClusterError {
    /// The secret can be guessed.
    #[error("the secret of the cluster must have at least {} bytes", Settings::SECRET_BYTES_MIN)]
    WeakSecret,
    /// An address is none of a node.
    #[error("{0:?} is not the address of a node: it is written ws://host:port or wss://host:port")]
    BadUrl(String),
    /// An address without TLS leads beyond this machine.
    #[error("{0:?} is without TLS and not on this machine: use wss://, or allow plain connections between nodes")]
    PlainUrl(String),
    /// A group has a name that groups cannot have.
    #[error("{0:?} is not the name of a group: it has letters, digits, '.', '-', ':' and '_'")]
    BadGroup(String),
    /// More than sixteen groups.
    #[error("a node may belong to at most {} groups", GROUPS_MAX)]
    TooManyGroups,
    /// An entry of `allow` is neither an address nor a network.
    #[error("{0:?} is neither an address nor a network such as 10.0.0.0/8")]
    BadNetwork(String),
}

fn check_url(text: &str) -> Result<Url, ClusterError> {
    let bad = || ClusterError::BadUrl(text.chars().take(URL_BYTES_MAX).collect());
    if text.len() > URL_BYTES_MAX {
        return Err(bad());
    }
    let url = Url::parse(text).map_err(|_| bad())?;
    let is_good = matches!(url.scheme(), "ws" | "wss")
        && url.host().is_some()
        && url.username().is_empty()
        && url.password().is_none()
        && url.fragment().is_none();
    if is_good { Ok(url) } else { Err(bad()) }
}

/// Whether a text could be where a node is fetched from.
pub(crate) fn is_url(text: &str) -> bool {
    check_url(text).is_ok()
}

/// The address of a node with its path; without TLS only on this machine, unless `plain` says otherwise.
pub(crate) fn link_url(text: &str, plain: bool) -> Result<Url, ClusterError> {
    let mut url = check_url(text)?;
    let is_local = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    if url.scheme() == "ws" && !plain && !is_local {
        return Err(ClusterError::PlainUrl(text.to_owned()));
    }
    if url.path().is_empty() || url.path() == "/" {
        url.set_path("/cluster");
    }
    Ok(url)
}
