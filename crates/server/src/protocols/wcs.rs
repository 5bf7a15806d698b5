//! The session protocol of WCS over WebSocket, for pages made with its Web SDK.

use std::{net::IpAddr, sync::Arc, time::UNIX_EPOCH};

use axum::http::Extensions;
use headwater_access::Credentials;
use headwater_control::{ClientObject, Clients, Metric, Record, Source, Untold};
use headwater_media::StreamName;
use headwater_signalling::{
    Entrance, Whip,
    wcs::{self, Origins, Statistics, is_upgrade},
};

use serde_json::Value;

use super::{Context, Protocol};
use crate::{
    config::{Listener, Section, section::section},
    error::StartError,
    reload::Switch,
};

section! {
    /// The session protocol of WCS: WebSocket on the ports of the web server, for pages made with the WCS Web SDK. Its media is [webrtc]'s.
    pub(crate) struct WcsSection, "wcs" {
        /// Whether the session protocol is served; it needs WebRTC.
        enabled: bool = true;
        /// The origins of the web pages that may open a session or, to watch by MSE and WSPlayer, a WebSocket, such as "https://example.org"; "*" is every page. Where none is given, every page may, but over loopback only pages of this machine.
        @live origins: Vec<String> = Vec::new();
    }
}

/// The session protocol of the `signalling` crate in the server.
#[derive(Default)]
pub(super) struct Wcs {
    wcs: WcsSection,
}

impl Protocol for Wcs {
    fn sections(&self) -> Vec<&dyn Section> {
        vec![&self.wcs]
    }

    fn sections_mut(&mut self) -> Vec<&mut dyn Section> {
        vec![&mut self.wcs]
    }

    fn listeners(&self, _address: IpAddr) -> Vec<Listener> {
        Vec::new()
    }

    fn start(&self, context: &mut Context) -> Result<(), StartError> {
        // Viewers by other WebSockets go by them as well, even without a session.
        let origins = context.offered.get_or_insert_default::<Origins>().clone();
        origins.replace(&self.wcs.origins);
        let webrtc = context.offered.get::<headwater_webrtc::WebRtc>().cloned();
        let Some(webrtc) = webrtc.filter(|_| self.wcs.enabled) else {
            return Ok(());
        };
        let entrance = context.offered.get::<Entrance>().cloned();
        let entrance = entrance.unwrap_or_else(|| Entrance::new(context.gates.clone()));
        let wanted = context.offered.get::<Whip>().map(Whip::wanted).unwrap_or_default();
        let wcs = wcs::Wcs::asking(context.hub.clone(), webrtc, origins, entrance, wanted);
        context.routes.add_ahead(|_, headers| is_upgrade(headers), wcs.router());
        let clients: Arc<dyn Clients> = Arc::new(WcsClients(wcs.clone(), context.lists.parameter()));
        context.offered.insert(clients);
        context.add_source(Arc::new(WcsSource(wcs.clone())));
        context.at_stop.push(Box::pin(async move { wcs.stop().await }));
        Ok(())
    }

    fn switch(&self, running: &Extensions) -> Option<Switch> {
        let (origins, allowed) = (running.get::<Origins>()?.clone(), self.wcs.origins.clone());
        Some(Box::new(move || origins.replace(&allowed)))
    }
}

/// The clients of the session protocol, for the REST API; with the parameter by which viewers bring keys of streams.
struct WcsClients(wcs::Wcs, Arc<str>);

impl Clients for WcsClients {
    fn list(&self) -> Vec<ClientObject> {
        self.0.connections().into_iter().map(|client| client_object(client, &self.1)).collect()
    }

    fn terminate(&self, session: &str) -> bool {
        self.0.dismiss(session)
    }

    fn send_elsewhere(&self, session: &str) -> bool {
        self.0.send_elsewhere(session)
    }

    fn watch(&self, session: &str, is_watched: bool) -> bool {
        self.0.watch(session, is_watched)
    }

    fn send(&self, session: &str, operation_id: Option<String>, payload: Value) -> Result<(), Untold> {
        self.0.send_data(session, operation_id, payload).map_err(|untold| match untold {
            wcs::Untold::Gone => Untold::Gone,
            wcs::Untold::Choked => Untold::Choked,
        })
    }

    fn tell_stream(&self, stream: &StreamName, payload: Value) -> usize {
        self.0.tell_stream(stream, payload)
    }
}

fn client_object(client: wcs::Connected, key_of_streams: &str) -> ClientObject {
    let since = client.since.duration_since(UNIX_EPOCH).unwrap_or_default();
    ClientObject {
        session_id: client.session,
        app_key: client.app_key,
        status: "ESTABLISHED",
        client_version: client.client_version,
        media_providers: client.media_providers,
        custom: client.custom.map(|custom| without_secrets(custom, key_of_streams)),
        user_agent: client.user_agent,
        remote_address: client.remote.map(|remote| remote.to_string()),
        create_date: u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
        log_level: if client.is_watched { "DEBUG" } else { "INFO" },
    }
}

/// What a page said of itself, without what it showed to be let in: keys of streams may have a name of their own.
fn without_secrets(mut custom: Value, key_of_streams: &str) -> Value {
    if let Value::Object(members) = &mut custom {
        members.retain(|name, _| name != key_of_streams && !Credentials::SECRET_PARAMETERS.contains(&name.as_str()));
    }
    custom
}

/// What the session protocol counts.
struct WcsSource(wcs::Wcs);

impl Source for WcsSource {
    fn metrics(&self) -> Vec<Metric> {
        let figures = FIGURES.into_iter().map(|(name, what, _)| {
            let comes_and_goes = ["sessions", "streams"].contains(&name);
            let metric = if comes_and_goes { Metric::gauge } else { Metric::counter };
            metric(format!("wcs_{name}"), what)
        });
        figures.collect()
    }

    fn read(&self, record: &mut Record<'_>) {
        let statistics = self.0.statistics();
        for (name, _, figure) in FIGURES {
            record(&format!("wcs_{name}"), "", figure(&statistics) as f64);
        }
    }
}

type Figure = (&'static str, &'static str, fn(&Statistics) -> u64);

const FIGURES: [Figure; 7] = [
    ("sessions", "Clients connected by the session protocol now.", |wcs| wcs.connections),
    ("streams", "Streams that those clients publish and play now.", |wcs| wcs.streams),
    ("messages", "Messages received by the session protocol.", |wcs| wcs.messages),
    ("messages_unknown", "Messages received that this server does not know.", |wcs| wcs.unknown),
    ("messages_malformed", "Messages received that were no messages of the session protocol.", |wcs| wcs.malformed),
    ("pages_refused", "Sessions refused because of the web page that asked.", |wcs| wcs.foreign),
    ("events_dropped", "Events that a viewer was too slow to be told.", |wcs| wcs.events_dropped),
];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_of_streams_are_not_shown_whatever_they_are_called() {
        let said = json!({ "viewerKey": "spring-7f3a", "token": "t", "room": "blue" });
        assert_eq!(without_secrets(said.clone(), "viewerKey"), json!({ "room": "blue" }));
        assert_eq!(without_secrets(said, "aclAuth"), json!({ "viewerKey": "spring-7f3a", "room": "blue" }));
    }
}
