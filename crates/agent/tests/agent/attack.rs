//! What other servers may do to the agent, and that it harms nobody.

use futures_util::{FutureExt, SinkExt};
use headwater_agent::{AgentError, Remote};
use headwater_media::limits;
use headwater_webrtc::CallError;
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    time::Instant,
};
use tokio_tungstenite::tungstenite::Message;
use tokio_util::{either::Either, sync::CancellationToken};

use crate::scene::{Scene, WAYS, answer, greet, http, name, read_request, sdp, server};

/// Says these words by the session protocol, once it is asked for a stream; `ID` stands for the stream's.
async fn say(stream: TcpStream, words: &str) {
    let (mut socket, id) = greet(stream).await;
    let _ = socket.send(Message::text(words.replace("ID", &id))).await;
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn attack_a1_garbage_and_half_answers_are_a_fault_of_the_other_server() {
    let scene = Scene::new();
    let cut = http("201 Created", "", &sdp("127.0.0.1"));
    let answers = [
        Vec::new(),
        b"\0\xff\x16\x03\x01 garbage".repeat(300),
        b"HTTP/1.1 ".to_vec(),
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n".to_vec(),
        b"SSH-2.0-OpenSSH_9.9\r\n".to_vec(),
        cut.as_bytes()[..cut.len() / 2].to_vec(),
        vec![b'a'; 1 << 20],
    ];
    for bytes in answers {
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(40)]).into_owned();
        let address = server(move |stream| {
            let bytes = bytes.clone();
            async move { answer(stream, &bytes).await }
        })
        .await;
        for way in WAYS {
            let error = scene.refused(&format!("{way}://{address}")).await;
            let is_theirs = matches!(error, AgentError::Protocol { .. } | AgentError::Lost(_));
            assert!(is_theirs && error.to_string().len() < 500, "{way} {shown:?}: {error}");
        }
    }
}

#[tokio::test]
async fn attack_a1_words_that_make_no_sense_start_nothing() {
    let scene = Scene::new();
    let cases = [
        (r#"{"message":"setRemoteSDP","data":["ID","v=0"]}"#, "SDP"),
        (r#"{"message":"setRemoteSDP","data":["ID",""]}"#, "SDP"),
        (r#"{"message":"fail","data":[{"info":"no such\nthing"}]}"#, "refuses: no suchthing"),
        (
            r#"{"message":"notifyStreamStatusEvent","data":[{"mediaSessionId":"ID","status":"FAILED","info":"gone"}]}"#,
            "refuses: gone",
        ),
    ];
    for (words, expected) in cases {
        let address = server(move |stream| say(stream, words)).await;
        let error = scene.refused(&format!("ws://{address}")).await;
        assert!(error.to_string().contains(expected), "{words}: {error}");
    }
}

#[tokio::test]
async fn attack_a2_a_server_that_says_nothing_is_waited_for_no_longer_than_the_limit() {
    let limit = limits::AGENT_ANSWER_MS.get_duration();
    for (way, is_greeted) in [("ws", false), ("ws", true), ("http", false)] {
        let scene = Scene::new();
        // From then on only time passes.
        let address = server(move |mut stream| async move {
            let _open = match is_greeted {
                true => Either::Left(greet(stream).await),
                false => {
                    read_request(&mut stream).await;
                    Either::Right(stream)
                }
            };
            tokio::time::pause();
            std::future::pending::<()>().await;
        })
        .await;
        let begun = Instant::now();
        let error = scene.refused(&format!("{way}://{address}")).await;
        assert!(matches!(error, AgentError::TimedOut(_)), "{way}: {error}");
        assert!(begun.elapsed() >= limit && begun.elapsed() < limit * 2, "{:?}", begun.elapsed());
        tokio::time::resume();
    }
}

#[tokio::test]
async fn attack_a2_whoever_waits_for_a_silent_server_can_stop_at_once() {
    let scene = Scene::new();
    for way in WAYS {
        let stop = CancellationToken::new();
        let asked = stop.clone();
        let address = server(move |mut stream| {
            let asked = asked.clone();
            async move {
                read_request(&mut stream).await;
                asked.cancel();
                std::future::pending::<()>().await;
            }
        })
        .await;
        let remote = Remote::parse(&format!("{way}://{address}"), Some("cam")).unwrap();
        let begun = Instant::now();
        assert!(scene.agent.play(&remote, &scene, &stop).await.is_ok());
        assert!(begun.elapsed() < limits::AGENT_ANSWER_MS.get_duration() / 2);
        scene.check_clean();
    }
}

#[tokio::test]
async fn attack_a3_what_is_larger_than_may_be_is_not_read_to_its_end() {
    let scene = Scene::new();
    let words = format!(r#"{{"message":"{}"}}"#, "x".repeat(limits::WCS_MESSAGE_BYTES.get_usize()));
    let words: &'static str = words.leak();
    let address = server(move |stream| say(stream, words)).await;
    let error = scene.refused(&format!("ws://{address}")).await;
    assert!(matches!(error, AgentError::Protocol { .. }), "{error}");

    // A body without end, of an answer and of a refusal.
    for status in ["201 Created", "500 Broken"] {
        let address = server(move |mut stream| async move {
            read_request(&mut stream).await;
            let head = format!("HTTP/1.1 {status}\r\nContent-Type: application/sdp\r\n\r\n");
            let _ = stream.write_all(head.as_bytes()).await;
            while stream.write_all(&[b'a'; 4_096]).await.is_ok() {}
        })
        .await;
        let error = scene.refused(&format!("http://{address}")).await;
        let is_expected = match status {
            "201 Created" => matches!(error, AgentError::Protocol { .. }),
            _ => matches!(error, AgentError::Refused(_)),
        };
        assert!(is_expected && error.to_string().len() < 500, "{status}: {error}");
    }
}

#[tokio::test]
async fn attack_a4_an_answer_that_leads_inside_has_nothing_sent_there() {
    let scene = Scene::new();
    for candidate in ["10.255.0.1", "169.254.169.254", "fd00::1", "::ffff:10.255.0.1"] {
        let body = sdp(candidate);
        let by_http = http("201 Created", "Location: /session/1\r\n", &body);
        let address = server(move |stream| {
            let bytes = by_http.clone();
            async move { answer(stream, bytes.as_bytes()).await }
        })
        .await;
        let error = scene.refused(&format!("http://{address}/cam/whep")).await;
        assert!(matches!(error, AgentError::Call(CallError::NoCandidate)), "{candidate}: {error}");

        let words = serde_json::json!({ "message": "setRemoteSDP", "data": ["ID", body] }).to_string();
        // The name in the SDP has no place for it.
        let words: &'static str = words.leak();
        let address = server(move |stream| say(stream, words)).await;
        let error = scene.refused(&format!("ws://{address}")).await;
        assert!(matches!(error, AgentError::Call(CallError::NoCandidate)), "{candidate}: {error}");
    }
    assert!(scene.hub.find(&name()).is_none());
}

#[tokio::test]
async fn attack_a4_a_redirection_is_not_followed() {
    let scene = Scene::new();
    let elsewhere = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let location = format!("Location: http://{}/cam/whep\r\n", elsewhere.local_addr().unwrap());
    for status in ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let bytes = http(status, &location, "");
        let address = server(move |stream| {
            let bytes = bytes.clone();
            async move { answer(stream, bytes.as_bytes()).await }
        })
        .await;
        let error = scene.refused(&format!("http://{address}/cam/whep")).await;
        assert!(matches!(&error, AgentError::Refused(words) if words.contains(&status[..3])), "{status}: {error}");
        let error = scene.refused(&format!("ws://{address}")).await;
        assert!(matches!(error, AgentError::Protocol { .. }), "{status}: {error}");
    }
    assert!(elsewhere.accept().now_or_never().is_none(), "somebody has come");
}
