use headwater_codec::{h264, nal::Nals};
use headwater_flv::{MediaWriter, tag};
use headwater_graph::{Bell, Join, Next};
use headwater_media::TrackKind;

use super::*;

fn small() -> SourcePlan {
    SourcePlan { width: 320, height: 180, frame_rate: 10, bitrate: 200_000, file: None }
}

#[test]
fn the_test_picture_can_be_repeated_from_its_first_key_frame() {
    let reel = pattern::make(&small()).unwrap();
    assert_eq!(reel.length, Duration::from_secs(4));
    let pictures: Vec<&Item> = reel.items.iter().filter(|item| item.is_video).collect();
    assert_eq!((pictures.len(), reel.items.len() - pictures.len()), (40, 200));
    let keys: Vec<usize> =
        pictures.iter().enumerate().filter(|(_, item)| item.random_access).map(|(index, _)| index).collect();
    assert_eq!(keys, [0, 10, 20, 30]);
    assert!(reel.items.is_sorted_by_key(|item| item.at) && reel.items.iter().all(|item| item.at < reel.length));
}

/// The test picture as a file of FLV.
fn flv(reel: &Reel) -> Vec<u8> {
    let mut file = tag::file_header(true, true).to_vec();
    let mut put = |kind, at: Duration, body: Vec<u8>| {
        file.extend(tag::tag_header(kind, body.len(), at.as_millis() as u32).unwrap());
        file.extend(&body);
        file.extend(tag::back_pointer(body.len()));
    };
    let video = MediaWriter::new(&reel.video).unwrap();
    let audio = MediaWriter::new(reel.audio.as_ref().unwrap()).unwrap();
    for (kind, writer) in [(tag::TagKind::Video, &video), (tag::TagKind::Audio, &audio)] {
        let (prefix, record) = writer.config().unwrap();
        put(kind, Duration::ZERO, [&prefix[..], &record].concat());
    }
    for item in &reel.items {
        let (kind, writer) = if item.is_video { (tag::TagKind::Video, &video) } else { (tag::TagKind::Audio, &audio) };
        put(kind, item.at, [&writer.frame(item.random_access, 0)[..], &item.data].concat());
    }
    file
}

#[test]
fn a_file_of_flv_is_read_as_it_was_written() {
    let made = pattern::make(&small()).unwrap();
    let file = flv(&made);
    let read = file::parse(&file).unwrap();
    assert_eq!((read.video.codec, read.audio.unwrap().codec), (Codec::H264, Codec::Opus));
    assert_eq!(read.length, made.length);
    assert_eq!(read.items.len(), made.items.len());
    assert!(read.items.iter().zip(&made.items).all(|(read, made)| read.data == made.data && read.at == made.at));
    for wrong in [&b""[..], b"FLV", b"MP4 or so", &file[..60]] {
        assert!(file::parse(wrong).is_err());
    }
}

#[tokio::test]
async fn every_picture_that_is_sent_says_when() {
    let source = Source::start(&small()).await.unwrap();
    let subscription = source.subscribe(1).await.unwrap();
    let track = subscription.stream().track(TrackKind::Video).unwrap();
    let bell = Bell::new();
    let mut cursor = track.native().frames(&bell, Join::NewestGroup).unwrap();
    let mut times = Vec::new();
    while times.len() < 5 {
        match cursor.next() {
            Next::Item(frame) => {
                let sei = Nals::new(&frame.data).map(Result::unwrap).find(|nal| h264::unit_type(nal) == 6);
                times.push(stamp::of_nal(sei.unwrap()).unwrap());
            }
            _ => bell.rung().await,
        }
    }
    let now = now_micros();
    assert!(times.is_sorted() && times.iter().all(|time| now - time < 10_000_000), "{times:?} at {now}");
}
