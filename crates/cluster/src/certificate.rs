//! That a node is the one that it says it is, where nodes show certificates.
//!
//! Who knows the secret can say any name. What a certificate proves is a host, so a node has to be at a host that its
//! certificate is for, and a name stays at its host: who has it elsewhere needs a certificate for the name itself.

use headwater_net::PeerCertificate;
use url::Url;

use crate::{
    cluster::Node,
    hello::{Greeting, Refusal},
};

/// Looks whether the certificate of another node is for what it tells of itself.
pub(crate) fn check(node: &Node, greeting: &Greeting, shown: Option<&PeerCertificate>) -> Result<(), Refusal> {
    if !node.settings.mutual {
        return Ok(());
    }
    let refused = |what: &str| Refusal::Certificate(what.to_owned());
    let shown = shown.ok_or_else(|| refused("it has shown none"))?;
    let host = greeting.url.as_deref().and_then(host_of).ok_or_else(|| refused("it does not say where it is"))?;
    if !shown.is_for(&host) {
        return Err(Refusal::Certificate(format!("it is not for {host}, where the node says that it is")));
    }
    let known = node.directory.lock().url_of(&greeting.node).and_then(host_of);
    match known.filter(|known| *known != host) {
        Some(known) if !shown.is_for(greeting.node.as_str()) => Err(Refusal::Certificate(format!(
            "{} is known at {known}, and the certificate of who has that name at {host} is not for the name",
            greeting.node
        ))),
        _ => Ok(()),
    }
}

fn host_of(url: &str) -> Option<String> {
    Some(Url::parse(url).ok()?.host_str()?.to_ascii_lowercase())
}
