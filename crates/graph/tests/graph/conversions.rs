//! Derived lanes: made once, shared, stopped when unused.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use headwater_graph::{Bell, Conversion, ConvertError, Converters, Cursor, Join, LaneItem, LaneWriter, Next, Peer};
use headwater_media::{Codec, Frame, Packet, TrackKind, TrackParameters};

use crate::support::{audio, frame, hub, name, publish, video};

/// Counts the conversions that are made and that end.
#[derive(Clone, Default)]
struct Counted {
    made: Arc<AtomicUsize>,
    at_work: Arc<AtomicUsize>,
}

struct ToPackets(Arc<AtomicUsize>);

struct ToOpus(Arc<AtomicUsize>);

impl Conversion<Frame, Packet> for ToPackets {
    fn parameters(&mut self, parameters: &Arc<TrackParameters>, out: &mut LaneWriter<Packet>) {
        out.share_parameters(parameters);
    }

    fn item(&mut self, item: &Frame, out: &mut LaneWriter<Packet>) {
        assert!(item.data.first() != Some(&255), "a frame that breaks this conversion");
        out.push(Packet {
            sequence: item.dts as u64,
            timestamp: item.pts,
            marker: true,
            random_access: item.random_access,
            orientation: Default::default(),
            payload: item.data.to_vec().into(),
        });
    }

    fn discontinuity(&mut self, out: &mut LaneWriter<Packet>) {
        out.discontinuity();
    }
}

impl Conversion<Frame, Frame> for ToOpus {
    fn parameters(&mut self, _: &Arc<TrackParameters>, out: &mut LaneWriter<Frame>) {
        out.set_parameters(audio(Codec::Opus));
    }

    fn item(&mut self, item: &Frame, out: &mut LaneWriter<Frame>) {
        out.push(item.clone());
    }

    fn discontinuity(&mut self, out: &mut LaneWriter<Frame>) {
        out.discontinuity();
    }
}

impl Drop for ToPackets {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Drop for ToOpus {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Counted {
    fn count(&self) -> Arc<AtomicUsize> {
        self.made.fetch_add(1, Ordering::SeqCst);
        self.at_work.fetch_add(1, Ordering::SeqCst);
        self.at_work.clone()
    }

    fn numbers(&self) -> (usize, usize) {
        (self.made.load(Ordering::SeqCst), self.at_work.load(Ordering::SeqCst))
    }
}

impl Converters for Counted {
    fn packetizer(&self, _: &TrackParameters) -> Option<Box<dyn Conversion<Frame, Packet>>> {
        Some(Box::new(ToPackets(self.count())))
    }

    fn depacketizer(&self, _: &TrackParameters) -> Option<Box<dyn Conversion<Packet, Frame>>> {
        None
    }

    fn transcoder(
        &self,
        input: &TrackParameters,
        to: Codec,
    ) -> Option<(TrackParameters, Box<dyn Conversion<Frame, Frame>>)> {
        (input.codec == Codec::Aac && to == Codec::Opus)
            .then(|| (audio(Codec::Opus), Box::new(ToOpus(self.count())) as Box<_>))
    }
}

/// The next item, waiting for the bell as often as it takes.
async fn next_item<T: LaneItem + Clone>(cursor: &mut Cursor<T>, bell: &Bell) -> Option<T> {
    loop {
        match cursor.next() {
            Next::Item(item) => return Some(item.clone()),
            Next::Empty => bell.rung().await,
            Next::Ended => return None,
            _ => {}
        }
    }
}

async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn packets_are_derived_once_for_all_and_stop_when_the_last_reader_leaves() {
    let (hub, counted) = (hub(), Counted::default());
    hub.set_converters(Box::new(counted.clone()));
    let mut publication = publish(&hub, "camera");
    let mut writer = publication.add_frames(video(Codec::H264)).unwrap();
    publication.ready();
    writer.push(frame(0, true));
    writer.push(frame(1, false));
    writer.ring();
    assert_eq!(counted.numbers(), (0, 0), "nobody has asked");

    let subscription = hub.subscribe(&name("camera"), Peer::new("WebRTC", "1")).await.unwrap();
    let track = subscription.stream().track(TrackKind::Video).unwrap();
    let bell = Bell::new();
    let accept = [Codec::Vp8, Codec::H264];
    let mut cursors: Vec<_> =
        (0..10).map(|_| subscription.packets(&track, &accept, &bell, Join::NewestGroup).unwrap()).collect();
    for cursor in &mut cursors {
        assert_eq!(next_item(cursor, &bell).await.unwrap().timestamp, 0);
        assert_eq!(next_item(cursor, &bell).await.unwrap().timestamp, 3_000);
    }
    assert_eq!(counted.numbers(), (1, 1));
    assert!(track.native().derives());

    cursors.truncate(1);
    settle().await;
    assert_eq!(counted.numbers(), (1, 1));
    cursors.clear();
    settle().await;
    assert_eq!(counted.numbers(), (1, 0));
    assert!(!track.native().derives());

    let mut again = subscription.packets(&track, &accept, &bell, Join::NewestGroup).unwrap();
    assert_eq!(next_item(&mut again, &bell).await.unwrap().timestamp, 0);
    assert_eq!(counted.numbers(), (2, 1));
}

#[tokio::test]
async fn a_codec_conversion_and_its_packets_are_made_once_and_stop_together() {
    let (hub, counted) = (hub(), Counted::default());
    hub.set_converters(Box::new(counted.clone()));
    let mut publication = publish(&hub, "radio");
    let mut writer = publication.add_frames(audio(Codec::Aac)).unwrap();
    publication.ready();
    writer.push(frame(0, true));
    writer.ring();
    let subscription = hub.subscribe(&name("radio"), Peer::new("WebRTC", "1")).await.unwrap();
    let track = subscription.stream().track(TrackKind::Audio).unwrap();
    let bell = Bell::new();
    let mut cursors: Vec<_> = (0..5)
        .map(|_| subscription.packets(&track, &[Codec::Opus, Codec::Pcmu], &bell, Join::NewestGroup).unwrap())
        .collect();
    assert_eq!(next_item(&mut cursors[4], &bell).await.unwrap().timestamp, 0);
    assert_eq!(cursors[4].parameters().unwrap().codec, Codec::Opus);
    assert_eq!(counted.numbers(), (2, 2), "one transcoder and one packetizer");
    assert_eq!(track.renditions().len(), 2);
    assert_eq!(track.renditions()[1].converted_from(), Some(Codec::Aac));
    cursors.clear();
    settle().await;
    assert_eq!(counted.numbers(), (2, 0));
    assert_eq!(track.renditions().len(), 1);
}

#[tokio::test]
async fn a_codec_that_nothing_leads_to_is_refused_in_words() {
    let (hub, counted) = (hub(), Counted::default());
    hub.set_converters(Box::new(counted));
    let mut publication = publish(&hub, "film");
    let _writer = publication.add_frames(video(Codec::H265)).unwrap();
    publication.ready();
    let subscription = hub.subscribe(&name("film"), Peer::new("WebRTC", "1")).await.unwrap();
    let track = subscription.stream().track(TrackKind::Video).unwrap();
    let refused = subscription.packets(&track, &[Codec::H264, Codec::Vp8], &Bell::new(), Join::Live).unwrap_err();
    assert_eq!(refused.to_string(), "the video is H265, and this server cannot convert it to H264 or VP8");
    assert!(matches!(refused, ConvertError::NoConversion { .. }));
}

#[tokio::test]
async fn a_conversion_that_panics_ends_its_readers_and_nothing_else() {
    let (hub, counted) = (hub(), Counted::default());
    hub.set_converters(Box::new(counted.clone()));
    let mut publication = publish(&hub, "camera");
    let mut writer = publication.add_frames(video(Codec::H264)).unwrap();
    publication.ready();
    let subscription = hub.subscribe(&name("camera"), Peer::new("WebRTC", "1")).await.unwrap();
    let track = subscription.stream().track(TrackKind::Video).unwrap();
    let bell = Bell::new();
    let mut packets = subscription.packets(&track, &[Codec::H264], &bell, Join::NewestGroup).unwrap();
    let mut frames = subscription.frames(&track, &[Codec::H264], &bell, Join::NewestGroup).unwrap();
    writer.push(Frame { data: vec![255].into(), ..frame(0, true) });
    writer.ring();
    assert!(next_item(&mut packets, &bell).await.is_none(), "readers of the broken conversion come to an end");
    assert_eq!(next_item(&mut frames, &bell).await.unwrap().dts, 0, "others go on");
    writer.push(frame(1, true));
    writer.ring();
    let mut again = subscription.packets(&track, &[Codec::H264], &bell, Join::NewestGroup).unwrap();
    assert_eq!(next_item(&mut again, &bell).await.unwrap().timestamp, 3_000, "who comes now gets a new conversion");
}
