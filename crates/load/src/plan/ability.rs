//! What agents can do, told by the same check that plans go through.

use serde_json::json;

use super::{Protocol, Target, TaskPlan, What};

/// One thing that agents can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ability {
    /// What they do.
    pub what: What,
    /// What they speak, for people.
    pub protocol: &'static str,
    /// What a target looks like: `{http}` is the address of a web server, `{ws}` the same for WebSockets, `{rtmp}` of
    /// RTMP, `{name}` the name of the stream.
    pub target: &'static str,
    /// Whether the name of the stream goes into `stream`, as the target does not say it.
    pub takes_stream: bool,
    /// What `hls.low_latency` has to be, of those who play by HLS.
    pub low_latency: Option<bool>,
}

/// A way to speak to a server: what people call it, its target, whether that leaves the name out, and parts of HLS.
type Way = (Protocol, &'static str, &'static str, bool, Option<bool>);

const WAYS: [Way; 9] = [
    (Protocol::Whep, "WHEP", "{http}/{name}/whep", false, None),
    (Protocol::Whip, "WHIP", "{http}/{name}/whip", false, None),
    (Protocol::Session, "session protocol", "{ws}", true, None),
    (Protocol::Rtmp, "RTMP", "{rtmp}/live/{name}", false, None),
    (Protocol::Hls, "HLS", "{http}/{name}/index.m3u8", false, Some(false)),
    (Protocol::Hls, "Low-Latency HLS", "{http}/{name}/index.m3u8", false, Some(true)),
    (Protocol::Hls, "HLS, MPEG-TS", "{http}/{name}/index.m3u8?container=ts", false, Some(false)),
    (Protocol::Mse, "MSE", "{ws}/mse/{name}", false, None),
    (Protocol::WsPlayer, "WSPlayer", "{ws}/ws/{name}", false, None),
];

/// All that agents can do.
pub fn abilities() -> Vec<Ability> {
    let kinds = [What::Play, What::Publish, What::Pairs, What::Websocket];
    let all = kinds.into_iter().flat_map(|what| WAYS.map(|way| (what, way)));
    all.filter(|(what, way)| is_there(*what, way)).map(|(what, way)| named(what, way)).collect()
}

/// Whether a plan with such a task is taken, and agents would then speak this.
fn is_there(what: What, way: &Way) -> bool {
    let holes = [("{http}", "http://host"), ("{ws}", "ws://host"), ("{rtmp}", "rtmp://host"), ("{name}", "name")];
    let target = holes.iter().fold(way.2.to_owned(), |url, (hole, with)| url.replace(hole, with));
    let task = json!({ "what": what, "target": target, "stream": "name", "count": 1 });
    let Ok(task) = serde_json::from_value::<TaskPlan>(task) else { return false };
    let plays_back = || what != What::Pairs || Target::of_playback(&task, 0).is_ok();
    Target::of(&task, 0).is_ok_and(|target| target.protocol == way.0) && plays_back()
}

/// Bare sessions ask for no stream, and pairs do both.
fn named(what: What, (_, protocol, target, takes_stream, low_latency): Way) -> Ability {
    let protocol = if what == What::Pairs && protocol == "WHIP" { "WHIP and WHEP" } else { protocol };
    let takes_stream = takes_stream && what != What::Websocket;
    Ability { what, protocol, target, takes_stream, low_latency }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_is_there_for_what_it_is_made_for_and_for_nothing_else() {
        let of = |what: What| -> Vec<_> {
            abilities().iter().filter(|ability| ability.what == what).map(|ability| ability.protocol).collect()
        };
        assert_eq!(of(What::Publish), ["WHIP", "session protocol", "RTMP"]);
        assert_eq!(of(What::Pairs), ["WHIP and WHEP", "session protocol", "RTMP"]);
        assert_eq!(of(What::Websocket), ["session protocol"]);
        let played = of(What::Play);
        assert!(!played.contains(&"WHIP") && played.len() == WAYS.len() - 1, "{played:?}");
        assert!(
            abilities()
                .iter()
                .all(|ability| ability.takes_stream == (ability.target == "{ws}" && ability.what != What::Websocket))
        );
    }
}
