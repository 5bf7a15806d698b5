use std::{
    future::poll_fn,
    task::{Poll, Waker},
    time::Duration,
};

use axum::{response::IntoResponse, routing::any};
use headwater_net::Passed;
use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, duplex},
    net::TcpStream,
    sync::mpsc::{self, UnboundedReceiver},
    time::timeout,
};

use super::*;
use crate::routes::Routes;

/// What a server answers to one request that comes over loopback.
async fn answer(request: &str) -> String {
    let mut routes = Routes::default();
    let direct = |_: SocketAddr, _: axum::http::request::Parts, _: Option<Shortcut>| -> BoxFuture<'static, Response> {
        Box::pin(async { "direct".into_response() })
    };
    routes.add_direct(|path| path.starts_with("/media/"), Arc::new(direct));
    let router = Router::new().fallback(any(async || "routed"));
    let front = Front::new(router, routes.take_direct(), Hosts::default());
    let (mut ours, theirs) = duplex(1 << 16);
    let local = "127.0.0.1:1".parse().unwrap();
    ours.write_all(format!("{request}\r\nConnection: close\r\n\r\n").as_bytes()).await.unwrap();
    converse(theirs, Ends { local, remote: local, shown: None }, None, &builder(), &front, CancellationToken::new())
        .await;
    let mut text = String::new();
    ours.read_to_string(&mut text).await.unwrap();
    text
}

#[tokio::test]
async fn what_is_answered_without_a_router_is_so_for_plain_gets_under_a_known_name_alone() {
    for (request, status, body) in [
        ("GET /media/a HTTP/1.1\r\nHost: localhost", "200", "direct"),
        ("GET /media/a HTTP/1.1\r\nHost: 127.0.0.1:8080", "200", "direct"),
        ("GET /media/a HTTP/1.1\r\nHost: evil.example", "421", "unknown_host"),
        ("GET /media/a HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket", "200", "routed"),
        ("POST /media/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0", "200", "routed"),
        ("GET /page HTTP/1.1\r\nHost: localhost", "200", "routed"),
    ] {
        let text = answer(request).await;
        assert!(text.starts_with(&format!("HTTP/1.1 {status}")) && text.contains(body), "{request}: {text}");
    }
}

/// A connection over loopback to a server whose `/held/` addresses are answered past their conversation when they are
/// told to be, and whose others are answered at once with their path.
async fn connect_with_shortcut() -> (TcpStream, UnboundedReceiver<Held>) {
    let (tell, told) = mpsc::unbounded_channel();
    let direct = move |_: SocketAddr, head: axum::http::request::Parts, shortcut: Option<Shortcut>| {
        let (tell, path) = (tell.clone(), head.uri.path().to_owned());
        let answer: BoxFuture<'static, Response> = Box::pin(async move {
            if path.starts_with("/media/held") {
                let over = Arc::new(Mutex::new((false, None)));
                let shortcut = shortcut.filter(Shortcut::is_clear).expect("all has been said before");
                tell.send(Held { path, shortcut, over: over.clone() }).expect("the test listens");
                poll_fn(|cx| {
                    let (is_over, waker) = &mut *over.lock();
                    *waker = Some(cx.waker().clone());
                    if *is_over { Poll::Ready(()) } else { Poll::Pending }
                })
                .await;
                return Body::empty().into_response();
            }
            path.into_response()
        });
        answer
    };
    let mut routes = Routes::default();
    routes.add_direct(|path| path.starts_with("/media/"), Arc::new(direct));
    let front = Front::new(Router::new(), routes.take_direct(), Hosts::default());
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), &headwater_net::Quota::connections()).unwrap();
    let address = listener.local_address().unwrap();
    let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
    tokio::spawn(async move {
        let ends = Ends { local: address, remote: accepted.remote(), shown: None };
        let connection = Conversation::new(accepted, HEAD_ENDS);
        let shortcut = Some(connection.shortcut());
        converse(connection, ends, shortcut, &builder(), &front, CancellationToken::new()).await;
    });
    (client.unwrap(), told)
}

/// A request that is held.
struct Held {
    path: String,
    shortcut: Shortcut,
    /// Whether it is answered, and what wakes its own task.
    over: Arc<Mutex<(bool, Option<Waker>)>>,
}

impl Held {
    /// Answers it with its path. Its own task is woken only if that is asked for.
    fn answer(self) {
        let (is_over, waker) = &mut *self.over.lock();
        let (path, length) = (&self.path, self.path.len());
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{path}");
        let passed = self.shortcut.answer(&answer.into());
        assert_ne!(passed, Passed::Nothing, "there is room for it");
        *is_over = true;
        waker.take().filter(|_| passed == Passed::Wake).into_iter().for_each(Waker::wake);
    }
}

async fn ask(client: &mut TcpStream, paths: &[&str]) {
    let requests: String = paths.iter().map(|path| format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")).collect();
    client.write_all(requests.as_bytes()).await.unwrap();
}

/// Reads answers until one ends with this; gives back their bodies.
async fn bodies(client: &mut TcpStream, last: &str) -> String {
    let (mut text, mut buffer) = (String::new(), [0; 4_096]);
    while !text.ends_with(last) {
        let read = timeout(Duration::from_secs(20), client.read(&mut buffer)).await.expect("an answer comes").unwrap();
        assert!(read > 0, "the connection stays open behind {text}");
        text.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
    }
    let bodies = text.split("HTTP/1.1 200 OK\r\n").skip(1).map(|answer| answer.split_once("\r\n\r\n").unwrap().1);
    bodies.collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn a_conversation_goes_on_behind_an_answer_that_was_written_past_it() {
    let (mut client, mut told) = connect_with_shortcut().await;
    for _ in 0..3 {
        ask(&mut client, &["/media/held"]).await;
        told.recv().await.unwrap().answer();
        assert_eq!(bodies(&mut client, "held").await, "/media/held");
        ask(&mut client, &["/media/now"]).await;
        assert_eq!(bodies(&mut client, "now").await, "/media/now");
    }
}

#[tokio::test]
async fn requests_that_came_together_are_answered_in_their_order_past_the_conversation_or_by_it() {
    let (mut client, mut told) = connect_with_shortcut().await;
    ask(&mut client, &["/media/1", "/media/held2", "/media/3", "/media/held4", "/media/held5", "/media/6"]).await;
    for _ in 0..3 {
        told.recv().await.unwrap().answer();
    }
    let all = bodies(&mut client, "6").await;
    assert_eq!(all, "/media/1 /media/held2 /media/3 /media/held4 /media/held5 /media/6");
}
