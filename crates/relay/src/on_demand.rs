//! Streams that a viewer asks for by their URL on another server.

use std::{collections::VecDeque, hash::BuildHasher, sync::Weak};

use headwater_graph::{BoxFuture, Hub, Peer, Resolver};
use headwater_media::{StreamName, limits};

use crate::{Inner, Relays, course::Status, source::Source, target::Target};

/// What has been asked for and not been started yet, the oldest first.
#[derive(Default)]
pub(crate) struct Wanted(VecDeque<(StreamName, Target)>);

impl Wanted {
    fn add(&mut self, name: StreamName, target: Target) {
        self.0.retain(|(other, _)| *other != name);
        if self.0.len() >= limits::RELAYS.get_usize() {
            self.0.pop_front();
        }
        self.0.push_back((name, target));
    }

    fn take(&mut self, name: &StreamName) -> Option<Target> {
        let index = self.0.iter().position(|(wanted, _)| wanted == name)?;
        self.0.remove(index).map(|(_, target)| target)
    }
}

/// Pulls what is asked for. The hub holds it, and it must not hold the hub.
pub(crate) struct OnDemand(pub(crate) Weak<Inner>);

impl Resolver for OnDemand {
    fn resolve(&self, _hub: &Hub, name: &StreamName, _viewer: &Peer) -> Option<BoxFuture<'static, Result<(), String>>> {
        let relays = Relays(self.0.upgrade()?);
        let target = relays.0.wanted.lock().take(name)?;
        let name = name.clone();
        Some(Box::pin(async move { relays.pull_on_demand(target, name).await }))
    }

    fn locate(&self, url: &str) -> Option<Result<StreamName, String>> {
        let is_ours = ["rtmp://", "rtmps://"].iter().any(|scheme| url.starts_with(scheme));
        let relays = Relays(self.0.upgrade().filter(|_| is_ours)?);
        Some(Target::whole(url, false).map(|target| relays.want(target)).map_err(|error| error.to_string()))
    }
}

impl Relays {
    /// A name for what is at a URL. It tells the host, but not what may be a secret.
    pub(crate) fn name_of(&self, target: &Target) -> StreamName {
        let url = &target.url;
        let hash = self.0.hashes.hash_one((url.tls, &url.host, url.port, &url.app, &url.key));
        let host: String = url.host.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '.').take(64).collect();
        let host = host.trim_matches('.');
        let host = if host.is_empty() { "host" } else { host };
        // Sixteen digits of a hash with a key of this process; nobody can make two URLs meet in one name.
        StreamName::new(&format!("pulled/{host}-{hash:016x}")).expect("letters, digits, dots and a hyphen")
    }

    fn want(&self, target: Target) -> StreamName {
        let source = Source::Rtmp(target.clone());
        let at_work = self.0.list.lock().pull_from(&source).map(|pull| pull.name().clone());
        at_work.unwrap_or_else(|| {
            let name = self.name_of(&target);
            self.0.wanted.lock().add(name.clone(), target);
            name
        })
    }

    async fn pull_on_demand(&self, target: Target, name: StreamName) -> Result<(), String> {
        let pull = self.start_pull(Source::Rtmp(target), name, true).map_err(|error| error.to_string())?;
        let mut progress = pull.follow();
        let settled = progress.wait_for(|progress| progress.status == Status::Connected || progress.problem.is_some());
        let problem = settled.await.map(|progress| progress.problem.clone()).unwrap_or_default();
        match problem {
            None => Ok(()),
            Some(problem) => {
                pull.stop();
                Err(problem)
            }
        }
    }
}
