//! The test stream and the conversions at work in a hub, on a clock that runs as fast as the test.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use headwater_graph::{
    Bell, BoxFuture, Conversion, Converters, Cursor, Environment, Hub, HubOptions, Join, Next, Peer,
};
use headwater_media::{Codec, Frame, Packet, StreamName, TrackKind, TrackParameters};
use headwater_transcode::{PatternOptions, TestPattern, test_pattern, transcoder};

/// A clock that a test's sleeps move on.
struct Virtual(tokio::time::Instant);

impl Environment for Virtual {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        tokio::spawn(task);
    }

    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(time))
    }

    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }

    fn wall_clock(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(1_767_225_600_250) + self.0.elapsed()
    }
}

struct SoundOnly;

impl Converters for SoundOnly {
    fn packetizer(&self, _: &TrackParameters) -> Option<Box<dyn Conversion<Frame, Packet>>> {
        None
    }

    fn depacketizer(&self, _: &TrackParameters) -> Option<Box<dyn Conversion<Packet, Frame>>> {
        None
    }

    fn transcoder(
        &self,
        input: &TrackParameters,
        to: Codec,
    ) -> Option<(TrackParameters, Box<dyn Conversion<Frame, Frame>>)> {
        transcoder(input, to)
    }
}

/// A hub on which the test stream plays as `demo`.
async fn demo(sound: Codec) -> (Hub, tokio::task::JoinHandle<()>) {
    let environment: Arc<dyn Environment> = Arc::new(Virtual(tokio::time::Instant::now()));
    let hub = Hub::new(environment.clone(), HubOptions::default());
    hub.set_converters(Box::new(SoundOnly));
    let publication = hub.publish(name(), Peer::new("demo", "1")).unwrap();
    let options = PatternOptions { width: 320, height: 180, bitrate: 300_000, sound, ..PatternOptions::default() };
    let pattern = TestPattern::new(options).unwrap();
    let running = tokio::spawn(async move { test_pattern::run(pattern, publication, environment).await.unwrap() });
    (hub, running)
}

fn name() -> StreamName {
    "demo".parse().unwrap()
}

fn frames(cursor: &mut Cursor<Frame>) -> Vec<Frame> {
    let mut frames = Vec::new();
    loop {
        match cursor.next() {
            Next::Item(frame) => frames.push(frame.clone()),
            Next::Empty | Next::Ended => return frames,
            Next::Discontinuity | Next::Lost { .. } => panic!("the stream breaks"),
            _ => {}
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_test_stream_keeps_its_pace_and_gives_key_frames_on_demand() {
    let (hub, running) = demo(Codec::Opus).await;
    let subscription = hub.subscribe(&name(), Peer::new("test", "2")).await.unwrap();
    let bell = Bell::new();
    let stream = subscription.stream().clone();
    let video = stream.track(TrackKind::Video).unwrap();
    let audio = stream.track(TrackKind::Audio).unwrap();
    let mut pictures = subscription.frames(&video, &[Codec::H264], &bell, Join::At(0)).unwrap();
    let mut sounds = subscription.frames(&audio, &[Codec::Opus], &bell, Join::At(0)).unwrap();
    tokio::time::sleep(Duration::from_millis(2_510)).await;
    pictures.demand().request_key_frame();
    tokio::time::sleep(Duration::from_millis(490)).await;
    let (pictures, sounds) = (frames(&mut pictures), frames(&mut sounds));
    assert!((89..=91).contains(&pictures.len()), "{} pictures", pictures.len());
    assert!((148..=150).contains(&sounds.len()), "{} sounds", sounds.len());
    assert!(pictures.windows(2).all(|pair| pair[1].pts - pair[0].pts == 3_000));
    assert!(sounds.windows(2).all(|pair| pair[1].pts - pair[0].pts == 960));
    let keys: Vec<i64> = pictures.iter().filter(|frame| frame.random_access).map(|frame| frame.pts / 3_000).collect();
    assert_eq!(keys, [0, 30, 60, 76]);
    stream.terminate("enough");
    running.await.unwrap();
}

#[cfg(feature = "fdk-aac")]
#[tokio::test(start_paused = true)]
async fn aac_is_opus_for_who_wants_it_at_the_same_time() {
    let (hub, running) = demo(Codec::Aac).await;
    let subscription = hub.subscribe(&name(), Peer::new("test", "2")).await.unwrap();
    let bell = Bell::new();
    let stream = subscription.stream().clone();
    let audio = stream.track(TrackKind::Audio).unwrap();
    let mut native = subscription.frames(&audio, &[Codec::Aac], &bell, Join::At(0)).unwrap();
    let mut opus = subscription.frames(&audio, &[Codec::Opus], &bell, Join::At(0)).unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let (native, opus) = (frames(&mut native), frames(&mut opus));
    assert_eq!(native[0].pts, opus[0].pts);
    assert!(opus.windows(2).all(|pair| pair[1].pts - pair[0].pts == 960));
    let lag = native.last().unwrap().pts - opus.last().unwrap().pts;
    assert!((0..4_000).contains(&lag), "{lag} samples behind");
    assert!(stream.track(TrackKind::Audio).unwrap().renditions().len() == 2);
    stream.terminate("enough");
    running.await.unwrap();
}

#[test]
fn what_cannot_be_converted_is_not_offered() {
    let pattern = TestPattern::new(PatternOptions { width: 320, height: 180, ..PatternOptions::default() }).unwrap();
    assert!(transcoder(&pattern.audio_parameters(), Codec::Mp3).is_none());
    assert!(transcoder(&pattern.audio_parameters(), Codec::H264).is_none());
    assert!(transcoder(&pattern.video_parameters(), Codec::Vp8).is_none());
    let broken = TrackParameters { codec: Codec::Aac, ..pattern.audio_parameters() };
    assert!(transcoder(&TrackParameters { config: Default::default(), ..broken }, Codec::Opus).is_none());
}
