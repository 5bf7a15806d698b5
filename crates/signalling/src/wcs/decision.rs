//! What is told of clients and their wishes to those who decide about them.

use headwater_access::{self as access, Credentials, Facts, Secret};
use serde_json::Value;

use super::{
    session::Client,
    wire::{Connection, StreamRequest, Transport},
};
use crate::entrance::offer_facts;

/// Custom fields that are kept as parameters.
const PARAMETERS_MAX: usize = 64;

/// Who connects.
pub(super) fn client(client: &Client, connection: &Connection) -> access::Client {
    access::Client {
        app_key: Some(connection.app_key.clone()),
        credentials: credentials(connection.custom.as_ref(), connection.auth_token.as_deref()),
        is_connection: true,
        facts: connection_facts(client, connection),
        ..access::Client::new(client.peer("WebRTC", &client.id))
    }
}

fn connection_facts(client: &Client, connection: &Connection) -> Facts {
    let text = |text: &Option<String>| text.clone().map(Value::from);
    let facts = [
        ("mediaProviders", Some(connection.media_providers.clone().into())),
        ("keepAlive", Some(connection.keep_alive.into())),
        ("clientVersion", text(&connection.client_version)),
        ("clientOSVersion", text(&connection.os_version)),
        ("clientBrowserVersion", text(&connection.browser_version)),
        ("origin", text(&client.origin)),
        ("custom", connection.custom.clone()),
    ];
    known(facts)
}

/// What a client says of the stream that it wants.
pub(super) fn stream_facts(request: &StreamRequest) -> Facts {
    let number = |number: u64| (number > 0).then(|| number.into());
    let transport = match request.transport {
        Transport::Any => None,
        Transport::Udp => Some("UDP".into()),
        Transport::Tcp => Some("TCP".into()),
    };
    let mut facts = offer_facts(&request.sdp);
    facts.extend(known([
        ("hasVideo", Some(request.has_video.into())),
        ("hasAudio", Some(request.has_audio.into())),
        ("record", Some(request.record.into())),
        ("width", number(request.width)),
        ("height", number(request.height)),
        ("bitrate", number(request.bitrate)),
        ("quality", number(request.quality)),
        ("minBitrate", number(request.min_bitrate)),
        ("maxBitrate", number(request.max_bitrate)),
        ("transport", transport),
        ("cvoExtension", Some(request.cvo_extension.into())),
        // The name is one of this server's then, and does not tell it.
        ("uri", request.name.contains("://").then(|| request.name.as_str().into())),
        ("rtmpUrl", request.rtmp_url.clone().map(Value::from)),
        ("custom", request.custom.clone()),
    ]));
    facts
}

fn known<const N: usize>(facts: [(&str, Option<Value>); N]) -> Facts {
    facts.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

/// What a page brings: its token, and the texts and numbers of its custom fields, which are to it what the parameters
/// of an address are to others.
pub(super) fn credentials(custom: Option<&Value>, token: Option<&str>) -> Credentials {
    let members = custom.and_then(Value::as_object).into_iter().flatten();
    let texts = members.filter_map(|(name, value)| match value {
        Value::String(text) => Some((name.clone(), Secret::new(text))),
        Value::Number(number) => Some((name.clone(), Secret::new(number.to_string()))),
        _ => None,
    });
    let mut credentials = Credentials::of_parameters(texts.take(PARAMETERS_MAX).collect());
    credentials.token = token.map(Secret::new).or(credentials.token);
    credentials
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_stream_of_another_server_is_told_by_its_address() {
        let asked = |name: &str| stream_facts(&StreamRequest { name: name.to_owned(), ..StreamRequest::default() });
        assert_eq!(asked("rtmp://h/live/a").get("uri"), Some(&json!("rtmp://h/live/a")));
        assert_eq!(asked("a").get("uri"), None);
    }

    #[test]
    fn custom_fields_are_parameters_and_the_token_of_the_session_counts_before_them() {
        let custom = json!({ "token": "a", "user": "ann", "pass": "x", "room": 7, "nested": { "token": "b" } });
        let found = credentials(Some(&custom), None);
        assert_eq!(found.token, Some(Secret::new("a")));
        assert_eq!(found.user, Some(("ann".to_owned(), Secret::new("x"))));
        assert_eq!((found.parameters.len(), found.parameter("room")), (4, Some(&Secret::new("7"))));
        assert_eq!(credentials(Some(&custom), Some("c")).token, Some(Secret::new("c")));
        assert_eq!(credentials(Some(&json!("text")), None), Credentials::default());
        let many: serde_json::Map<_, _> = (0..1_000).map(|at| (at.to_string(), json!(at))).collect();
        assert_eq!(credentials(Some(&many.into()), None).parameters.len(), PARAMETERS_MAX);
    }
}
