//! Publishes Headwater's moving test picture, with clock and tone, to any RTMP server.
//!
//! ```sh
//! cargo run -p headwater-examples --bin publish-test-pattern -- rtmp://127.0.0.1:1935/live/test
//! ```

use std::sync::Arc;

use anyhow::Context as _;
use headwater_graph::{Hub, HubOptions, Peer};
use headwater_media::{Codec, StreamName};
use headwater_net::TokioEnvironment;
use headwater_rtmp::{Context, RtmpConfig, RtmpUrl, client};
use headwater_transcode::test_pattern::{PatternOptions, TestPattern, run};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let url = std::env::args().nth(1).context("which RTMP URL is it to be published to?")?;
    let url = RtmpUrl::parse(&url)?;
    let environment = Arc::new(TokioEnvironment::current());
    let hub = Hub::new(environment.clone(), HubOptions::default());

    // The pattern is a stream of this program's own hub ...
    let name = StreamName::new("test-pattern")?;
    let publication = hub.publish(name.clone(), Peer::new("built-in", "test-pattern"))?;
    // ... with AAC, since RTMP servers take no other sound for certain.
    let pattern = TestPattern::new(PatternOptions { sound: Codec::Aac, ..PatternOptions::default() })?;
    tokio::spawn(run(pattern, publication, environment));

    // ... and what is pushed is a viewer of that stream, like any other.
    let subscription = hub.subscribe(&name, Peer::new("RTMP push", "push")).await?;
    let io = TcpStream::connect((url.host.as_str(), url.port)).await.context("the RTMP server does not answer")?;
    let context = Context::new(hub, RtmpConfig::default());
    let stop = CancellationToken::new();
    let stopping = stop.clone();
    tokio::spawn(async move {
        let _ = tokio::signal::ctrl_c().await;
        stopping.cancel();
    });
    println!("publishing; stop with Ctrl-C");
    client::publish(io, &url, subscription, &context, &stop).await?;
    Ok(())
}
