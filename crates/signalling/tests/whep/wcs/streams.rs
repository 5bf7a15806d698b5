//! Streams that are published and played, and why not.

use headwater_media::limits;
use headwater_signalling::Wanted;
use headwater_webrtc::PublishOptions;
use serde_json::{Value, json};

use super::client::{Server, stream};

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_answered_and_stopped_and_operators_find_it_by_its_id() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    client.begin("playStream", "play-1", "live/cam.1").await;
    let viewers = server.scene.publication.stream().viewers();
    assert_eq!((viewers.len(), &*viewers[0].peer().session), (1, "play-1"));
    client.say("stopStream", json!({ "mediaSessionId": "play-1", "name": "live/cam.1" })).await;
    let told = client.hear_status("STOPPED").await;
    assert_eq!((&told["mediaSessionId"], &told["info"]), (&json!("play-1"), &json!("Stopped by user")));
    assert_eq!(server.scene.publication.stream().viewer_count(), 0);

    // Its page may say it once more, and hears the word that it waits for.
    client.say("stopStream", json!({ "mediaSessionId": "play-1", "name": "live/cam.1" })).await;
    client.hear_status("STOPPED").await;
    client.say("unPublishStream", json!({ "mediaSessionId": "never", "name": "x" })).await;
    client.hear_status("UNPUBLISHED").await;
    client.begin("playStream", "play-1", "live/cam.1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_has_the_transport_asked_for() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    for (transport, udp, tcp) in [("TCP", false, true), ("UDP", true, false), ("", true, true)] {
        let mut request = stream(&format!("by{transport}"), "live/cam.1", false);
        request["transport"] = json!(transport);
        client.say("playStream", request).await;
        client.hear_status("PENDING").await;
        let (_, data) = client.hear().await;
        let sdp = data[1].as_str().unwrap();
        let has = |word: &str| sdp.lines().any(|line| line.starts_with("a=candidate") && line.contains(word));
        assert_eq!((has(" udp "), has(" tcp ")), (udp, tcp), "{transport}: {sdp}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_played_or_published_fails_with_the_text_that_pages_compare() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    let with = |published: bool, key: &str, value: Value| {
        let mut request = stream("a", "live/cam.1", published);
        request[key] = value;
        request
    };
    let vp9_only = stream("a", "x", false)["sdp"].as_str().unwrap().replace("H264", "XYZ1").replace("VP8", "XYZ2");
    let cases = [
        (with(false, "mediaSessionId", Value::Null), "MediaSessionId is null"),
        (with(true, "mediaSessionId", json!("")), "MediaSessionId is null"),
        (with(false, "mediaSessionId", json!("a\nb")), "Failed to add stream to proxy"),
        (with(false, "mediaSessionId", json!("a".repeat(65))), "Failed to add stream to proxy"),
        (with(false, "name", json!("nobody")), "Stream not found"),
        (with(false, "name", Value::Null), "Stream not found"),
        (with(false, "name", json!("../a")), "Stream not found"),
        (with(false, "name", json!("rtsp://camera/1")), "Failed to get agent storage"),
        (with(false, "mediaProvider", json!("WSPlayer")), "Failed to add stream to proxy"),
        (with(false, "mediaProvider", json!("MSE")), "No common codecs"),
        (with(true, "mediaProvider", json!("MSE")), "Failed to add stream to proxy"),
        (with(false, "sdp", json!("")), "Failed to add stream to proxy"),
        (with(false, "sdp", json!("v=0\r\n")), "Failed to add stream to proxy"),
        (with(false, "sdp", json!(vp9_only)), "No common codecs"),
        (with(true, "name", json!("a/../b")), "Failed to add stream to proxy"),
        (with(true, "sdp", json!("nonsense")), "Failed to add stream to proxy"),
        (with(true, "name", json!("live/cam.1")), "Stream name is already in use"),
    ];
    for (request, info) in cases {
        let message = if request["published"] == true { "publishStream" } else { "playStream" };
        client.say(message, request.clone()).await;
        let mut told = client.hear_of("notifyStreamStatusEvent").await;
        if told["status"] == "PENDING" {
            told = client.hear_of("notifyStreamStatusEvent").await;
        }
        assert_eq!((&told["status"], &told["info"]), (&json!("FAILED"), &json!(info)), "{request}\n{told}");
        assert!(!told["reason"].as_str().unwrap().is_empty(), "{told}");
    }
    drop(client);
    server.wait_empty().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_and_a_published_name_belong_to_one_client() {
    let server = Server::start().await;
    let (mut one, mut other) = (server.connect().await, server.connect().await);
    one.begin("publishStream", "one", "mine").await;
    other.say("playStream", stream("one", "live/cam.1", false)).await;
    assert_eq!(other.hear_status("FAILED").await["info"], "MediaSessionId is already in use");
    // Its publisher is there; one of whom nothing is heard would make way.
    other.say("publishStream", stream("other", "live/cam.1", true)).await;
    assert_eq!(other.hear_status("FAILED").await["info"], "Stream name is already in use");
    // Another's stream cannot be stopped.
    other.say("unPublishStream", json!({ "mediaSessionId": "one", "name": "mine" })).await;
    other.hear_status("UNPUBLISHED").await;
    other.say("publishStream", stream("other", "live/cam.1", true)).await;
    assert_eq!(other.hear_status("FAILED").await["info"], "Stream name is already in use");

    one.say("unPublishStream", json!({ "mediaSessionId": "one", "name": "mine" })).await;
    assert_eq!(one.hear_status("UNPUBLISHED").await["info"], "Stopped by user");
    other.begin("publishStream", "other", "mine").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_publisher_speaks_to_viewers() {
    let server = Server::start().await;
    let (mut publisher, mut viewer) = (server.connect().await, server.connect().await);
    publisher.begin("publishStream", "p", "camera").await;
    viewer.say("playStream", stream("v", "camera", false)).await;
    viewer.hear_status("PENDING").await;
    publisher.say("unPublishStream", json!({ "mediaSessionId": "p", "name": "camera" })).await;
    publisher.hear_status("UNPUBLISHED").await;
    assert_eq!(viewer.hear_status("FAILED").await["info"], "Stream not found");

    viewer.begin("playStream", "v", "live/cam.1").await;
    let mut impostor = server.connect().await;
    impostor.begin("playStream", "i", "live/cam.1").await;
    for id in ["i", "v", "nobody"] {
        impostor.say("sendStreamEvent", json!({ "mediaSessionId": id, "type": "data", "payload": "forged" })).await;
    }
    impostor.say("sendData", json!({ "operationId": "1" })).await;
    impostor.hear_of("DataStatusEvent").await;
    viewer.say("sendData", json!({ "operationId": "2" })).await;
    assert_eq!(viewer.hear_of("DataStatusEvent").await["operationId"], "2", "the viewer was told something before");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_has_as_many_streams_as_it_may() {
    let server = Server::start().await;
    limits::WCS_STREAMS.set(2);
    let mut client = server.connect().await;
    client.begin("playStream", "1", "live/cam.1").await;
    client.begin("playStream", "2", "live/cam.1").await;
    client.say("playStream", stream("3", "live/cam.1", false)).await;
    assert_eq!(client.hear_status("FAILED").await["info"], "Failed to add stream to proxy");
    client.say("stopStream", json!({ "mediaSessionId": "1" })).await;
    client.hear_status("STOPPED").await;
    let is_free = async {
        while server.wcs.statistics().streams > 1 {
            tokio::task::yield_now().await;
        }
    };
    is_free.await;
    limits::WCS_STREAMS.set(limits::WCS_STREAMS.default);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_whose_media_never_connects_is_told_and_nothing_stays() {
    let server = Server::start().await;
    limits::WEBRTC_FIRST_CHECK_MS.set(1_000);
    let mut client = server.connect().await;
    client.begin("playStream", "v", "live/cam.1").await;
    assert_eq!(client.hear_status("FAILED").await["info"], "Failed by ICE timeout");
    client.begin("publishStream", "p", "camera").await;
    assert_eq!(client.hear_status("FAILED").await["info"], "Failed by ICE timeout");
    limits::WEBRTC_FIRST_CHECK_MS.set(limits::WEBRTC_FIRST_CHECK_MS.default);
    assert_eq!(server.scene.hub.streams().len(), 1);
    drop(client);
    server.wait_empty().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_player_is_told_in_words_that_there_is_nothing_to_choose_from() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    client.begin("playStream", "play-1", "live/cam.1").await;
    let cases = [
        ("getRenditions", json!({ "mediaSessionId": "play-1" }), None),
        ("setRendition", json!({ "mediaSessionId": "play-1", "rendition": "auto" }), None),
        ("setRendition", json!({ "mediaSessionId": "play-1", "rendition": "h" }), Some("one size only")),
        ("getRenditions", json!({ "mediaSessionId": "other" }), Some("plays no stream")),
        ("setRendition", json!({ "rendition": "h" }), Some("plays no stream")),
    ];
    for (message, data, problem) in cases {
        client.say(message, data.clone()).await;
        let told = client.hear_of("renditions").await;
        assert_eq!(told["renditions"], json!([]), "{message} {data}");
        match problem {
            Some(words) => assert!(told["info"].as_str().unwrap().contains(words), "{message} {data}: {told}"),
            None => assert_eq!(told["info"], Value::Null, "{message} {data}"),
        }
    }
    let mut request = stream("play-2", "live/cam.1", false);
    request["rendition"] = json!("h");
    client.say("playStream", request).await;
    client.hear_status("PENDING").await;
    let told = client.hear_status("FAILED").await;
    assert_eq!(told["info"], "Stream not found");
    assert!(told["reason"].as_str().unwrap().contains("one size only"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publisher_may_say_how_its_pictures_are_to_be_turned_where_it_asks_to() {
    for strip_orientation in [false, true] {
        // What the server wants of WHIP is another matter.
        let wanted = Wanted::new(PublishOptions { strip_orientation, ..Default::default() });
        let server = Server::asking(wanted).await;
        let mut client = server.connect().await;
        for (index, (asks, is_taken)) in
            [(None, false), (Some(false), false), (Some(true), true)].into_iter().enumerate()
        {
            let mut stream = stream(&format!("id-{index}"), &format!("turned-{index}"), true);
            if let Some(asks) = asks {
                stream["cvoExtension"] = json!(asks);
            }
            client.say("publishStream", stream).await;
            client.hear_status("PENDING").await;
            let (heard, data) = client.hear().await;
            let taken = data[1].as_str().unwrap().contains("urn:3gpp:video-orientation");
            assert_eq!((heard.as_str(), taken), ("setRemoteSDP", is_taken), "{asks:?}");
        }
        drop(client);
        server.wait_empty().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publisher_is_asked_for_the_bitrates_that_the_server_wants_unless_its_page_says_others() {
    let wanted = PublishOptions { min_bitrate: Some(300_000), max_bitrate: Some(1_500_000), ..Default::default() };
    let wanted = Wanted::new(wanted);
    let server = Server::asking(wanted.clone()).await;
    let mut client = server.connect().await;
    let later = PublishOptions { max_bitrate: Some(900_000), ..Default::default() };
    for (index, (own, expected, replaced)) in [
        (0, "x-google-min-bitrate=300;x-google-max-bitrate=1500\r\n", None),
        (800, "x-google-min-bitrate=300;x-google-max-bitrate=800\r\n", Some(later)),
        (0, "x-google-max-bitrate=900\r\n", None),
    ]
    .into_iter()
    .enumerate()
    {
        let (id, name) = (format!("id-{index}"), format!("bounded-{index}"));
        let mut stream = stream(&id, &name, true);
        stream["maxBitrate"] = json!(own);
        client.say("publishStream", stream).await;
        client.hear_status("PENDING").await;
        let (heard, data) = client.hear().await;
        let sdp = data[1].as_str().unwrap();
        assert!(heard == "setRemoteSDP" && sdp.contains(expected), "no {expected:?} in {sdp}");
        replaced.into_iter().for_each(|options| wanted.replace(options));
    }
    drop(client);
    server.wait_empty().await;
}
