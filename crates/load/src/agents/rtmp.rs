//! RTMP: viewers on their workers, and publishers (Adobe RTMP 1.0, enhanced RTMP v2).

use std::{
    cell::RefCell,
    time::{Duration, Instant},
};

use bytes::BytesMut;
use headwater_codec::parameters;
use headwater_flv::{Media as Tag, MediaReader};
use headwater_media::{ClockRate, Frame, TrackKind};
use headwater_net::{Dialed, Dialer};
use headwater_rtmp::{
    Context, RtmpError, client,
    wire::{
        WireError,
        client::{Conversation, Event, Intent, Request},
        server::{Media, MediaKind},
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::{
    Seat,
    publish::Flowing,
    screen::{self, Count, Screen},
};
use crate::{Failure, failure::Reason, plan::Target, source::Source, worker::Worker};

/// Chunks that viewers send, which is little.
const CHUNK_BYTES: u32 = 4_096;
/// Room for one read.
const READ_BYTES: usize = 32 << 10;

/// Plays the stream until told to stop.
///
/// # Errors
/// Why it did not come about or did not stay.
pub(super) async fn play(seat: &Seat, worker: &Worker) -> Result<(), Failure> {
    let io = tokio::select! {
        () = seat.stop.cancelled() => return Ok(()),
        dialed = dial(&worker.dialer, &seat.target) => dialed?,
    };
    let url = seat.target.rtmp().map_err(Failure::generator)?;
    let request = Request { intent: Intent::Play, app: url.app.clone(), tc_url: url.tc_url(), key: url.key };
    let mut viewer = Viewer {
        io,
        conversation: Conversation::new(request, CHUNK_BYTES, rand::random()),
        input: BytesMut::with_capacity(READ_BYTES),
        media: MediaReader::new(),
        time: Count::of_bits(32),
    };
    let screen = Screen::live(seat, worker);
    let watched = screen::watch(&screen, seat, viewer.receive(seat, &screen)).await;
    viewer.leave().await;
    watched
}

async fn dial(dialer: &Dialer, target: &Target) -> Result<Dialed, Failure> {
    let (host, port) = target.place();
    Ok(dialer.dial(host, port, target.is_secure()).await?)
}

struct Viewer {
    io: Dialed,
    conversation: Conversation,
    input: BytesMut,
    media: MediaReader,
    time: Count,
}

impl Viewer {
    async fn receive(&mut self, seat: &Seat, screen: &RefCell<Screen<'_>>) -> Result<(), Failure> {
        loop {
            let now = Instant::now();
            while let Some(event) = self.conversation.read(&mut self.input, now)? {
                match event {
                    Event::Started => screen.borrow_mut().join(),
                    Event::Media(media) => self.take(media, &mut screen.borrow_mut(), now),
                    Event::Ended => return Err(Failure::new(Reason::Ended, "the server says that the stream is over")),
                    Event::Refused { code, reason } => {
                        return Err(refused(&code, &seat.target.hide(&format!("{code}: {reason}"))));
                    }
                }
            }
            self.send().await?;
            self.input.reserve(READ_BYTES);
            if self.io.read_buf(&mut self.input).await.map_err(lost)? == 0 {
                return Err(Failure::new(Reason::Lost, "the server has closed the connection"));
            }
        }
    }

    async fn send(&mut self) -> Result<(), Failure> {
        let output = self.conversation.output();
        if !output.is_empty() {
            self.io.write_all_buf(output).await.map_err(lost)?;
            self.io.flush().await.map_err(lost)?;
        }
        Ok(())
    }

    fn take(&mut self, media: Media, screen: &mut Screen<'_>, now: Instant) {
        screen.bytes(media.body.len());
        let events = match media.kind {
            MediaKind::Audio => self.media.audio(media.body),
            MediaKind::Video => self.media.video(media.body),
            MediaKind::Data => return,
        };
        let events = events.inspect_err(|error| tracing::debug!(%error, "a tag is passed over"));
        for event in events.unwrap_or_default().into_iter().filter(|event| event.track == 0) {
            match (event.codec.kind(), event.media) {
                (TrackKind::Video, Tag::Config(record)) => {
                    if let Ok(parameters) = parameters::from_config(event.codec, record) {
                        screen.parameters(parameters);
                    }
                }
                (TrackKind::Video, Tag::Frame(frame)) => {
                    let ms = self.time.follow(media.timestamp.into());
                    let time = Duration::from_millis(ms) + Duration::from_nanos(frame.nanos.into());
                    let dts = ClockRate::VIDEO.ticks(time);
                    let data = Frame { dts, pts: dts, random_access: frame.key, data: frame.data };
                    screen.picture(Some(event.codec), time, data, now);
                }
                (TrackKind::Audio, Tag::Frame(_)) => screen.sound(now),
                _ => {}
            }
        }
    }

    /// Says goodbye; whether that is heard is not asked.
    async fn leave(&mut self) {
        self.conversation.close();
        let farewell = async {
            let _ = self.send().await;
            let _ = self.io.shutdown().await;
        };
        let _ = timeout(screen::FAREWELL, farewell).await;
    }
}

/// What publishers of RTMP have in common.
pub(super) struct Publishing {
    context: Context,
    dialer: Dialer,
}

impl Publishing {
    pub(super) fn new(source: &Source, dialer: Dialer) -> Publishing {
        Publishing { context: Context::new(source.hub().clone(), headwater_rtmp::RtmpConfig::default()), dialer }
    }

    /// Publishes until told to stop.
    ///
    /// # Errors
    /// Why it did not come about or did not stay.
    pub(super) async fn send(
        &self,
        source: &Source,
        target: &Target,
        agent: u32,
        told: &Flowing<'_>,
        stop: &CancellationToken,
    ) -> Result<(), Failure> {
        use headwater_agent::Bringing;
        let url = target.rtmp().map_err(Failure::generator)?;
        let io = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            dialed = dial(&self.dialer, target) => dialed?,
        };
        let subscription = source.subscribe(agent).await?;
        let pushing = client::Pushing::default();
        let mut pushed = std::pin::pin!(client::push(io, &url, subscription, &pushing, &self.context, stop));
        let pushed = tokio::select! {
            biased;
            pushed = &mut pushed => pushed,
            () = pushing.begun() => {
                told.flows();
                pushed.await
            }
            () = stop.cancelled() => return Ok(()),
        };
        match pushed {
            Ok(()) if stop.is_cancelled() => Ok(()),
            Ok(()) => Err(Failure::new(Reason::Ended, "the server says that the stream is over")),
            Err(error) => Err(of_push(error, target)),
        }
    }
}

fn of_push(error: RtmpError, target: &Target) -> Failure {
    let words = target.hide(&error.to_string());
    match error {
        RtmpError::Wire(error) => error.into(),
        RtmpError::Refused { code, .. } => refused(&code, &words),
        RtmpError::TimedOut(_) => Failure::new(Reason::NoAnswer, words),
        RtmpError::Io(_) | RtmpError::Closed(_) => Failure::new(Reason::Lost, words),
        _ => Failure::generator(words),
    }
}

/// Servers say why in words of their own; the codes are few.
fn refused(code: &str, words: &str) -> Failure {
    let lower = words.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let reason = match code {
        "NetStream.Play.StreamNotFound" => Reason::NoStream,
        _ if says(&["not found", "no such stream"]) => Reason::NoStream,
        _ if says(&["denied", "not allowed", "unauthorized", "forbidden", "not authorized", "may not", "token"]) => {
            Reason::Denied
        }
        _ => Reason::Refused,
    };
    Failure::new(reason, words)
}

fn lost(error: std::io::Error) -> Failure {
    Failure::new(Reason::Lost, format!("the connection broke: {error}"))
}

impl From<WireError> for Failure {
    fn from(error: WireError) -> Failure {
        Failure::new(Reason::Protocol, error)
    }
}
