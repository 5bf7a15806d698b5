use std::sync::Arc;

use bytes::Bytes;
use headwater_graph::{Bell, Hub, HubOptions, Join, Next, Peer, Stream, StreamState};
use headwater_media::{Frame, StreamName, TrackKind};
use headwater_net::TokioEnvironment;

use super::ToStream;
use crate::{
    config::RtmpConfig,
    context::Context,
    wire::server::{Media, MediaKind},
};

struct Rig {
    to_stream: ToStream,
    stream: Arc<Stream>,
}

impl Rig {
    fn new() -> Rig {
        let hub = Hub::new(Arc::new(TokioEnvironment::current()), HubOptions::default());
        let publication = hub.publish(StreamName::new("x").unwrap(), Peer::new("test", "1")).unwrap();
        let stream = publication.stream().clone();
        Rig { to_stream: ToStream::new(Context::new(hub, RtmpConfig::default()), publication), stream }
    }

    fn push(&mut self, kind: MediaKind, timestamp: u32, body: &[u8]) {
        self.to_stream.push(Media { kind, timestamp, body: Bytes::copy_from_slice(body) });
    }

    fn frames(&self, kind: TrackKind) -> Vec<Frame> {
        let track = self.stream.track(kind).unwrap();
        let codec = track.native().parameters().unwrap().codec;
        let subscription = futures_util::FutureExt::now_or_never(
            self.to_stream.context.hub().subscribe(self.stream.name(), Peer::new("test", "2")),
        );
        let subscription = subscription.unwrap().unwrap();
        let mut cursor = subscription.frames(&track, &[codec], &Bell::new(), Join::At(0)).unwrap();
        let mut frames = Vec::new();
        loop {
            match cursor.next() {
                Next::Item(frame) => frames.push(frame.clone()),
                Next::Empty | Next::Ended => return frames,
                _ => {}
            }
        }
    }
}

const ASC: &[u8] = &[0xaf, 0, 0x12, 0x10];

#[tokio::test]
async fn sound_in_whole_milliseconds_comes_back_to_its_samples() {
    let mut rig = Rig::new();
    rig.push(MediaKind::Audio, 0, ASC);
    for frame in 0..100u32 {
        let rounded = (frame * 1_024 * 1_000 + 22_050) / 44_100;
        rig.push(MediaKind::Audio, rounded, &[0xaf, 1, 1]);
    }
    let times: Vec<i64> = rig.frames(TrackKind::Audio).iter().map(|frame| frame.pts).collect();
    assert_eq!(times, (0..100).map(|frame| frame * 1_024).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_hole_in_the_sound_stays_a_hole() {
    let mut rig = Rig::new();
    rig.push(MediaKind::Audio, 0, ASC);
    for timestamp in [0, 23, 546, 569] {
        rig.push(MediaKind::Audio, timestamp, &[0xaf, 1, 1]);
    }
    rig.push(MediaKind::Audio, 2_000, &[0xaf, 1, 1]);
    let times: Vec<i64> = rig.frames(TrackKind::Audio).iter().map(|frame| frame.pts).collect();
    assert_eq!(times[..2], [0, 1_024]);
    assert_eq!((times[2] * 1_000 / 44_100, times[3] - times[2]), (546, 1_024));
}

#[tokio::test]
async fn reordered_pictures_keep_their_times_and_decoding_order() {
    let mut rig = Rig::new();
    let avc = |key: bool, composition: u8| [if key { 0x17 } else { 0x27 }, 1, 0, 0, composition, 0, 0, 0, 1, 7];
    let record = [&[0x17, 0, 0, 0, 0, 1, 0x64, 0, 0x1e, 0xff, 0xe0, 0][..]].concat();
    rig.push(MediaKind::Video, 0, &record);
    for (timestamp, key, composition) in [(0, true, 80), (40, false, 160), (80, false, 40), (70, false, 90)] {
        rig.push(MediaKind::Video, timestamp, &avc(key, composition));
    }
    rig.push(MediaKind::Video, 1_500, &avc(false, 0));
    let frames = rig.frames(TrackKind::Video);
    let times: Vec<(i64, i64)> = frames.iter().take(4).map(|frame| (frame.dts / 90, frame.pts / 90)).collect();
    assert_eq!(times, [(0, 80), (40, 200), (80, 120), (80, 160)], "decoding times never run backwards");
}

#[tokio::test]
async fn viewers_are_let_in_when_the_announced_tracks_are_there() {
    let mut rig = Rig::new();
    let mut announce = bytes::BytesMut::new();
    let object = headwater_flv::amf::Object::new().with("audiocodecid", 10.0);
    headwater_flv::amf::write_amf0(&"onMetaData".into(), &mut announce);
    headwater_flv::amf::write_amf0(&object.into(), &mut announce);
    rig.push(MediaKind::Data, 0, &announce);
    assert_eq!(rig.stream.state(), StreamState::Starting);
    rig.push(MediaKind::Audio, 0, ASC);
    assert_eq!(rig.stream.state(), StreamState::Live, "sound alone was announced");
}

#[tokio::test]
async fn without_an_announcement_a_second_of_sound_alone_lets_viewers_in() {
    let mut rig = Rig::new();
    rig.push(MediaKind::Audio, 0, ASC);
    for timestamp in (0..1_000).step_by(20) {
        rig.push(MediaKind::Audio, timestamp, &[0xaf, 1, 1]);
    }
    assert_eq!(rig.stream.state(), StreamState::Starting);
    rig.push(MediaKind::Audio, 1_000, &[0xaf, 1, 1]);
    assert_eq!(rig.stream.state(), StreamState::Live);
}

#[tokio::test]
async fn frames_before_their_sequence_header_are_passed_over() {
    let mut rig = Rig::new();
    rig.push(MediaKind::Audio, 0, &[0xaf, 1, 1]);
    assert!(rig.stream.tracks().is_empty());
    rig.push(MediaKind::Audio, 20, b"\x91Opus\xfc");
    assert_eq!(rig.stream.tracks().len(), 1, "but Opus needs none");
}

/// A record of VP9 in the form of Enhanced RTMP, and a key frame of profile 0 (VP9 bitstream specification §6.2).
#[tokio::test]
async fn the_size_of_vp9_is_learnt_from_its_key_frames_and_kept_when_its_record_comes_again() {
    const RECORD: &[u8] = &[0x90, b'v', b'p', b'0', b'9', 1, 0, 0, 0, 0, 21, 0x82, 2, 2, 2, 0, 0];
    let key = |width: u16, height: u16| {
        let size = (u32::from(width - 1) << 16) | u32::from(height - 1);
        // Colour space 1 and range 0 are four bits, after which the size begins in mid-byte.
        let bits = (0x2_u64 << 32 | u64::from(size)) << 4;
        [&[0x91, b'v', b'p', b'0', b'9', 0x82, 0x49, 0x83, 0x42][..], &bits.to_be_bytes()[3..], &[0; 8]].concat()
    };
    let mut rig = Rig::new();
    let size = |rig: &Rig| {
        let parameters = rig.stream.track(TrackKind::Video).unwrap().native().parameters().unwrap();
        parameters.video().map(|video| (video.width, video.height)).unwrap()
    };
    rig.push(MediaKind::Video, 0, RECORD);
    assert_eq!(size(&rig), (0, 0));
    rig.push(MediaKind::Video, 0, &key(480, 270));
    assert_eq!(size(&rig), (480, 270));
    rig.push(MediaKind::Video, 40, RECORD);
    assert_eq!(size(&rig), (480, 270));
    rig.push(MediaKind::Video, 40, &key(640, 360));
    assert_eq!(size(&rig), (640, 360));
}
