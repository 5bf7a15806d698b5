//! What servers of RTMP, HLS and WebSockets may do instead of sending a stream.

use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::{accept_async, tungstenite::Message};

use super::*;

/// What is told of three viewers: the reasons, and how many of each.
async fn told(target: &str) -> Vec<(Reason, u64)> {
    let plan = format!(
        r#"{{"name":"x","hold_s":60,"workers":1,"task":[{{"what":"play","target":"{target}","count":3,"rate":100}}]}}"#
    );
    let run = Run::start(Plan::from_json(&plan).unwrap(), &Options::default()).unwrap();
    let outcome = tokio::time::timeout(PATIENCE, run.finished()).await.expect("the run ends by itself");
    let row = &outcome.tasks[0];
    assert_eq!((row.asked, row.live, row.failed, row.pictures), (3, 0, 3, 0), "{target}: {row:?}");
    row.failures.iter().map(|failure| (failure.reason, failure.count)).collect()
}

async fn expect(cases: Vec<(String, Reason)>) {
    let all = cases.iter().map(|(target, _)| told(target));
    let all = futures_util::future::join_all(all).await;
    for ((target, reason), told) in cases.iter().zip(all) {
        assert_eq!(told, [(*reason, 3)], "{target}");
    }
}

/// A server of HTTP that answers each request by its path, over connections that are kept; its address.
async fn files(answer: impl Fn(&str) -> String + Clone + Send + Sync + 'static) -> String {
    server(move |mut stream| {
        let answer = answer.clone();
        async move {
            let mut read = vec![0; 64 << 10];
            while let Ok(count @ 1..) = stream.read(&mut read).await {
                let request = String::from_utf8_lossy(&read[..count]).into_owned();
                let path = request.split_whitespace().nth(1).unwrap_or_default();
                if stream.write_all(answer(path).as_bytes()).await.is_err() {
                    break;
                }
            }
        }
    })
    .await
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn elsewhere(place: &str) -> String {
    format!("HTTP/1.1 302 Found\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n")
}

/// A playlist of one segment.
fn list(segment: &str) -> String {
    format!("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{segment}\n")
}

#[tokio::test]
async fn whatever_a_server_of_hls_answers_is_told() {
    let refused = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string();
    let status = |status: &'static str| files(move |_| http(status, "no"));
    let page = files(|_| ok("<html>not here</html>")).await;
    let long = files(|_| ok(&format!("#EXTM3U\n{}", "#\n".repeat(1 << 20)))).await;
    let round = files(|_| elsewhere("/again.m3u8")).await;
    let away = files(|_| elsewhere("http://192.0.2.1/a.m3u8")).await;
    let outside = files(|_| ok(&list("http://192.0.2.1/a.ts"))).await;
    let to_file = files(|_| ok(&list("file:///etc/hostname"))).await;
    let over =
        files(
            |path| {
                if path.ends_with(".ts") { ok("") } else { ok("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-ENDLIST\n") }
            },
        );
    let garbage = files(|path| if path.ends_with(".ts") { ok("nothing of the kind") } else { ok(&list("a.ts")) }).await;
    let cut = files(|path| if path.ends_with(".ts") { ok(&"G".repeat(200)) } else { ok(&list("a.ts")) }).await;
    let empty = files(|path| if path.ends_with(".ts") { http("404 Not Found", "") } else { ok(&list("a.ts")) }).await;
    let nested = files(|_| ok("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nb.m3u8\n")).await;
    let at = |address: String| format!("http://{address}/a.m3u8");
    expect(vec![
        (at(refused), Reason::ConnectionRefused),
        (at(status("401 Unauthorized").await), Reason::Denied),
        (at(status("403 Forbidden").await), Reason::Denied),
        (at(status("404 Not Found").await), Reason::NoStream),
        (at(status("503 Service Unavailable").await), Reason::Refused),
        (at(page), Reason::Protocol),
        (at(long), Reason::Protocol),
        (at(round), Reason::Protocol),
        (at(away), Reason::NotAllowed),
        (at(outside), Reason::NotAllowed),
        (at(to_file), Reason::Protocol),
        (at(over.await), Reason::Ended),
        (at(garbage), Reason::Protocol),
        (at(cut), Reason::Protocol),
        (at(empty), Reason::NoMedia),
        (at(nested), Reason::Protocol),
        ("http://192.0.2.1/a.m3u8".into(), Reason::NotAllowed),
    ])
    .await;
}

#[tokio::test]
async fn whatever_a_server_of_rtmp_does_instead_is_told() {
    let refused = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string();
    let silent = server(|stream| async move {
        let _stream = stream;
        std::future::pending::<()>().await;
    });
    let web = server(|stream| answer(stream, http("400 Bad Request", "what?"))).await;
    let closing = server(|stream| async move { drop(stream) }).await;
    // It shakes hands, and then speaks in chunks that nobody has begun.
    let lying = server(|mut stream| async move {
        let mut read = vec![0; 64 << 10];
        let _ = stream.read(&mut read).await;
        let _ = stream.write_all(&[&[3][..], &[0; 2 * 1_536], &[0xff; 4_096]].concat()).await;
        let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
    });
    let at = |address: String| format!("rtmp://{address}/live/a");
    expect(vec![
        (at(refused), Reason::ConnectionRefused),
        (at(silent.await), Reason::NoAnswer),
        (at(web.clone()), Reason::Protocol),
        (at(closing), Reason::Lost),
        (at(lying.await), Reason::Protocol),
        (at(web).replace("rtmp:", "rtmps:"), Reason::Tls),
        ("rtmp://192.0.2.1/live/a".into(), Reason::NotAllowed),
    ])
    .await;
}

/// A server of WebSockets that says this and then waits; its address.
async fn saying(messages: Vec<Message>) -> String {
    server(move |stream| {
        let messages = messages.clone();
        async move {
            let Ok(mut socket) = accept_async(stream).await else { return };
            for message in messages {
                let _ = socket.send(message).await;
            }
            while let Some(Ok(_)) = socket.next().await {}
        }
    })
    .await
}

#[tokio::test]
async fn whatever_a_server_says_over_a_websocket_is_told() {
    let text = |text: &str| saying(vec![Message::text(text)]);
    let init = r#"{"type":"init","mime":"video/mp4","tracks":[]}"#;
    let tracks = r#"{"type":"tracks","tracks":[{"id":0,"kind":"video","format":"H264","codec":"avc1"}]}"#;
    let both = |first: &str, then: &'static [u8]| saying(vec![Message::text(first), Message::binary(then)]);
    let mut cases = Vec::new();
    for path in ["mse", "ws"] {
        let at = |address: String| format!("ws://{address}/{path}/a");
        cases.extend([
            (at(text("not json").await), Reason::Protocol),
            (at(text(r#"{"type":"error","code":"not-live"}"#).await), Reason::NoStream),
            (at(text(r#"{"type":"error","code":"refused"}"#).await), Reason::Denied),
            (at(text(r#"{"type":"error","code":"busy"}"#).await), Reason::Refused),
            (at(text(r#"{"type":"end","reason":"over"}"#).await), Reason::Ended),
            (at(saying(vec![Message::Close(None)]).await), Reason::Ended),
            (at(saying(vec![Message::binary(&b"a fragment"[..])]).await), Reason::Protocol),
            (at(server(|stream| answer(stream, http("403 Forbidden", ""))).await), Reason::Denied),
            (at(server(|stream| answer(stream, http("404 Not Found", ""))).await), Reason::NoStream),
            (at(server(|stream| answer(stream, "nonsense\r\n\r\n".into())).await), Reason::Protocol),
            (at(saying(Vec::new()).await), Reason::NoAnswer),
        ]);
    }
    cases.extend([
        (format!("ws://{}/mse/a", both(init, b"no movie").await), Reason::Protocol),
        (format!("ws://{}/mse/a", text(init).await), Reason::NoMedia),
        (format!("ws://{}/ws/a", both(tracks, b"short").await), Reason::Protocol),
        (format!("ws://{}/ws/a", both(tracks, &[9; 40]).await), Reason::Protocol),
        (format!("ws://{}/ws/a", text(tracks).await), Reason::NoMedia),
    ]);
    expect(cases).await;
}

#[tokio::test]
async fn publishers_of_rtmp_say_why_they_cannot() {
    let refused = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string();
    let web = server(|stream| answer(stream, http("400 Bad Request", "what?"))).await;
    let closing = server(|stream| async move { drop(stream) }).await;
    let cases = [
        (format!("rtmp://{refused}/live/{{i}}"), Reason::ConnectionRefused),
        (format!("rtmp://{web}/live/{{i}}"), Reason::Protocol),
        (format!("rtmp://{closing}/live/{{i}}"), Reason::Lost),
        (format!("rtmps://{web}/live/{{i}}"), Reason::Tls),
        ("rtmp://192.0.2.1/live/{i}".into(), Reason::NotAllowed),
    ];
    let task = |(target, _): &(String, Reason)| format!(r#"{{"what":"publish","target":"{target}","count":2}}"#);
    let plan = format!(
        r#"{{"name":"x","source":{{"width":64,"height":64,"bitrate":50000}},"task":[{}]}}"#,
        cases.iter().map(task).collect::<Vec<_>>().join(",")
    );
    let run = Run::start(Plan::from_json(&plan).unwrap(), &Options::default()).unwrap();
    let outcome = tokio::time::timeout(PATIENCE, run.finished()).await.expect("the run ends by itself");
    for (row, (target, reason)) in outcome.tasks.iter().zip(&cases) {
        let told: Vec<_> = row.failures.iter().map(|failure| (failure.reason, failure.count)).collect();
        assert_eq!(told, [(*reason, 2)], "{target}: {row:?}");
    }
}
