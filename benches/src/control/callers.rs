//! Those who call: REST clients at a pace, and viewers about whom the application thinks.

use std::{
    net::SocketAddr,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, StatusCode,
    client::conn::http1::{SendRequest, handshake},
};
use hyper_util::rt::TokioIo;
use str0m::{
    Rtc,
    media::{Direction, MediaKind},
};
use tokio::{
    net::TcpStream,
    task::JoinSet,
    time::{MissedTickBehavior, interval_at, sleep},
};

use super::desk::Shared;

/// Connections that REST calls share.
const CONNECTIONS: usize = 20;
/// What is called, in turn: method, path and body. An application asks for its streams all the time; statistics are
/// read by few.
const CALLS: [(&str, &str, &str); 10] = [FIND, ALL, FIND, ALL, FIND, ALL, FIND, ALL, FIND, STATISTICS];
const FIND: (&str, &str, &str) =
    ("POST", "/rest-api/stream/find", r#"{"name": "bench", "published": true, "display": ["metrics"]}"#);
const ALL: (&str, &str, &str) = ("POST", "/rest-api/stream/find_all", "{}");
const STATISTICS: (&str, &str, &str) = ("GET", "/?action=stat", "");
/// Who watches the server reads its metrics so often.
const SCRAPES: Duration = Duration::from_secs(1);
/// Between two attempts of somebody who was not answered.
const PAUSE: Duration = Duration::from_millis(100);

/// Makes so many calls in a second, evenly over connections that are kept.
pub(super) async fn rest(server: SocketAddr, calls: usize, shared: Arc<Shared>) {
    let mut callers = JoinSet::new();
    for caller in 0..CONNECTIONS {
        let each = Duration::from_secs_f64(CONNECTIONS as f64 / calls.max(1) as f64);
        let begin = tokio::time::Instant::now() + each * caller as u32 / CONNECTIONS as u32;
        let shared = shared.clone();
        callers.spawn(async move {
            let mut ticks = interval_at(begin, each);
            // Calls that come late are made up for.
            ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
            let mut connection = None;
            for call in CALLS.iter().cycle().skip(caller) {
                ticks.tick().await;
                let begun = Instant::now();
                if ask(&mut connection, server, *call).await.is_ok_and(|status| status == StatusCode::OK) {
                    shared.calls.lock().map(|mut calls| calls.push(begun.elapsed().as_secs_f64() * 1e3)).ok();
                } else {
                    shared.refused.fetch_add(1, Relaxed);
                }
            }
        });
    }
    callers.spawn(async move {
        let mut connection = None;
        loop {
            sleep(SCRAPES).await;
            if !ask(&mut connection, server, ("GET", "/metrics", "")).await.is_ok_and(|status| status == StatusCode::OK)
            {
                shared.refused.fetch_add(1, Relaxed);
            }
        }
    });
    callers.join_all().await;
}

/// Keeps so many viewers waiting for a decision.
pub(super) async fn wishes(server: SocketAddr, count: usize, shared: Arc<Shared>) {
    let Ok(offer) = offer() else {
        return;
    };
    let mut viewers = JoinSet::new();
    for viewer in 0..count {
        let (shared, offer, path) = (shared.clone(), offer.clone(), format!("/wanted-{viewer}/whep"));
        viewers.spawn(async move {
            let mut connection = None;
            loop {
                let asked = ask(&mut connection, server, ("POST", &path, &offer)).await;
                if !asked.is_ok_and(|status| status == StatusCode::FORBIDDEN) {
                    shared.failed.fetch_add(1, Relaxed);
                    sleep(PAUSE).await;
                }
            }
        });
    }
    viewers.join_all().await;
}

type Connection = SendRequest<Full<Bytes>>;

/// Makes one request over a connection that is kept, and reads the whole answer.
async fn ask(
    connection: &mut Option<Connection>,
    server: SocketAddr,
    (method, path, body): (&str, &str, &str),
) -> Result<StatusCode> {
    let mut sender = match connection.take() {
        Some(sender) if !sender.is_closed() => sender,
        _ => connect(server).await?,
    };
    sender.ready().await?;
    let kind = if path.ends_with("/whep") { "application/sdp" } else { "application/json" };
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("Host", server.to_string())
        .header("Content-Type", kind)
        .body(Full::new(Bytes::copy_from_slice(body.as_bytes())))?;
    let response = sender.send_request(request).await?;
    let status = response.status();
    response.into_body().collect().await?;
    *connection = Some(sender);
    Ok(status)
}

async fn connect(server: SocketAddr) -> Result<Connection> {
    let socket = TcpStream::connect(server).await.with_context(|| format!("no connection to {server}"))?;
    socket.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(socket)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

/// What a browser would ask with.
fn offer() -> Result<String> {
    let mut rtc = Rtc::builder().enable_opus(true, false).enable_h264(true).build(Instant::now());
    let mut changes = rtc.sdp_api();
    changes.add_media(MediaKind::Audio, Direction::RecvOnly, None, None, None);
    changes.add_media(MediaKind::Video, Direction::RecvOnly, None, None, None);
    let (offer, _) = changes.apply().context("no offer")?;
    Ok(offer.to_sdp_string())
}
