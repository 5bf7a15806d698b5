//! Messages as pages send them, as hostile clients do, and as the server writes them.

use headwater_media::limits;
use serde_json::{Value, json};

use super::{bounds::Malformed, reply::*, request::*};
use crate::layer::Layer;

fn read(message: &str, data: Value) -> Request {
    Request::read(&json!({ "message": message, "data": [data] }).to_string()).unwrap()
}

#[test]
fn a_connection_tells_who_it_is() {
    let data = json!({
        "appKey": "shop", "mediaProviders": ["WebRTC", "MSE"], "keepAlive": true, "authToken": "t", "clientVersion": "2.0",
        "clientOSVersion": "x", "clientBrowserVersion": "y", "msePacketizationVersion": 2, "custom": { "user": 7 }, "something": ["new"],
    });
    let expected = Connection {
        app_key: "shop".into(),
        auth_token: Some("t".into()),
        media_providers: vec!["WebRTC".into(), "MSE".into()],
        keep_alive: true,
        client_version: Some("2.0".into()),
        os_version: Some("x".into()),
        browser_version: Some("y".into()),
        custom: Some(json!({ "user": 7 })),
        wants_registration: false,
    };
    assert_eq!(read("connection", data), Request::Connection(Box::new(expected)));
    let Request::Connection(bare) = read("connection", json!({})) else { panic!() };
    assert_eq!((&*bare.app_key, bare.auth_token), ("defaultApp", None));
    let Request::Connection(phone) = read("connection", json!({ "sipLogin": "100" })) else { panic!() };
    assert!(phone.wants_registration);
}

#[test]
fn a_stream_is_asked_for_with_numbers_as_pages_write_them() {
    let data = json!({
        "mediaSessionId": "a-1", "name": "camera", "published": true, "hasVideo": true, "hasAudio": false,
        "status": "PENDING", "record": true, "mediaProvider": "WebRTC", "sdp": "v=0", "custom": null,
        "bitrate": 0, "minBitrate": "500", "maxBitrate": 1500.0, "width": "640", "height": null, "quality": -3,
        "constraints": { "video": { "type": "screen" } }, "transport": "TCP", "cvoExtension": true, "rtmpUrl": "rtmp://x/y",
        "rendition": "h",
    });
    let expected = StreamRequest {
        media_session_id: Some("a-1".into()),
        name: "camera".into(),
        has_video: true,
        record: true,
        media_provider: "WebRTC".into(),
        sdp: "v=0".into(),
        min_bitrate: 500,
        max_bitrate: 1_500,
        width: 640,
        transport: Transport::Tcp,
        cvo_extension: true,
        rtmp_url: Some("rtmp://x/y".into()),
        rendition: Some("h".into()),
        ..StreamRequest::default()
    };
    assert_eq!(read("publishStream", data.clone()), Request::Publish(Box::new(expected.clone())));
    assert_eq!(read("playStream", data), Request::Play(Box::new(expected)));
}

#[test]
fn every_other_message_is_known_too() {
    let stream = json!({ "mediaSessionId": "a", "name": "n", "published": false });
    let reference = |published| Reference { media_session_id: Some("a".into()), name: "n".into(), published };
    let renditions = |chosen: Option<&str>| {
        Request::Renditions(Renditions { media_session_id: Some("a".into()), chosen: chosen.map(str::to_owned) })
    };
    let call = |method: &str| Request::Call { method: method.into(), call: "c".into() };
    let cases = [
        ("unPublishStream", stream.clone(), Request::Stop(reference(true))),
        ("stopStream", stream.clone(), Request::Stop(reference(false))),
        ("snapshot", stream.clone(), Request::Snapshot(reference(false))),
        ("availableStream", stream.clone(), Request::Available(reference(false))),
        ("getRenditions", stream.clone(), renditions(None)),
        ("setRendition", json!({ "mediaSessionId": "a", "rendition": "h" }), renditions(Some("h"))),
        ("setRendition", stream, renditions(Some(""))),
        (
            "sendStreamEvent",
            json!({ "mediaSessionId": "a", "type": "data", "payload": { "x": 1 } }),
            Request::Tell(Tell {
                media_session_id: Some("a".into()),
                kind: "data".into(),
                payload: Some(json!({ "x": 1 })),
            }),
        ),
        (
            "sendData",
            json!({ "operationId": "o", "payload": [1] }),
            Request::Data(Data { operation_id: "o".into(), payload: Some(json!([1])) }),
        ),
        ("call", json!({ "callId": "c" }), call("call")),
        ("hangup", json!({ "callId": "c" }), call("hangup")),
        ("ping", Value::Null, Request::Alive),
        ("pong", Value::Null, Request::Alive),
        ("pushLogs", json!({ "logs": "…" }), Request::Log),
        ("sessionDebug", json!({ "command": "start" }), Request::Unknown("sessionDebug".into())),
        ("", Value::Null, Request::Unknown(String::new())),
    ];
    for (message, data, expected) in cases {
        assert_eq!(read(message, data), expected, "{message}");
    }
    assert_eq!(Request::read(r#"{"message":"pong"}"#), Ok(Request::Alive));
    assert_eq!(Request::read(r#"{"message":"pong","data":{}}"#), Ok(Request::Alive));
}

#[test]
fn what_is_no_message_is_refused_in_words() {
    let deep = format!("{}{}", "[".repeat(17), "]".repeat(17));
    let wide = format!("[{}0]", "0,".repeat(3_000));
    let quoted = format!(r#"{{"message":"ping","data":["{}"]}}"#, r#"[{,:\""#.repeat(2_000));
    let cases = [
        (deep.as_str(), Malformed::TooDeep(16)),
        (wide.as_str(), Malformed::TooMany(1_024)),
        ("{}", Malformed::NoName),
        ("[]", Malformed::NoName),
        ("1", Malformed::NoName),
    ];
    for (text, expected) in cases {
        assert_eq!(Request::read(text), Err(expected), "{text}");
    }
    assert_eq!(Request::read(&quoted), Ok(Request::Alive), "what stands in quotes does not count");
    for text in ["", "{", "\u{0}", "{\"message\":\"a\"", "nul"] {
        assert!(matches!(Request::read(text), Err(Malformed::NotJson(_))), "{text}");
    }
    let custom = json!({ "x": "y".repeat(limits::WCS_CUSTOM_BYTES.get_usize()) });
    let message = json!({ "message": "connection", "data": [{ "custom": custom }] }).to_string();
    assert!(matches!(Request::read(&message), Err(Malformed::CustomTooLarge(_))));
}

#[test]
fn a_message_cut_anywhere_does_no_harm() {
    let whole =
        json!({ "message": "playStream", "data": [{ "name": "a\"\\é", "sdp": "v=0\r\n", "custom": { "a": [1] } }] });
    let whole = whole.to_string();
    for end in (0..whole.len()).filter(|end| whole.is_char_boundary(*end)) {
        assert!(Request::read(&whole[..end]).is_err());
    }
    assert!(Request::read(&whole).is_ok());
}

fn written(reply: &Reply) -> Value {
    serde_json::from_str(&reply.write()).unwrap()
}

#[test]
fn replies_are_written_as_the_web_sdk_reads_them() {
    let connection =
        Connection { app_key: "defaultApp".into(), custom: Some(json!({ "a": 1 })), ..Connection::default() };
    let user = Reply::UserData { connection: Box::new(connection), auth_token: "t".into(), session: "s".into() };
    let user = written(&user);
    assert_eq!(user["message"], "getUserData");
    assert_eq!((&user["data"][0]["authToken"], &user["data"][0]["custom"]["a"]), (&json!("t"), &json!(1)));

    let cases = [
        (
            Reply::Answer { media_session_id: "a".into(), sdp: "v=0".into() },
            json!({ "message": "setRemoteSDP", "data": ["a", "v=0"] }),
        ),
        (
            Reply::Event { media_session_id: "a".into(), event: Event { kind: "audioMuted".into(), payload: None } },
            json!({ "message": "notifyStreamEvent", "data": [{ "mediaSessionId": "a", "type": "audioMuted", "payload": null }] }),
        ),
        (
            Reply::VideoFormat { media_session_id: "a".into(), width: 640, height: 360 },
            json!({ "message": "notifyVideoFormat", "data": [{ "mediaSessionId": "a", "status": "RESIZE", "streamerVideoWidth": 640, "streamerVideoHeight": 360 }] }),
        ),
        (
            Reply::Available { media_session_id: "a".into(), problem: None },
            json!({ "message": "availableStream", "data": [{ "id": "a", "status": "true", "info": null }] }),
        ),
        (
            Reply::Available { media_session_id: "a".into(), problem: Some("no") },
            json!({ "message": "availableStream", "data": [{ "id": "a", "status": "false", "info": "no" }] }),
        ),
        (
            Reply::Renditions {
                media_session_id: "a".into(),
                renditions: vec![Layer { encoding_id: "h".into(), width: Some(640), height: None }],
                problem: Some("no".into()),
            },
            json!({ "message": "renditions", "data": [{
                "mediaSessionId": "a", "renditions": [{ "label": "h", "width": 640, "height": null }], "info": "no",
            }] }),
        ),
        (
            Reply::DataStatus { operation_id: "o".into(), problem: None },
            json!({ "message": "DataStatusEvent", "data": [{ "operationId": "o", "status": "ACCEPTED", "info": null }] }),
        ),
        (
            Reply::Fail { method: "m".into(), sentence: "no".into() },
            json!({ "message": "fail", "data": [{ "apiMethod": "m", "info": "no" }] }),
        ),
        (
            Reply::CallOver { call: "c".into(), sentence: "no" },
            json!({ "message": "finish", "data": [{ "callId": "c", "status": "FAILED", "info": "no" }] }),
        ),
        (Reply::Ping, json!({ "message": "ping", "data": [null] })),
    ];
    for (reply, expected) in cases {
        assert_eq!(written(&reply), expected);
    }
}

#[test]
fn a_status_repeats_what_was_asked_for_and_leaves_out_what_is_not_known() {
    let request = StreamRequest { media_session_id: Some("a".into()), name: "n".into(), ..StreamRequest::default() };
    let mut status = StreamStatus::of(&request, true, Status::Failed);
    status.info = Some(Info::NameInUse);
    let written = written(&Reply::Status(Box::new(status)));
    assert_eq!(written["message"], "notifyStreamStatusEvent");
    let object = &written["data"][0];
    assert_eq!(object["mediaSessionId"], "a");
    assert_eq!((&object["status"], &object["info"]), (&json!("FAILED"), &json!("Stream name is already in use")));
    assert_eq!((&object["mediaType"], &object["published"]), (&json!("publish"), &json!(true)));
    assert!(object.get("audioState").is_none() && object.get("custom").is_none() && object.get("available").is_none());
}
