//! Publishers by WHIP, by the session protocol and by RTMP: all of them send one stream, coded once.

use std::net::Ipv4Addr;

use headwater_agent::{Agent, Bringing};
use headwater_net::{Dialer, Quota};
use headwater_webrtc::{Config, WebRtc};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{Presence, rtmp};
use crate::{
    Failure,
    plan::{Protocol, Target},
    source::{Source, SourceError},
};

/// What publishers have in common.
pub(crate) struct Publishers {
    source: Source,
    agent: Agent,
    rtmp: rtmp::Publishing,
    webrtc: WebRtc,
}

impl Publishers {
    /// The senders of a source. Takes so many threads; 0 is one for each core.
    ///
    /// # Errors
    /// There is no socket or no thread to be had.
    pub(crate) async fn start(source: Source, dialer: Dialer, threads: usize) -> Result<Publishers, SourceError> {
        let config = Config {
            listen: Ipv4Addr::UNSPECIFIED.into(),
            port: 0,
            shards: threads,
            precedence: 0,
            tcp: false,
            ..Config::default()
        };
        let start = move || WebRtc::start(&config, &Quota::connections()).map_err(|error| error.to_string());
        let webrtc = tokio::task::spawn_blocking(start).await.map_err(|error| SourceError::Bug(error.to_string()))?;
        let webrtc = webrtc.map_err(SourceError::Bug)?;
        let rtmp = rtmp::Publishing::new(&source, dialer.clone());
        Ok(Publishers { source, agent: Agent::new(webrtc.clone(), dialer), rtmp, webrtc })
    }

    /// Publishes until told to stop.
    ///
    /// # Errors
    /// Why it did not come about or did not stay.
    pub(crate) async fn publish(
        &self,
        target: &Target,
        agent: u32,
        presence: &Presence,
        stop: &CancellationToken,
    ) -> Result<(), Failure> {
        let flowing = Flowing { presence, counts: true, flows: &Notify::new() };
        self.send(target, agent, &flowing, stop).await
    }

    /// The same, where it is not this that makes the agent be there.
    ///
    /// # Errors
    /// Why it did not come about or did not stay.
    pub(super) async fn send(
        &self,
        target: &Target,
        agent: u32,
        told: &Flowing<'_>,
        stop: &CancellationToken,
    ) -> Result<(), Failure> {
        if target.protocol == Protocol::Rtmp {
            return self.rtmp.send(&self.source, target, agent, told, stop).await;
        }
        let remote = target.remote().map_err(Failure::generator)?;
        let subscription = self.source.subscribe(agent).await?;
        Ok(self.agent.publish(&remote, subscription, told, stop).await?)
    }

    /// Ends what is left.
    pub(crate) async fn stop(&self) {
        self.webrtc.stop().await;
    }
}

/// Notes that media is sent.
pub(super) struct Flowing<'a> {
    pub(super) presence: &'a Presence,
    /// Whether the agent is there by it.
    pub(super) counts: bool,
    pub(super) flows: &'a Notify,
}

impl Bringing for Flowing<'_> {
    fn agreed(&self, _remote_session: &str) {}

    fn flows(&self) {
        if self.counts {
            self.presence.board.sent_first(self.presence.since());
            self.presence.join();
        }
        self.flows.notify_one();
    }
}
