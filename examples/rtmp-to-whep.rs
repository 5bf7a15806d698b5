//! An RTMP to WebRTC gateway from the crates alone: publish by RTMP, watch in a browser.
//!
//! ```sh
//! cargo run -p headwater-examples --bin rtmp-to-whep
//! ffmpeg -re -f lavfi -i testsrc2 -f lavfi -i sine -pix_fmt yuv420p -c:v libx264 -tune zerolatency -g 60 -c:a aac -f flv rtmp://127.0.0.1:1935/live/camera
//! ```
//!
//! Then open http://127.0.0.1:8080/play/camera, or give http://127.0.0.1:8080/camera/whep to any WHEP player.

use std::{net::SocketAddr, sync::Arc};

use headwater_convert::Registry;
use headwater_graph::{Hub, HubOptions};
use headwater_net::{Listener, Quota, TokioEnvironment};
use headwater_rtmp::{Context, RtmpConfig};
use headwater_signalling::Whep;
use headwater_webrtc::{Config, WebRtc};
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // Streams, and the conversions that lead from what comes in to what a browser takes.
    let hub = Hub::new(Arc::new(TokioEnvironment::current()), HubOptions::default());
    hub.set_converters(Box::new(Registry::new().with_transcoder(headwater_transcode::transcoder)));

    // The way in.
    let connections = Quota::connections();
    let listener = Listener::bind("127.0.0.1:1935".parse()?, &connections)?;
    let rtmp = Context::new(hub.clone(), RtmpConfig::default());
    tokio::spawn(headwater_rtmp::serve(listener, rtmp, CancellationToken::new()));

    // The way out: media by UDP and TCP, on the ports from 8189 on.
    let webrtc = WebRtc::start(&Config::default(), &connections)?;
    println!("WebRTC media at {}", webrtc.address());

    // And its signalling, with the player's page beside it.
    let pages = headwater_web::router();
    let router = pages.fallback_service(Whep::new(hub, webrtc, &[]).into_router());
    let http = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    println!("publish to rtmp://127.0.0.1:1935/live/camera, watch at http://127.0.0.1:8080/play/camera");
    axum::serve(http, router.into_make_service_with_connect_info::<SocketAddr>()).await?;
    Ok(())
}
