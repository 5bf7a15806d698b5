//! A body of pieces that many viewers share.

use std::{
    collections::VecDeque,
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// Pieces, sent one after the other as they are.
#[derive(Debug)]
pub(super) struct Pieces {
    pieces: VecDeque<Bytes>,
    bytes: u64,
}

impl Pieces {
    pub(super) fn new(pieces: Vec<Bytes>) -> Pieces {
        let bytes = pieces.iter().map(|piece| piece.len() as u64).sum();
        Pieces { pieces: pieces.into(), bytes }
    }

    /// The bytes from one place to before another.
    pub(super) fn cut(self, from: u64, to: u64) -> Pieces {
        let mut at = 0;
        let mut cut = Vec::new();
        for piece in self.pieces {
            let end = at + piece.len() as u64;
            let (first, last) = (from.clamp(at, end) - at, to.clamp(at, end) - at);
            if first < last {
                // Both lie within the piece.
                cut.push(piece.slice(first as usize..last as usize));
            }
            at = end;
        }
        Pieces::new(cut)
    }

    pub(super) fn pieces(&self) -> impl Iterator<Item = &Bytes> {
        self.pieces.iter()
    }

    pub(super) fn len(&self) -> u64 {
        self.bytes
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = self.pieces.pop_front();
        self.bytes = self.bytes.saturating_sub(piece.as_ref().map_or(0, |piece| piece.len() as u64));
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes)
    }
}
