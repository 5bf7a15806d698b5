//! The addresses from which a peer has proved itself.

use std::net::IpAddr;

use headwater_media::limits;

use crate::egress::Remote;

/// The addresses from which a peer has proved itself, and the local address that it used for each.
#[derive(Debug, Default)]
pub(crate) struct Paths(Vec<(Remote, Option<IpAddr>)>);

impl Paths {
    /// Remembers a proven address. Yields the one that is forgotten for it, if there are too many.
    pub(crate) fn learn(&mut self, remote: Remote, local: Option<IpAddr>) -> Option<Remote> {
        match self.0.iter_mut().find(|(known, _)| *known == remote) {
            Some(path) => {
                path.1 = local;
                return None;
            }
            None => self.0.push((remote, local)),
        }
        if self.0.len() <= limits::WEBRTC_PATHS.get_usize() {
            return None;
        }
        limits::WEBRTC_PATHS.hit();
        Some(self.0.remove(0).0)
    }

    /// The local address that the peer uses from there.
    pub(crate) fn local(&self, remote: Remote) -> Option<IpAddr> {
        self.0.iter().find(|(known, _)| *known == remote).and_then(|(_, local)| *local)
    }

    pub(crate) fn remotes(&self) -> impl Iterator<Item = Remote> {
        self.0.iter().map(|(remote, _)| *remote)
    }
}
