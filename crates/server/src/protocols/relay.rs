//! Streams pushed to other servers and pulled from them, for the REST API and for viewers.

use std::{net::IpAddr, path::PathBuf, sync::Arc};

use headwater_agent::Agent;
use headwater_control::{Metric, Record, Source};
use headwater_net::{Dialer, Reach};
use headwater_relay::{Relays, Settings};

use super::{Context, Protocol};
use crate::{
    config::{Listener, Section, section::section},
    error::StartError,
};

section! {
    /// Streams that this server sends to others by RTMP and fetches from them by RTMP and WebRTC, as the REST API asks for.
    pub(crate) struct RelaySection, "relay" {
        /// Hosts, addresses and networks, such as "camera.lan" or "10.0.0.0/8", that streams may be sent to and fetched from although they are not on the public internet. Everything on it may be; what is inside, as this machine itself or a cloud's metadata service, may not unless it stands here.
        allow: Vec<String> = Vec::new();
        /// Whether a viewer by the session protocol may have a stream fetched by playing its rtmp:// address. Everybody who may play can then make this server connect to others.
        pull_by_url: bool = false;
        /// What stands before a stream's name at the other server, where a push names only the application.
        push_prefix: String = "rtmp_".into();
        /// A file with certificates of authorities in PEM that rtmps://, wss:// and https:// trust besides those that browsers do.
        authorities: Option<PathBuf> = None;
        /// A folder with sound files (WAV) that /rest-api/push/sound_on may play into streams that are sent to others. Files are found in it and in folders below, and nowhere else.
        sounds: Option<PathBuf> = None;
    }
}

/// The `relay` crate in the server.
#[derive(Default)]
pub(super) struct Relay(RelaySection);

impl Protocol for Relay {
    fn sections(&self) -> Vec<&dyn Section> {
        vec![&self.0]
    }

    fn sections_mut(&mut self) -> Vec<&mut dyn Section> {
        vec![&mut self.0]
    }

    fn listeners(&self, _address: IpAddr) -> Vec<Listener> {
        Vec::new()
    }

    fn start(&self, context: &mut Context) -> Result<(), StartError> {
        let Some(rtmp) = context.offered.get::<headwater_rtmp::Context>().cloned() else {
            return Ok(());
        };
        let failed = |reason: String, key| StartError::Protocol {
            what: "relay",
            reason,
            section: "relay",
            place: context.place("relay", key),
        };
        let reach = Reach::new(self.0.allow.iter().map(String::as_str))
            .map_err(|entry| failed(format!("{entry:?} in allow is no host, address or network"), "allow"))?;
        let dialer = Dialer::new(reach, self.0.authorities.as_deref())
            .map_err(|error| failed(error.to_string(), "authorities"))?;
        let settings = Settings {
            push_prefix: self.0.push_prefix.clone(),
            pull_by_url: self.0.pull_by_url,
            sounds: self.0.sounds.clone(),
        };
        let shards = context.offered.get::<headwater_webrtc::WebRtc>().cloned();
        let agent = shards.map(|shards| Agent::new(shards, dialer.clone()));
        let relays = Relays::new(rtmp, dialer, agent, settings, Some(Arc::new(context.traces.clone())));
        context.add_source(Arc::new(RelaySource(relays.clone())));
        context.offered.insert(relays.clone());
        context.at_stop.push(Box::pin(async move { relays.stop().await }));
        Ok(())
    }
}

/// How many relays there are.
struct RelaySource(Relays);

impl Source for RelaySource {
    fn metrics(&self) -> Vec<Metric> {
        vec![
            Metric::gauge("relay_pushes", "Streams that are sent to other servers now, or tried to be."),
            Metric::gauge("relay_pulls", "Streams that are fetched from other servers now, or tried to be."),
        ]
    }

    fn read(&self, record: &mut Record<'_>) {
        record("relay_pushes", "", self.0.pushes().len() as f64);
        record("relay_pulls", "", self.0.pulls().len() as f64);
    }
}
