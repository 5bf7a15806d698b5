//! The same messages, written to as many connections by bare system calls and at the same pace.

use std::{
    io::IoSlice,
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;
use bytes::{Bytes, BytesMut};
use headwater_media::TrackKind;
use headwater_rtmp::wire::{
    MessageKind,
    chunk::{self, MessageHeader, Time},
};

use crate::{
    clock::timed,
    sinks::TcpSinks,
    source::{Message, Source},
};

/// Connections to write to, and what to write.
pub(super) struct Floor {
    sinks: TcpSinks,
    viewers: usize,
}

impl Floor {
    pub(super) fn new(viewers: usize) -> Result<Floor> {
        Ok(Floor { sinks: TcpSinks::new(viewers)?, viewers })
    }

    /// Nanoseconds of this thread for a byte: one write for each viewer and message, or for all the messages of a
    /// window; in real time as the server has to, or each as soon as the one before has arrived.
    pub(super) fn measure(&mut self, window: Duration, length: Duration, paced: bool) -> Result<f64> {
        let mut source = Source::new()?;
        let (mut time, mut bytes) = (Duration::ZERO, 0);
        let start = Instant::now();
        while source.next_due() < length {
            let messages = gather(&mut source, window);
            let slices: Vec<IoSlice<'_>> = messages.iter().map(|bytes| IoSlice::new(bytes)).collect();
            if paced {
                thread::sleep((start + source.next_due()).saturating_duration_since(Instant::now()));
            } else {
                self.sinks.settle()?;
            }
            let mut result = Ok(());
            time += timed(|| result = self.sinks.write(&slices));
            result?;
            bytes += slices.iter().map(|slice| slice.len()).sum::<usize>() * self.viewers;
        }
        self.sinks.settle()?;
        Ok(time.as_nanos() as f64 / bytes as f64)
    }
}

/// The headers and bodies of the next message, or of all that are due within a window.
fn gather(source: &mut Source, window: Duration) -> Vec<Bytes> {
    let end = source.next_due() + window;
    let mut slices = Vec::new();
    loop {
        let message = source.next();
        slices.push(header(&message));
        slices.push(message.body);
        if source.next_due() >= end {
            return slices;
        }
    }
}

fn header(message: &Message) -> Bytes {
    let (kind, chunk_stream) = match message.kind {
        TrackKind::Video => (MessageKind::Video, chunk::VIDEO),
        TrackKind::Audio => (MessageKind::Audio, chunk::AUDIO),
    };
    let mut out = BytesMut::new();
    MessageHeader {
        chunk_stream,
        kind,
        stream: 1,
        length: u32::try_from(message.body.len()).unwrap_or(0),
        time: Time::Delta(33),
    }
    .write(&mut out);
    out.freeze()
}
