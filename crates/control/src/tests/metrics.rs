//! Totals, rates and the page of metrics.

use std::time::Duration;

use headwater_media::limits;
use serde_json::json;

use super::{Server, frame};

#[tokio::test(start_paused = true)]
async fn rates_and_totals_are_kept_also_of_those_who_left() {
    let server = Server::new();
    let control = server.control.clone();
    let books = tokio::spawn(async move { control.run().await });
    tokio::task::yield_now().await;
    let mut source = server.publish("a");
    let viewer = server.watch("a", "v1").await;
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    for index in 0..50 {
        source.video.push(frame(index, index));
    }
    viewer.viewer().count_sent(20_000);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (_, found) = server.post("find", json!({"name": "a", "published": true})).await;
    assert_eq!((found[0]["bitrate"].as_u64(), found[0]["fps"].as_f64()), (Some(200_000), Some(25.0)), "{found}");
    let (_, found) = server.post("find", json!({"published": false})).await;
    assert_eq!(found[0]["bitrate"].as_u64(), Some(80_000));

    viewer.viewer().count_sent(1_000);
    drop(viewer);
    drop(source);
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    let metrics = server.metrics().await;
    for line in [
        "headwater_media_bytes_total{protocol=\"RTMP\",direction=\"in\"} 50000",
        "headwater_media_items_total{protocol=\"RTMP\",direction=\"in\"} 50",
        "headwater_media_bytes_total{protocol=\"WebRTC\",direction=\"out\"} 21000",
        "headwater_publishers_opened_total{protocol=\"RTMP\"} 1",
        "headwater_viewers_opened_total{protocol=\"WebRTC\"} 1",
        "headwater_viewers_closed_total{protocol=\"WebRTC\"} 1",
        "headwater_streams_ended_total 1",
        "headwater_first_media_seconds_count{protocol=\"WebRTC\"} 1",
        "headwater_first_media_seconds_bucket{le=\"5.0\",protocol=\"WebRTC\"} 1",
        "headwater_first_media_seconds_bucket{le=\"2.0\",protocol=\"WebRTC\"} 0",
        "headwater_first_media_seconds_bucket{le=\"+Inf\",protocol=\"WebRTC\"} 1",
    ] {
        assert!(metrics.lines().any(|found| found.starts_with(line)), "{line}\n{metrics}");
    }
    assert!(!metrics.lines().any(|line| line.starts_with("headwater_viewers{")), "{metrics}");
    books.abort();
}

#[tokio::test]
async fn metrics_are_well_formed_and_their_number_does_not_depend_on_streams() {
    let server = Server::new();
    let lines = |text: &str| text.lines().filter(|line| !line.starts_with('#')).count();
    let _source = server.publish("a");
    let before = lines(&server.metrics().await);
    let _more: Vec<_> = (0..50).map(|index| server.publish(&format!("s{index}"))).collect();
    limits::SDP_LINES.hit();
    let metrics = server.metrics().await;
    assert_eq!(lines(&metrics), before);
    assert!(metrics.ends_with("# EOF\n"));
    for line in metrics.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            assert!(["HELP ", "TYPE ", "EOF"].iter().any(|kind| comment.starts_with(kind)), "{line}");
            continue;
        }
        let (name, value) = line.rsplit_once(' ').unwrap();
        assert!(name.starts_with("headwater_") && value.parse::<f64>().is_ok(), "{line}");
    }
    assert!(metrics.contains("headwater_streams{protocol=\"RTMP\"} 51"), "{metrics}");
    assert!(metrics.contains("headwater_limit_hits_total{limit=\"sdp_lines\"}"));
    for name in ["cpu_seconds_total", "resident_memory_bytes", "open_fds", "threads"] {
        let start = format!("headwater_process_{name} ");
        let line = metrics.lines().find(|line| line.starts_with(&start)).unwrap();
        assert!(cfg!(not(target_os = "linux")) || line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap() >= 0.0);
    }
}
