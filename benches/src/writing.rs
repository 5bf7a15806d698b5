//! The shortest way of bytes to many connections: one thread that writes, as fast as they are taken or in pace.

use std::{
    io::IoSlice,
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;

use crate::{clock::timed, sinks::TcpSinks, source::Source};

/// The buffers of the floor.
pub(crate) const BUFFER_BYTES: usize = 64 << 10;
/// Rounds before readers are waited for, so that they do not lag behind for ever.
const ROUNDS: usize = 16;

/// Nanoseconds of the writing thread for a byte: `writev` of 64 KiB to one reader after the other, without pause.
pub(crate) fn bulk(readers: usize, length: Duration) -> Result<f64> {
    let mut sinks = TcpSinks::new(readers)?;
    let buffer = vec![7; BUFFER_BYTES];
    let (mut time, mut bytes, begin) = (Duration::ZERO, 0, Instant::now());
    while begin.elapsed() < length {
        for _ in 0..ROUNDS {
            let mut result = Ok(());
            time += timed(|| result = sinks.write(&[IoSlice::new(&buffer)]));
            result?;
            bytes += BUFFER_BYTES * readers;
        }
        sinks.settle()?;
    }
    Ok(time.as_nanos() as f64 / bytes as f64)
}

/// Nanoseconds of the writing thread for a byte, and for a message: one `writev` for each message of the stream and
/// reader, each with a head of so many bytes, in the pace of the stream.
pub(crate) fn messages(readers: usize, head_bytes: usize, length: Duration) -> Result<(f64, f64)> {
    let mut sinks = TcpSinks::new(readers)?;
    let mut source = Source::new()?;
    let head = vec![7; head_bytes];
    let (mut time, mut bytes, mut count) = (Duration::ZERO, 0, 0);
    let begin = Instant::now();
    while source.next_due() < length {
        thread::sleep((begin + source.next_due()).saturating_duration_since(Instant::now()));
        let body = source.next().body;
        let mut result = Ok(());
        time += timed(|| result = sinks.write(&[IoSlice::new(&head), IoSlice::new(&body)]));
        result?;
        bytes += (head.len() + body.len()) * readers;
        count += readers;
    }
    sinks.settle()?;
    let nanoseconds = time.as_nanos() as f64;
    Ok((nanoseconds / bytes as f64, nanoseconds / count as f64))
}
