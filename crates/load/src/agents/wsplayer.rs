//! A viewer by WSPlayer: coded frames over WebSocket, as `docs/reference/wsplayer.md` has it.

use std::{
    cell::RefCell,
    time::{Duration, Instant},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use headwater_codec::parameters;
use headwater_media::{ClockRate, Codec, Frame, TrackKind};
use headwater_net::Dialed;
use serde_json::Value;
use tokio_tungstenite::{WebSocketStream, tungstenite::Bytes};

use super::{
    Seat,
    screen::Screen,
    websocket::{self, Heard},
};
use crate::{Failure, failure::Reason, worker::Worker};

/// Bytes before those of a frame.
const HEAD_BYTES: usize = 20;
const RANDOM_ACCESS: u8 = 1;
const BREAK: u8 = 2;
const CODECS: [Codec; 7] = [Codec::H264, Codec::H265, Codec::Vp8, Codec::Vp9, Codec::Av1, Codec::Aac, Codec::Opus];

/// Plays the stream until told to stop.
///
/// # Errors
/// Why it did not come about or did not stay.
pub(super) async fn play(seat: &Seat, worker: &Worker) -> Result<(), Failure> {
    websocket::play(seat, worker, receive).await
}

async fn receive(socket: &mut WebSocketStream<Dialed>, screen: &RefCell<Screen<'_>>) -> Result<(), Failure> {
    let mut tracks: Vec<(u8, Codec)> = Vec::new();
    loop {
        let heard = websocket::hear(socket).await?;
        let (now, mut screen) = (Instant::now(), screen.borrow_mut());
        match heard {
            Heard::Text(message) if message["type"] == "tracks" => {
                screen.join();
                tracks = message["tracks"].as_array().into_iter().flatten().filter_map(track).collect();
                let told = message["tracks"].as_array().into_iter().flatten().filter_map(told);
                told.for_each(|parameters| screen.parameters(parameters));
            }
            Heard::Text(_) => {}
            Heard::Media(bytes) => {
                screen.bytes(bytes.len());
                take(&bytes, &tracks, &mut screen, now)?;
            }
        }
    }
}

fn take(message: &Bytes, tracks: &[(u8, Codec)], screen: &mut Screen<'_>, now: Instant) -> Result<(), Failure> {
    let wrong = |words: &str| Failure::new(Reason::Protocol, words);
    let Some(([id, flags, _, _, times @ ..], _)) = message.split_first_chunk::<HEAD_BYTES>() else {
        return Err(wrong("a frame is shorter than its head"));
    };
    let codec = tracks.iter().find(|(known, _)| known == id).map(|(_, codec)| *codec);
    let codec = codec.ok_or_else(|| wrong("a frame is of a track that was not told of"))?;
    if codec.kind() == TrackKind::Audio {
        screen.sound(now);
        return Ok(());
    }
    if flags & BREAK != 0 {
        screen.break_off();
    }
    let [dts, pts] = [times.first_chunk::<8>(), times.last_chunk::<8>()]
        .map(|time| time.map_or(0, |time| u64::try_from(i64::from_be_bytes(*time)).unwrap_or(0)))
        .map(Duration::from_micros);
    let frame = Frame {
        dts: ClockRate::VIDEO.ticks(dts),
        pts: ClockRate::VIDEO.ticks(pts),
        random_access: flags & RANDOM_ACCESS != 0,
        data: message.slice(HEAD_BYTES..),
    };
    screen.picture(Some(codec), dts, frame, now);
    Ok(())
}

/// Number and codec of a track that is told of.
fn track(told: &Value) -> Option<(u8, Codec)> {
    let id = u8::try_from(told["id"].as_u64()?).ok()?;
    let codec = CODECS.into_iter().find(|codec| told["format"] == codec.name())?;
    Some((id, codec))
}

/// What a decoder of a picture must know.
fn told(told: &Value) -> Option<headwater_media::TrackParameters> {
    let (_, codec) = track(told).filter(|(_, codec)| codec.kind() == TrackKind::Video)?;
    let record = BASE64_STANDARD.decode(told["description"].as_str().unwrap_or_default()).ok()?;
    parameters::from_config(codec, record.into()).ok()
}
