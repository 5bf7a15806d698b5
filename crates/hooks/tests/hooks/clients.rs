//! Clients that ask the gate.

use headwater_access::{Action, Admission, Asking, Client, Gates, Refused, Visit};
use headwater_graph::Peer;
use headwater_hooks::{Hooks, Settings, read_application};
use std::sync::Arc;

/// The gate of one application.
pub(crate) fn hooks(url: &str) -> (Hooks, Gates) {
    with(Settings { applications: vec![application("defaultApp", url)], ..Settings::default() })
}

pub(crate) fn with(settings: Settings) -> (Hooks, Gates) {
    let hooks = Hooks::new(settings).unwrap();
    tokio::spawn(hooks.clone().run());
    let gates = Gates::new([Arc::new(hooks.clone()) as _]);
    (hooks, gates)
}

pub(crate) fn application(key: &str, url: &str) -> (String, url::Url) {
    read_application(&format!("{key}={url}"), false).unwrap()
}

/// One that comes for one stream, by HTTP-FLV say.
pub(crate) fn passer_by(session: &str) -> Client {
    Client::new(Peer::new("HTTP-FLV", session))
}

/// One with a connection of its own, as by the session protocol.
pub(crate) fn page(session: &str) -> Client {
    Client { is_connection: true, ..Client::new(Peer::new("WebSocket", session)) }
}

pub(crate) fn play(stream: &str) -> Asking {
    Asking::new(Action::Play, stream.parse().unwrap(), format!("{stream}-1"))
}

pub(crate) fn publish(stream: &str) -> Asking {
    Asking::new(Action::Publish, stream.parse().unwrap(), format!("{stream}-1"))
}

pub(crate) async fn play_once(gates: &Gates) -> Result<Admission, Refused> {
    gates.admit(&passer_by("s1"), play("camera")).await
}

pub(crate) async fn connect(gates: &Gates, session: &str) -> Visit {
    gates.connect(&page(session)).await.unwrap()
}
