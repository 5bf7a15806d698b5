//! A protocol of one's own: whoever connects gets the picture of a stream as an H.264 byte stream.
//!
//! ```sh
//! cargo run -p headwater-examples --bin h264-over-tcp -- camera
//! ffmpeg -re -f lavfi -i testsrc2 -pix_fmt yuv420p -c:v libx264 -tune zerolatency -f flv rtmp://127.0.0.1:1935/live/camera
//! ffplay -f h264 tcp://127.0.0.1:9000
//! ```
//!
//! `docs/tutorial/new-protocol.md` goes through it line by line.

use std::{net::SocketAddr, sync::Arc};

use anyhow::Context as _;
use headwater_codec::{h264, nal};
use headwater_graph::{Bell, Hub, HubOptions, Join, Next, Peer};
use headwater_media::{Codec, Frame, StreamName, TrackKind, TrackParameters};
use headwater_net::{Listener, Quota, TokioEnvironment};
use headwater_rtmp::{Context, RtmpConfig};
use tokio::{io::AsyncWriteExt, net::TcpStream};
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let name = std::env::args().nth(1).unwrap_or_else(|| "camera".to_owned());
    let name = StreamName::new(&name)?;
    let hub = Hub::new(Arc::new(TokioEnvironment::current()), HubOptions::default());

    let quota = Quota::connections();
    let rtmp = Listener::bind("127.0.0.1:1935".parse()?, &quota)?;
    let context = Context::new(hub.clone(), RtmpConfig::default());
    tokio::spawn(headwater_rtmp::serve(rtmp, context, CancellationToken::new()));

    let viewers = Listener::bind("127.0.0.1:9000".parse()?, &quota)?;
    println!("publish to rtmp://127.0.0.1:1935/live/{name}, play with: ffplay -f h264 tcp://127.0.0.1:9000");
    loop {
        let connection = viewers.accept().await;
        let (remote, (stream, permit)) = (connection.remote(), connection.into_parts());
        let (hub, name) = (hub.clone(), name.clone());
        tokio::spawn(async move {
            let _counted = permit;
            if let Err(error) = view(&hub, &name, stream, remote).await {
                println!("{remote} is gone: {error:#}");
            }
        });
    }
}

/// One viewer's life: subscribe, read what comes, write it, until one of the two ends.
async fn view(hub: &Hub, name: &StreamName, mut stream: TcpStream, remote: SocketAddr) -> anyhow::Result<()> {
    let peer = Peer::new("H264-TCP", remote.to_string()).with_remote(remote);
    let subscription = hub.subscribe(name, peer).await?;
    let track = subscription.stream().track(TrackKind::Video).context("the stream has no picture")?;
    let bell = Bell::new();
    let mut cursor = subscription.frames(&track, &[Codec::H264], &bell, Join::NewestGroup)?;
    let mut bytes = Vec::new();
    loop {
        match cursor.next() {
            Next::Parameters(parameters) => parameter_sets(parameters, &mut bytes)?,
            Next::Item(frame) => byte_stream(frame, &mut bytes)?,
            Next::Empty => {
                stream.write_all(&bytes).await?;
                bytes.clear();
                bell.rung().await;
            }
            Next::Ended => return Ok(()),
            Next::Discontinuity | Next::Lost { .. } => {}
        }
    }
}

fn parameter_sets(parameters: &TrackParameters, bytes: &mut Vec<u8>) -> anyhow::Result<()> {
    let record = h264::AvcConfig::parse(&parameters.config)?;
    for nal in record.sps.iter().chain(&record.pps) {
        bytes.extend_from_slice(&[0, 0, 0, 1]);
        bytes.extend_from_slice(nal);
    }
    Ok(())
}

fn byte_stream(frame: &Frame, bytes: &mut Vec<u8>) -> anyhow::Result<()> {
    nal::to_annexb(&frame.data, bytes)?;
    Ok(())
}
