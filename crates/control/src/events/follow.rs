//! Makes events of what the hub tells, of the states of relays and of the counts of limits.

use std::{collections::HashMap, time::Duration};

use futures_util::future::{Either, select};
use headwater_graph::{Event, Hub, Peer};
use headwater_media::limits::TABLE;
use headwater_relay::Relays;

use super::{Journal, Party, Passage, ServerEvent, Use};

/// How often relays and limits are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Tells the journal what happens, until dropped or the hub is gone.
pub(crate) async fn follow(journal: &Journal, hub: &Hub, relays: Option<&Relays>) {
    let mut events = hub.events();
    let mut watched = Watched::new(relays);
    let mut sleep = hub.environment().sleep(LOOK);
    loop {
        let next = std::pin::pin!(events.next());
        match select(next, sleep).await {
            Either::Left((Some(event), rest)) => {
                sleep = rest;
                if let Some(event) = translate(&event) {
                    journal.tell(&event);
                }
            }
            Either::Left((None, _)) => return,
            Either::Right(_) => {
                watched.look(journal);
                sleep = hub.environment().sleep(LOOK);
            }
        }
    }
}

impl From<&Peer> for Party {
    fn from(peer: &Peer) -> Party {
        let remote = peer.remote.map(|remote| remote.to_string());
        Party { protocol: peer.protocol, session: peer.session.clone(), remote, app: None }
    }
}

fn translate(event: &Event) -> Option<ServerEvent> {
    let used =
        |stream: &headwater_media::StreamName, peer: &Peer| Use { stream: stream.to_string(), peer: peer.into() };
    Some(match event {
        Event::Published { stream, peer } => ServerEvent::Published(used(stream, peer)),
        Event::Paused { stream } => ServerEvent::Paused { stream: stream.to_string() },
        Event::Resumed { stream, peer } => ServerEvent::Resumed(used(stream, peer)),
        Event::Unpublished { stream, reason } => {
            ServerEvent::Unpublished { stream: stream.to_string(), reason: reason.clone() }
        }
        Event::ViewerJoined { stream, peer } => ServerEvent::ViewerJoined(used(stream, peer)),
        Event::ViewerLeft { stream, peer } => ServerEvent::ViewerLeft(used(stream, peer)),
        _ => return None,
    })
}

/// What is looked at again and again, as it was the last time.
struct Watched<'a> {
    relays: Option<&'a Relays>,
    passages: HashMap<String, (bool, Passage)>,
    hits: Vec<u64>,
}

impl<'a> Watched<'a> {
    fn new(relays: Option<&'a Relays>) -> Watched<'a> {
        let hits = TABLE.iter().map(|limit| limit.hits()).collect();
        Watched { relays, passages: HashMap::new(), hits }
    }

    fn look(&mut self, journal: &Journal) {
        self.look_at_relays(journal);
        for (limit, before) in TABLE.iter().zip(&mut self.hits) {
            let hits = limit.hits();
            let times = hits.saturating_sub(std::mem::replace(before, hits));
            if times > 0 {
                journal.tell(&ServerEvent::LimitHit { limit: limit.name.to_lowercase(), times });
            }
        }
    }

    fn look_at_relays(&mut self, journal: &Journal) {
        let Some(relays) = self.relays else { return };
        let mut now = HashMap::new();
        for push in relays.pushes() {
            let (stream, status) = (push.stream.to_string(), push.status.as_str());
            let passage = Passage { id: push.id, stream, url: push.url, status, problem: push.problem };
            now.insert(passage.id.clone(), (true, passage));
        }
        for pull in relays.pulls() {
            let (stream, status) = (pull.name.to_string(), pull.status.as_str());
            let passage = Passage { id: pull.id, stream, url: pull.url, status, problem: pull.problem };
            now.insert(passage.id.clone(), (false, passage));
        }
        let tell = |is_push: bool, passage: Passage| match is_push {
            true => journal.tell(&ServerEvent::Push(passage)),
            false => journal.tell(&ServerEvent::Pull(passage)),
        };
        for (id, (is_push, passage)) in &now {
            if self.passages.get(id).is_none_or(|(_, before)| before != passage) {
                tell(*is_push, passage.clone());
            }
        }
        for (id, (is_push, passage)) in std::mem::replace(&mut self.passages, now) {
            if !self.passages.contains_key(&id) {
                tell(is_push, Passage { status: "GONE", ..passage });
            }
        }
    }
}
