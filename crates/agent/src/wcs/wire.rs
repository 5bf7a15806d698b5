//! What the other server says, as far as it matters here.

use serde_json::Value;

use crate::Renditions;

/// A message of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// Are you there?
    Ping,
    /// The connection is taken; what the server understands of several renditions at once.
    UserData { renditions: Renditions },
    /// The answer to the offer of a stream.
    Answer { id: String, sdp: String },
    /// A stream has failed or was stopped, and why.
    Over { id: String, info: String },
    /// Something could not be done.
    Fail { info: String },
    /// Anything else.
    Other,
}

impl Said {
    /// Reads a message `{"message": NAME, "data": [VALUE, …]}`. What is no such message is [`Said::Other`], as the
    /// Web SDK passes over what it does not know.
    pub(super) fn read(text: &str) -> Said {
        let Ok(message) = serde_json::from_str::<Value>(text) else { return Said::Other };
        let (first, second) = (&message["data"][0], &message["data"][1]);
        let field = |name: &str| first[name].as_str().unwrap_or_default().to_owned();
        match message["message"].as_str() {
            Some("ping") => Said::Ping,
            Some("getUserData") => {
                let says = |name: &str| first[name].as_bool().unwrap_or_default();
                let renditions = Renditions { sends: says("sendsRenditions"), takes: says("takesRenditions") };
                Said::UserData { renditions }
            }
            Some("setRemoteSDP") => match (first.as_str(), second.as_str()) {
                (Some(id), Some(sdp)) => Said::Answer { id: id.to_owned(), sdp: sdp.to_owned() },
                _ => Said::Other,
            },
            Some("notifyStreamStatusEvent") if is_over(&field("status")) => {
                // Headwater says in a sentence what the word of the protocol leaves open.
                let words = [field("info"), field("reason")].into_iter().filter(|words| !words.is_empty());
                let info = words.collect::<Vec<_>>().join(": ");
                Said::Over { id: field("mediaSessionId"), info }
            }
            Some("fail") => Said::Fail { info: field("info") },
            _ => Said::Other,
        }
    }
}

fn is_over(status: &str) -> bool {
    matches!(status, "FAILED" | "STOPPED" | "UNPUBLISHED")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_as_the_sdk_reads_them() {
        let over = |info: &str| Said::Over { id: "1".into(), info: info.into() };
        let user_data = |sends, takes| Said::UserData { renditions: Renditions { sends, takes } };
        let cases = [
            (r#"{"message":"ping","data":[null]}"#, Said::Ping),
            (r#"{"message":"getUserData","data":[{"authToken":"t"}]}"#, user_data(false, false)),
            (r#"{"message":"getUserData","data":[{"authToken":"t","sendsRenditions":true}]}"#, user_data(true, false)),
            (
                r#"{"message":"getUserData","data":[{"takesRenditions":true,"sendsRenditions":1}]}"#,
                user_data(false, true),
            ),
            (
                r#"{"message":"setRemoteSDP","data":["1","v=0",true]}"#,
                Said::Answer { id: "1".into(), sdp: "v=0".into() },
            ),
            (
                r#"{"message":"notifyStreamStatusEvent","data":[{"mediaSessionId":"1","status":"FAILED","info":"Stream not found","reason":"nobody sends cam"}]}"#,
                over("Stream not found: nobody sends cam"),
            ),
            (
                r#"{"message":"notifyStreamStatusEvent","data":[{"mediaSessionId":"1","status":"STOPPED","info":"Stopped by publisher stop"}]}"#,
                over("Stopped by publisher stop"),
            ),
            (
                r#"{"message":"notifyStreamStatusEvent","data":[{"mediaSessionId":"1","status":"PLAYING"}]}"#,
                Said::Other,
            ),
            (r#"{"message":"fail","data":[{"info":"no"}]}"#, Said::Fail { info: "no".into() }),
            (r#"{"message":"setRemoteSDP","data":[1,2]}"#, Said::Other),
            (r#"{"message":"ping""#, Said::Other),
            ("[]", Said::Other),
        ];
        for (text, expected) in cases {
            assert_eq!(Said::read(text), expected, "{text}");
        }
    }
}
