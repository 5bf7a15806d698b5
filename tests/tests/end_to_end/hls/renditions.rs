//! A picture in three sizes: players get them all, cut alike.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use headwater_tests::origin::Origin;
use headwater_tests::publisher::{Kind, Publisher};
use headwater_tests::{report, turn};
use serde_json::Value;

use super::{beside, fetch};

const THREE_SIZES: Kind<'_> = Kind::Simulcast { codec: "video/H264", rids: &["q", "h", "f"] };
pub(super) const INDEX: &str = "/sizes/index.m3u8";

/// A publisher that has sent for long enough that all sizes come.
pub(super) fn publish(origin: &Origin) -> Result<Publisher> {
    let publisher = Publisher::start(&origin.whip("sizes"), &THREE_SIZES)?;
    origin.wait_published("sizes")?;
    let is_sent = |size: &Value| size["framesSent"].as_u64().unwrap_or(0) > 60;
    let all = |sent: &[Value]| sent.iter().filter(|size| is_sent(size)).count() == 3;
    publisher.wait("three sizes are sent", Duration::from_secs(30), all)?;
    Ok(publisher)
}

/// Number and time, in milliseconds of the hour, of the segments that a media playlist lists.
fn segments(playlist: &str) -> Vec<(u64, i64)> {
    let mut time = 0;
    let mut found = Vec::new();
    for line in playlist.lines() {
        if let Some(date) = line.strip_prefix("#EXT-X-PROGRAM-DATE-TIME:") {
            let digits = |from: usize, to: usize| date.get(from..to).and_then(|text| text.parse::<i64>().ok());
            time = digits(14, 16).unwrap_or(0) * 60_000 + digits(17, 19).unwrap_or(0) * 1_000;
            time += digits(20, 23).unwrap_or(0);
        } else if !line.starts_with('#') {
            found.extend(line.split('-').nth(1).and_then(|number| number.parse().ok()).map(|number| (number, time)));
        }
    }
    found
}

#[test]
fn all_sizes_are_offered_with_one_sound_and_are_cut_and_numbered_alike() -> Result<()> {
    let _turn = turn();
    let origin = Origin::start()?;
    let publisher = publish(&origin)?;
    fetch(&origin, INDEX)?;
    let index = fetch(&origin, INDEX)?.body;
    let variants: Vec<&str> = index.lines().filter(|line| line.starts_with("#EXT-X-STREAM-INF")).collect();
    ensure!(variants.len() == 3, "{index}");
    for (variant, size) in variants.iter().zip(["960x540", "480x270", "240x13"]) {
        ensure!(variant.contains(&format!("RESOLUTION={size}")), "{size}: {index}");
        ensure!(variant.contains("CODECS=\"avc1.") && variant.contains(",mp4a.40.2\""), "{index}");
        let rate = variant.split("FRAME-RATE=").nth(1).and_then(|rate| rate.split(',').next()?.parse::<f64>().ok());
        ensure!(rate.is_some_and(|rate| (5.0..=31.0).contains(&rate)), "{rate:?}: {index}");
        ensure!(variant.ends_with("AUDIO=\"audio\""), "{index}");
    }
    let bandwidths: Vec<u64> = variants
        .iter()
        .filter_map(|variant| variant.split("BANDWIDTH=").nth(1)?.split(',').next()?.parse().ok())
        .collect();
    ensure!(bandwidths.len() == 3 && bandwidths.is_sorted_by(|one, next| one > next), "{bandwidths:?}");
    ensure!(index.contains("TYPE=AUDIO,GROUP-ID=\"audio\"") && index.contains("DEFAULT=YES"), "{index}");
    let lists: Vec<String> =
        index.lines().filter(|line| !line.starts_with('#')).map(|line| beside(INDEX, line)).collect();
    std::thread::sleep(Duration::from_secs(8));
    let texts = lists.iter().map(|list| Ok(fetch(&origin, list)?.body)).collect::<Result<Vec<_>>>()?;
    let tag = |text: &str, tag: &str| text.lines().find_map(|line| line.strip_prefix(tag).map(str::to_owned));
    for text in &texts {
        let target = tag(text, "#EXT-X-TARGETDURATION:").context("no target duration")?;
        ensure!(Some(target) == tag(&texts[0], "#EXT-X-TARGETDURATION:"), "{texts:?}");
        let reports = text.lines().filter(|line| line.starts_with("#EXT-X-RENDITION-REPORT:")).count();
        ensure!(reports == 3, "{text}");
    }
    let all: Vec<_> = texts.iter().map(|text| segments(text)).collect();
    let mut apart = Vec::new();
    for (number, time) in &all[0] {
        for other in &all[1..] {
            apart.extend(other.iter().filter(|(same, _)| same == number).map(|(_, then)| then.abs_diff(*time)));
        }
    }
    apart.sort_unstable();
    report(&format!("the same segment of three sizes begins apart by {apart:?} ms; bandwidths {bandwidths:?}"));
    // The first may begin where a group of its own does.
    ensure!(apart.len() >= 4 && apart.get(apart.len() / 2).is_some_and(|middle| *middle < 300), "{all:?}");
    publisher.leave()?;
    origin.stop()?;
    Ok(())
}
