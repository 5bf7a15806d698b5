//! Whether what is received can be decoded: one agent at a time is listened to for some seconds, then the next.
//!
//! A thread of its own decodes, so that those who receive are not held up. H.264 is decoded, other codecs are put
//! together to frames.

mod bench;
mod h264;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc::{SyncSender, TrySendError, sync_channel},
    },
};

use headwater_media::{Codec, Frame, Packet, TrackParameters};
use parking_lot::Mutex;

use crate::{figures::Board, outcome::DecodedRow};

/// Pieces that may wait for the decoder: some seconds of packets at 2 Mbit/s.
const PIECES_MAX: usize = 2_048;
/// The turn of nobody.
const NOBODY: u64 = 0;

/// What a decoder made of some pictures.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Verdict(DecodedRow);

impl Verdict {
    pub(crate) fn add(&mut self, other: &Verdict) {
        let (sum, other) = (&mut self.0, &other.0);
        sum.turns += other.turns;
        sum.turns_without_picture += other.turns_without_picture;
        sum.pictures += other.pictures;
        sum.refused += other.refused;
        sum.parsed += other.parsed;
        sum.skipped += other.skipped;
        if other.width > 0 {
            (sum.width, sum.height) = (other.width, other.height);
        }
    }

    pub(crate) fn row(&self) -> DecodedRow {
        self.0
    }
}

/// A piece of what an agent receives, on its way to the decoder.
pub(crate) enum Piece {
    /// Another agent's turn begins, of this codec.
    Begin(Arc<Board>, Codec),
    /// A packet of the picture.
    Packet(Packet),
    /// What a decoder must know from here on.
    Parameters(TrackParameters),
    /// A picture.
    Frame(Frame),
    /// The turn is over.
    End,
}

/// Whose turn it is. Cloning is cheap.
#[derive(Clone)]
pub(crate) struct Turns(Arc<Inner>);

struct Inner {
    current: AtomicU64,
    next_id: AtomicU64,
    /// Those who can be listened to, in the order in which they came.
    listed: Mutex<BTreeMap<u64, ()>>,
    pieces: SyncSender<Piece>,
}

impl Turns {
    /// Starts the thread that decodes. It ends when nobody holds a copy of this any more.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub(crate) fn start() -> std::io::Result<Turns> {
        let (pieces, taken) = sync_channel(PIECES_MAX);
        std::thread::Builder::new().name("load-decoder".into()).spawn(move || bench::run(&taken))?;
        let inner = Inner {
            current: AtomicU64::new(NOBODY),
            next_id: AtomicU64::new(NOBODY + 1),
            listed: Mutex::default(),
            pieces,
        };
        Ok(Turns(Arc::new(inner)))
    }

    /// Gives the turn to the next.
    pub(crate) fn pass(&self) {
        let listed = self.0.listed.lock();
        let current = self.0.current.load(Relaxed);
        let next = listed.range(current + 1..).next().or_else(|| listed.iter().next());
        self.0.current.store(next.map_or(NOBODY, |(id, ())| *id), Relaxed);
    }

    /// Whether nobody has the turn.
    pub(crate) fn is_idle(&self) -> bool {
        self.0.current.load(Relaxed) == NOBODY
    }

    /// Takes the turn from whoever has it.
    pub(crate) fn clear(&self) {
        self.0.current.store(NOBODY, Relaxed);
    }

    /// Lists an agent.
    pub(crate) fn join(&self, board: Arc<Board>) -> Turn {
        let id = self.0.next_id.fetch_add(1, Relaxed);
        self.0.listed.lock().insert(id, ());
        Turn { turns: self.clone(), id, board, is_listening: false, skipped: 0 }
    }
}

/// An agent's place in the row.
pub(crate) struct Turn {
    turns: Turns,
    id: u64,
    board: Arc<Board>,
    is_listening: bool,
    skipped: u64,
}

impl Turn {
    /// Whether it is this agent's turn, in which what it receives of a picture of this codec goes to the decoder.
    /// Tells the decoder where that has changed.
    #[inline]
    pub(crate) fn is_mine(&mut self, codec: Codec) -> bool {
        let is_mine = self.turns.0.current.load(Relaxed) == self.id;
        if is_mine != self.is_listening {
            self.change(is_mine, codec);
        }
        self.is_listening
    }

    /// The same for protocols that bring whole pictures: what a decoder must know is handed over as a turn begins.
    pub(crate) fn give_frame(&mut self, codec: Codec, parameters: Option<&TrackParameters>, frame: Frame) {
        let was_mine = self.is_listening;
        if !self.is_mine(codec) {
            return;
        }
        if let Some(parameters) = parameters.filter(|_| !was_mine) {
            self.give(Piece::Parameters(parameters.clone()));
        }
        self.give(Piece::Frame(frame));
    }

    /// What a decoder must know has changed.
    pub(crate) fn give_parameters(&mut self, parameters: &TrackParameters) {
        if self.is_listening {
            self.give(Piece::Parameters(parameters.clone()));
        }
    }

    /// Hands a piece over, if the decoder has time for it.
    pub(crate) fn give(&mut self, piece: Piece) {
        if let Err(TrySendError::Full(_)) = self.turns.0.pieces.try_send(piece) {
            self.skipped += 1;
        }
    }

    fn change(&mut self, is_mine: bool, codec: Codec) {
        let piece = if is_mine { Piece::Begin(self.board.clone(), codec) } else { Piece::End };
        // A decoder that has no time is asked again with the next packet; an end is told by the next one's beginning.
        if self.turns.0.pieces.try_send(piece).is_ok() || !is_mine {
            self.is_listening = is_mine;
        }
        let skipped = std::mem::take(&mut self.skipped);
        self.board.judge(&Verdict(DecodedRow { skipped, ..DecodedRow::default() }));
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.turns.0.listed.lock().remove(&self.id);
        if self.is_listening {
            self.give(Piece::End);
            let _ = self.turns.0.current.compare_exchange(self.id, NOBODY, Relaxed, Relaxed);
        }
    }
}
