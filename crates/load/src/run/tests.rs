mod protocols;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::*;
use crate::Reason;

/// Longer than any step of joining may take.
const PATIENCE: Duration = Duration::from_secs(40);

/// A server that does this with each connection; its address.
async fn server<F: Future<Output = ()> + Send + 'static>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    address
}

/// Reads a request as far as it goes, and answers this.
async fn answer(mut stream: TcpStream, bytes: String) {
    let mut read = vec![0; 64 << 10];
    let _ = stream.read(&mut read).await;
    let _ = stream.write_all(bytes.as_bytes()).await;
    let _ = stream.shutdown().await;
    let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
}

fn http(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// Three viewers of this URL, or three bare sessions; what is found of them.
async fn three(target: &str) -> Outcome {
    let what = if target.starts_with("ws") { "websocket" } else { "play" };
    let plan = format!(
        r#"{{"name":"x","hold_s":60,"workers":1,"task":[{{"what":"{what}","target":"{target}","count":3,"rate":100}}],
        "expect":{{"failed_max":0}}}}"#
    );
    let run = Run::start(Plan::from_json(&plan).unwrap(), &Options::default()).unwrap();
    tokio::time::timeout(PATIENCE, run.finished()).await.expect("the run ends by itself")
}

#[tokio::test]
async fn whatever_a_server_does_instead_of_answering_is_told_and_ends_the_run() {
    let refused = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string();
    let refusing = |status: &'static str| server(move |stream| answer(stream, http(status, "no")));
    let wrong = server(|stream| answer(stream, http("201 Created", "v=0\r\nnonsense\r\n"))).await;
    let garbage = server(|stream| answer(stream, "\0\0\0\0 who are you\r\n\r\n".into())).await;
    let cases = [
        (format!("http://{refused}/a/whep"), Reason::ConnectionRefused),
        (format!("ws://{refused}"), Reason::ConnectionRefused),
        (format!("http://{}/a/whep", refusing("401 Unauthorized").await), Reason::Denied),
        (format!("http://{}/a/whep", refusing("403 Forbidden").await), Reason::Denied),
        (format!("http://{}/a/whep", refusing("404 Not Found").await), Reason::NoStream),
        (format!("http://{}/a/whep", refusing("503 Service Unavailable").await), Reason::Refused),
        (format!("ws://{}", refusing("403 Forbidden").await), Reason::Denied),
        (format!("http://{wrong}/a/whep"), Reason::Protocol),
        (format!("http://{garbage}/a/whep"), Reason::Protocol),
        (format!("ws://{garbage}"), Reason::Protocol),
        ("http://192.0.2.1:9/a/whep".into(), Reason::NotAllowed),
        ("http://1.1.1.1:9/a/whep".into(), Reason::NotAllowed),
        ("ws://[2001:db8::1]:9".into(), Reason::NotAllowed),
    ];
    for (target, reason) in cases {
        let outcome = three(&target).await;
        let row = &outcome.tasks[0];
        let told: Vec<_> = row.failures.iter().map(|failure| (failure.reason, failure.count)).collect();
        assert_eq!(told, [(reason, 3)], "{target}: {:?}", row.failures);
        assert_eq!((row.asked, row.joined, row.live, row.failed), (3, 0, 0, 3), "{target}");
        assert!(outcome.phase == Phase::Done && !outcome.is_as_expected(), "{target}");
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    let silent = server(|stream| async move {
        let _stream = stream;
        std::future::pending::<()>().await;
    })
    .await;
    let (http, websocket) = (format!("http://{silent}/a/whep"), format!("ws://{silent}"));
    for outcome in [three(&http), three(&websocket)].map(Box::pin) {
        let outcome = outcome.await;
        let failures = &outcome.tasks[0].failures;
        assert_eq!((failures[0].reason, failures[0].count), (Reason::NoAnswer, 3), "{failures:?}");
    }
}

#[tokio::test]
async fn a_run_is_stopped_before_all_have_come() {
    let silent = server(|stream| async move {
        let _stream = stream;
        std::future::pending::<()>().await;
    })
    .await;
    let plan =
        format!(r#"{{"name":"x","task":[{{"what":"play","target":"http://{silent}/a/whep","count":1000,"rate":2}}]}}"#);
    let run = Run::start(Plan::from_json(&plan).unwrap(), &Options::default()).unwrap();
    let mut phase = run.phase.clone();
    phase.wait_for(|phase| *phase == Phase::Ramping).await.unwrap();
    while run.outcome().tasks[0].asked < 2 {
        tokio::task::yield_now().await;
    }
    run.stop();
    let outcome = tokio::time::timeout(PATIENCE, run.finished()).await.unwrap();
    let row = &outcome.tasks[0];
    assert!(row.asked < 1_000 && row.left == row.asked && row.failed == 0, "{row:?}");
}

#[tokio::test]
async fn who_fails_comes_again_more_and_more_seldom_until_the_run_is_over() {
    let refusing = server(|stream| answer(stream, http("503 Service Unavailable", "no"))).await;
    let plan = format!(
        r#"{{"name":"x","hold_s":6,"workers":1,"task":[{{"what":"play","target":"http://{refusing}/a/whep","count":20,
        "rate":200,"rejoin":true}}]}}"#
    );
    let run = Run::start(Plan::from_json(&plan).unwrap(), &Options::default()).unwrap();
    let outcome = tokio::time::timeout(PATIENCE, run.finished()).await.expect("the run ends by itself");
    let row = &outcome.tasks[0];
    // After 0.25 to 0.5 s, 0.75 to 1.5, 1.75 to 3.5 and 3.75 to 7.5; the first attempt comes besides.
    assert!((20 * 4..=20 * 5).contains(&row.asked), "{row:?}");
    assert_eq!((row.rejoined, row.failed + row.left), (row.asked - 20, row.asked), "{row:?}");
    assert!(row.back_ms.is_none(), "{row:?}");
}

#[tokio::test]
async fn who_asks_a_balancer_goes_where_it_says_and_nowhere_else() {
    let refusing = server(|stream| answer(stream, http("404 Not Found", "no"))).await;
    let named = |host: &str, port: &str| {
        let body = format!(r#"{{"server":"{host}","ws":{port},"wss":1,"flash":1}}"#);
        server(move |stream| answer(stream, http("200 OK", &body)))
    };
    let (host, port) = refusing.split_once(':').unwrap();
    let there = named(host, port).await;
    let elsewhere = named("192.0.2.1", port).await;
    let nowhere = server(|stream| answer(stream, http("503 Service Unavailable", "nobody"))).await;
    let nonsense = server(|stream| answer(stream, http("200 OK", "{}"))).await;
    for (balancer, reason) in [
        (there, Reason::NoStream),
        (elsewhere, Reason::NotAllowed),
        (nowhere, Reason::Refused),
        (nonsense, Reason::Protocol),
    ] {
        let plan = format!(
            r#"{{"name":"x","hold_s":60,"workers":1,"task":[{{"what":"play","target":"http://127.0.0.1:9/a/whep",
            "balancer":"http://{balancer}/balancer","count":2,"rate":100}}]}}"#
        );
        let run = Run::start(Plan::from_json(&plan).unwrap(), &Options::default()).unwrap();
        let outcome = tokio::time::timeout(PATIENCE, run.finished()).await.expect("the run ends by itself");
        let failures = &outcome.tasks[0].failures;
        assert_eq!((failures.len(), failures[0].reason, failures[0].count), (1, reason, 2), "{failures:?}");
    }
}

#[tokio::test]
async fn an_offer_is_sent_on_to_where_a_server_leads_it_but_not_for_ever_and_nowhere_else() {
    let leading = |to: String| {
        server(move |stream| {
            let moved = format!("HTTP/1.1 307 Temporary Redirect\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n");
            answer(stream, moved)
        })
    };
    let refusing = server(|stream| answer(stream, http("404 Not Found", "no"))).await;
    let there = leading(format!("http://{refusing}/a/whep")).await;
    let elsewhere = leading("http://192.0.2.1:9/a/whep".into()).await;
    let round = leading("/a/whep".into()).await;
    for (server, reason) in [(there, Reason::NoStream), (elsewhere, Reason::NotAllowed), (round, Reason::Refused)] {
        let outcome = three(&format!("http://{server}/a/whep")).await;
        let failures = &outcome.tasks[0].failures;
        assert_eq!((failures.len(), failures[0].reason, failures[0].count), (1, reason, 3), "{failures:?}");
    }
}

#[tokio::test]
async fn a_plan_reads_no_file_and_goes_nowhere_unless_it_may() {
    let plan = |more: &str| {
        let text = format!(
            r#"{{"name":"x","task":[{{"what":"publish","target":"http://127.0.0.1:9/a/whip","count":1}}]{more}}}"#
        );
        Plan::from_json(&text).unwrap()
    };
    let refused = Run::start(plan(r#","source":{"file":"/etc/hostname"}"#), &Options::default());
    assert!(matches!(refused, Err(RunError::File)));
    let options = Options { allowed: vec!["10.0.0.0/33".into()], ..Options::default() };
    assert!(matches!(Run::start(plan(""), &options), Err(RunError::Allowed(_))));
    let options = Options { may_read_files: true, ..Options::default() };
    let run = Run::start(plan(r#","source":{"file":"/nowhere.flv"}"#), &options).unwrap();
    let outcome = run.finished().await;
    assert!(outcome.phase == Phase::Failed && outcome.error.is_some(), "{outcome:?}");
}
