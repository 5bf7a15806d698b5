//! A viewer who stops reading costs a bounded amount, disturbs nobody, and goes on at the newest group.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures_util::StreamExt;
use headwater_tests::origin::Origin;
use headwater_tests::players::decode;
use headwater_tests::program::until;
use headwater_tests::source::Source;
use headwater_tests::{heavy_turn, report, scratch, tools};
use serde_json::Value;
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite::Message};

const PATIENCE: Duration = Duration::from_secs(30);

/// What a viewer has been told and sent.
#[derive(Default)]
struct Heard {
    words: Vec<Value>,
    /// Init segments and fragments since the last word that something was left out.
    media: Vec<u8>,
    fragments: u64,
}

/// A viewer whose connection takes little that is not read.
async fn connect(origin: &Origin) -> Result<WebSocketStream<TcpStream>> {
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(16 << 10)?;
    let stream = socket.connect(origin.http().parse()?).await?;
    Ok(client_async(format!("ws://{}/mse/slow", origin.http()), stream).await?.0)
}

impl Heard {
    async fn read(&mut self, socket: &mut WebSocketStream<TcpStream>) -> Result<()> {
        match socket.next().await.context("the connection is gone")?? {
            Message::Text(text) => {
                let word: Value = serde_json::from_str(&text)?;
                if word["type"] == "skipped" {
                    self.media.clear();
                    self.fragments = 0;
                }
                self.words.push(word);
            }
            Message::Binary(bytes) => {
                self.media.extend_from_slice(&bytes);
                self.fragments += 1;
            }
            other => ensure!(other.is_ping(), "{other:?}"),
        }
        Ok(())
    }

    fn skipped(&self) -> u64 {
        self.words.iter().filter_map(|word| word["fragments"].as_u64()).sum()
    }
}

#[test]
fn a_viewer_who_stops_reading_goes_on_at_the_newest_group_and_disturbs_nobody() -> Result<()> {
    let _turn = heavy_turn();
    let origin = Origin::start()?;
    let publisher = Source { kilobits: 16_000, ..Source::default() }.publish(&origin.rtmp("slow"))?;
    origin.wait_published("slow")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let (mut slow, mut quick) = (connect(&origin).await?, connect(&origin).await?);
        let (stop, mut stopped) = tokio::sync::oneshot::channel::<()>();
        let other = tokio::spawn(async move {
            let mut heard = Heard::default();
            while stopped.try_recv().is_err() {
                heard.read(&mut quick).await?;
            }
            anyhow::Ok(heard)
        });
        let mut heard = Heard::default();
        while heard.fragments < 30 {
            heard.read(&mut slow).await?;
        }
        let init = heard.media.clone();
        let left_out = || origin.metric("headwater_mse_fragments_skipped_total").ok().flatten();
        let before = origin.memory()?;
        tokio::time::sleep(Duration::from_secs(8)).await;
        let grown = origin.memory()?.saturating_sub(before) >> 10;
        let again = tokio::time::timeout(PATIENCE, async {
            while heard.skipped() == 0 || heard.fragments < 90 {
                heard.read(&mut slow).await?;
            }
            anyhow::Ok(())
        });
        again.await.context("nothing is left out, or nothing follows")??;
        let _ = stop.send(());
        let other = other.await??;
        report(&format!(
            "MSE after 8 s without reading: {} fragments left out, the server grew by {grown} KiB",
            heard.skipped()
        ));
        // The lane holds what it holds for all viewers; of one's own there is what may wait for its socket.
        ensure!(grown < 32 << 10, "the server grew by {grown} KiB");
        ensure!(left_out() == Some(heard.skipped() as f64), "{:?} are counted, {} told", left_out(), heard.skipped());
        ensure!(heard.skipped() > 100, "{} left out of eight seconds", heard.skipped());
        ensure!(other.skipped() == 0 && other.words.len() == 1 && other.fragments > 400, "{:?}", other.words);
        // What comes after the skip begins with a key frame; it needs the init segment that was sent before.
        let head = moov(&init).context("no init segment")?;
        let file = scratch("mse-slow.mp4")?;
        std::fs::write(&file, [head, &heard.media].concat())?;
        let complaints = decode(&tools::on_path("ffmpeg")?, &file)?;
        ensure!(complaints.is_empty(), "{complaints}");
        anyhow::Ok(())
    })?;
    until("both viewers are gone", PATIENCE, || {
        origin.metric("headwater_mse_viewers").is_ok_and(|now| now == Some(0.0))
    })?;
    publisher.kill();
    origin.stop()?;
    Ok(())
}

/// The bytes up to the first fragment.
fn moov(media: &[u8]) -> Option<&[u8]> {
    let at = media.windows(4).position(|kind| kind == b"moof")?.checked_sub(4)?;
    media.get(..at)
}
