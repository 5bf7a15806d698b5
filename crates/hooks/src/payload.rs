//! What hooks say: objects with the field names of WCS.

use std::time::SystemTime;

use headwater_access::{Action, Asking, Change, Client, Credentials, Facts};
use serde_json::{Value, json};

/// Fields that say whom and what a hook is about; no answer changes them.
const FIXED: [&str; 8] =
    ["nodeId", "appKey", "sessionId", "mediaSessionId", "published", "mediaType", "mediaProvider", "createDate"];

/// Fields that are too large to say again with each event.
const ONCE: [&str; 1] = ["sdp"];

/// Whose hooks these are: the fields that each has.
pub(crate) fn identity(node: &str, application: &str, client: &Client) -> Facts {
    let mut facts = Facts::new();
    facts.insert("nodeId".into(), node.into());
    facts.insert("appKey".into(), application.into());
    facts.insert("sessionId".into(), client.peer.session.as_str().into());
    facts
}

/// A client that has come: what its protocol knows of it.
pub(crate) fn connection(identity: &Facts, client: &Client) -> Facts {
    let mut facts = client.facts.clone();
    add_peer(&mut facts, client);
    merge_custom(&mut facts, &client.credentials);
    facts.extend(identity.clone());
    facts
}

/// One use of a stream, as in WCS's stream objects, without credentials.
pub(crate) fn stream(identity: &Facts, client: &Client, asking: &Asking, now: SystemTime) -> Facts {
    let is_published = asking.action == Action::Publish;
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let mut facts = Facts::new();
    facts.insert("status".into(), "PENDING".into());
    facts.insert("record".into(), false.into());
    add_peer(&mut facts, client);
    if let Some(custom) = client.facts.get("custom") {
        facts.insert("custom".into(), custom.clone());
    }
    facts.extend(asking.facts.clone());
    merge_custom(&mut facts, &client.credentials);
    merge_custom(&mut facts, &asking.credentials);
    facts.extend(identity.clone());
    facts.insert("mediaSessionId".into(), asking.media_session.as_str().into());
    facts.insert("name".into(), asking.stream.as_str().into());
    facts.insert("published".into(), is_published.into());
    facts.insert("mediaType".into(), if is_published { "publish" } else { "play" }.into());
    facts.insert("mediaProvider".into(), client.peer.protocol.into());
    facts.insert("createDate".into(), u64::try_from(since.as_millis()).unwrap_or(u64::MAX).into());
    facts
}

/// Adds what somebody brought to show who they are; for hooks that decide.
pub(crate) fn add_credentials(facts: &mut Facts, first: &Credentials, then: &Credentials) {
    if let Some(token) = first.token.as_ref().or(then.token.as_ref()) {
        facts.insert("token".into(), token.reveal().into());
    }
    if let Some((user, password)) = first.user.as_ref().or(then.user.as_ref()) {
        facts.insert("user".into(), user.as_str().into());
        facts.insert("password".into(), password.reveal().into());
    }
}

/// What a use of a stream has come to.
pub(crate) fn status(stream: &Facts, change: &Change) -> Facts {
    let mut facts = stream.clone();
    let free = change.facts.iter().filter(|(key, _)| !FIXED.contains(&key.as_str()));
    facts.extend(free.map(|(key, value)| (key.clone(), value.clone())));
    facts.insert("status".into(), change.status.as_str().into());
    if let Some(info) = &change.info {
        facts.insert("info".into(), info.as_str().into());
    }
    facts
}

/// The same without what is too large to say again.
pub(crate) fn without_large(mut facts: Facts) -> Facts {
    facts.retain(|key, _| !ONCE.contains(&key.as_str()));
    facts
}

/// The bytes to send, without the fields that the application does not want.
pub(crate) fn body(facts: &Facts, excluded: &[String]) -> Vec<u8> {
    let kept = facts.iter().filter(|(key, _)| !excluded.contains(key));
    let kept: Facts = kept.map(|(key, value)| (key.clone(), value.clone())).collect();
    serde_json::to_vec(&kept).unwrap_or_default()
}

/// What an answer puts in the place of what was sent, of the fields that it may change.
pub(crate) fn overwritten(sent: &Facts, answer: Facts, fields: &[String]) -> Facts {
    let may = |key: &String| fields.contains(key) && !FIXED.contains(&key.as_str());
    answer.into_iter().filter(|(key, value)| may(key) && sent.get(key) != Some(value)).collect()
}

fn add_peer(facts: &mut Facts, client: &Client) {
    if let Some(remote) = client.peer.remote {
        facts.insert("remoteAddress".into(), remote.to_string().into());
    }
    if let Some(agent) = &client.peer.user_agent {
        facts.insert("userAgent".into(), agent.as_str().into());
    }
}

/// Parameters of an address are custom fields, as WCS has it; what the protocol put there stays.
fn merge_custom(facts: &mut Facts, credentials: &Credentials) {
    if credentials.parameters.is_empty() {
        return;
    }
    let custom = facts.entry("custom").or_insert_with(|| json!({}));
    if let Value::Object(custom) = custom {
        for (key, value) in &credentials.parameters {
            custom.entry(key.as_str()).or_insert_with(|| value.reveal().into());
        }
    }
}

#[cfg(test)]
mod tests;
