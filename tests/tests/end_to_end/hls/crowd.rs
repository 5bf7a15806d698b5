//! Many viewers with one address, who are alike in all that the server sees of them.

use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use headwater_tests::origin::Origin;
use headwater_tests::source::Source;
use headwater_tests::{http, shared_turn};

use super::beside;

/// A viewer that waits for each part by number and fetches it, as players of Low-Latency HLS do. Yields for how long
/// each was waited for, in milliseconds.
pub(super) fn view(address: String, first: &'static str, end: Instant) -> JoinHandle<Result<Vec<f64>>> {
    std::thread::spawn(move || {
        let get = |path: &str| -> Result<String> {
            let answer = http::get(&address, path)?;
            ensure!(answer.status == 200, "{path}: {answer:?}");
            Ok(answer.body)
        };
        let index = get(first)?;
        let list = beside(first, index.lines().find(|line| !line.starts_with('#')).context("no variant")?);
        let (mut text, mut waits) = (get(&list)?, Vec::new());
        while Instant::now() < end {
            let hint = text.lines().find_map(|line| line.strip_prefix("#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\""));
            let hint = hint.context("nothing is announced")?.trim_end_matches('"').to_owned();
            ensure!(hint.contains(first.split_once('?').map_or("", |(_, query)| query)), "{hint} carries no token");
            let (sequence, part) =
                hint.split('-').nth(1).and_then(|numbers| numbers.split_once('.')).context("no number")?;
            let asked = Instant::now();
            text = get(&format!("{list}&_HLS_msn={sequence}&_HLS_part={part}"))?;
            waits.push(asked.elapsed().as_secs_f64() * 1_000.0);
            ensure!(get(&beside(first, &hint))?.contains("moof"), "{hint} is no media");
        }
        Ok(waits)
    })
}

/// As a class behind one router: what one viewer may have held is not for all of them together.
#[test]
fn many_viewers_behind_one_address_are_each_served() -> Result<()> {
    let _turn = shared_turn();
    let origin = Origin::start()?;
    let publisher = Source::default().publish(&origin.rtmp("clock"))?;
    origin.wait_published("clock")?;
    let end = Instant::now() + Duration::from_secs(6);
    let viewers: Vec<_> = (0..30).map(|_| view(origin.http(), "/clock/index.m3u8", end)).collect();
    for viewer in viewers {
        let waits = viewer.join().map_err(|_| anyhow!("a viewer has panicked"))??;
        ensure!(waits.len() > 5, "only {} playlists", waits.len());
    }
    let counted = origin.metric("headwater_hls_viewers")?.context("no viewers")?;
    ensure!(counted >= 15.0, "{counted} viewers of 30");
    publisher.kill();
    origin.stop()?;
    Ok(())
}
