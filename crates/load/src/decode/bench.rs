//! The thread that decodes.

use std::{
    sync::{Arc, mpsc::Receiver},
    time::{Duration, Instant},
};

use headwater_media::{ClockRate, Codec, Format, Frame, Packet, TrackParameters, VideoFormat};
use headwater_rtp::{Depacketized, Depacketizer, Reorder};

use super::{Piece, Verdict, h264::Pictures};
use crate::{figures::Board, outcome::DecodedRow};

/// Within this time there is a key frame, of most encoders; a turn that is cut shorter shows nothing.
const KEY_FRAME_TIME: Duration = Duration::from_millis(2_500);

/// Decodes what comes, until nobody sends any more.
pub(super) fn run(pieces: &Receiver<Piece>) {
    let mut turn: Option<Listening> = None;
    loop {
        let piece = match pieces.recv_timeout(Duration::from_secs(1)) {
            Ok(piece) => piece,
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {
                turn.iter_mut().for_each(Listening::tell);
                continue;
            }
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => break,
        };
        match piece {
            Piece::Begin(board, codec) => {
                turn.take().into_iter().for_each(Listening::end);
                turn = Some(Listening::new(board, codec));
            }
            Piece::End => turn.take().into_iter().for_each(Listening::end),
            Piece::Packet(packet) => turn.iter_mut().for_each(|turn| turn.packet(&packet)),
            Piece::Parameters(parameters) => turn.iter_mut().for_each(|turn| turn.pictures.configure(&parameters)),
            Piece::Frame(frame) => turn.iter_mut().for_each(|turn| turn.frame(&frame)),
        }
    }
    turn.into_iter().for_each(Listening::end);
}

/// One agent's turn.
struct Listening {
    board: Arc<Board>,
    begun: Instant,
    order: Reorder,
    frames: Option<Box<dyn Depacketizer>>,
    pictures: Pictures,
    is_h264: bool,
    has_picture: bool,
    /// Whether anything has come: where segments are longer than a turn, nothing may.
    has_input: bool,
    found: DecodedRow,
}

impl Listening {
    fn new(board: Arc<Board>, codec: Codec) -> Listening {
        let parameters = TrackParameters {
            codec,
            clock_rate: ClockRate::VIDEO,
            format: Format::Video(VideoFormat::default()),
            config: bytes::Bytes::new(),
        };
        Listening {
            board,
            begun: Instant::now(),
            order: Reorder::new(ClockRate::VIDEO),
            frames: headwater_rtp::depacketizer(&parameters),
            pictures: Pictures::new(),
            is_h264: codec == Codec::H264,
            has_picture: false,
            has_input: false,
            found: DecodedRow::default(),
        }
    }

    fn packet(&mut self, packet: &Packet) {
        self.has_input = true;
        let Some(frames) = &mut self.frames else { return };
        self.order.push(packet, |packet| frames.push(packet));
        while let Some(whole) = self.frames.as_mut().and_then(|frames| frames.pull()) {
            match whole {
                Depacketized::Parameters(parameters) => self.pictures.configure(&parameters),
                Depacketized::Frame(frame) => self.frame(&frame),
            }
        }
    }

    fn frame(&mut self, frame: &Frame) {
        self.has_input = true;
        if !self.is_h264 {
            self.found.parsed += 1;
            self.has_picture = true;
            return;
        }
        match self.pictures.decode(frame) {
            Ok(None) => {}
            Ok(Some((width, height))) => {
                self.found.pictures += 1;
                self.has_picture = true;
                (self.found.width, self.found.height) = (width, height);
            }
            Err(error) => {
                tracing::debug!(error, "a picture cannot be decoded");
                self.found.refused += 1;
            }
        }
    }

    /// Tells what was found since the last time.
    fn tell(&mut self) {
        self.board.judge(&Verdict(std::mem::take(&mut self.found)));
    }

    fn end(mut self) {
        let is_whole = self.has_picture || self.has_input && self.begun.elapsed() >= KEY_FRAME_TIME;
        self.found.turns = u64::from(is_whole);
        self.found.turns_without_picture = u64::from(is_whole && !self.has_picture);
        self.tell();
    }
}
