//! The one list of protocols, and what the server wants of each.

mod rtmp;
mod webrtc;

use std::net::IpAddr;

use crate::config::{Complaint, Listener, Section};

/// Every protocol that this server speaks. Adding one is a line here and a file beside.
pub(crate) fn all() -> Vec<Box<dyn Protocol>> {
    vec![
        Box::new(rtmp::Rtmp::default()),
        Box::new(webrtc::WebRtc::default()),
    ]
}

/// A protocol crate, fitted to the server: its configuration, what it listens on, how it starts.
pub(crate) trait Protocol: Send + Sync {
    /// Its sections of the configuration.
    fn sections(&self) -> Vec<&dyn Section>;

    /// The same, to be set.
    fn sections_mut(&mut self) -> Vec<&mut dyn Section>;

    /// What it will listen on where its sections name no address of their own.
    fn listeners(&self, address: IpAddr) -> Vec<Listener>;

    /// Keys that do not fit each other.
    fn complaints(&self) -> Vec<Complaint> {
        Vec::new()
    }
}
