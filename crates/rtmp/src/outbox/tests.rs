use std::{io::IoSlice, time::Instant};

use bytes::{Bytes, BytesMut};
use headwater_flv::MediaWriter;
use headwater_media::{ClockRate, Codec, Format, TrackKind, TrackParameters, VideoFormat};

use super::{Outbox, SLICES_MAX};
use crate::{
    from_stream::Sink,
    wire::{ChunkReader, Message, MessageKind},
};

fn writer() -> MediaWriter {
    let format = Format::Video(VideoFormat::default());
    let config = Bytes::from_static(&[1, 0, 0, 0, 0xff]);
    MediaWriter::new(&TrackParameters { codec: Codec::H264, clock_rate: ClockRate::VIDEO, format, config }).unwrap()
}

fn payload(length: usize) -> Bytes {
    (0..length).map(|at| at as u8).collect::<Vec<_>>().into()
}

/// Writes everything out, so many bytes at a time.
fn drain(outbox: &mut Outbox, step: usize) -> BytesMut {
    let mut out = BytesMut::new();
    while outbox.pending() > 0 {
        let mut slices = [IoSlice::new(&[]); SLICES_MAX];
        let count = outbox.slices(&mut slices);
        let joined: Vec<u8> = slices[..count].iter().flat_map(|slice| slice.iter().copied()).take(step).collect();
        assert!(!joined.is_empty());
        out.extend_from_slice(&joined);
        outbox.advance(joined.len());
    }
    out
}

fn read(mut data: BytesMut, chunk_size: u32) -> Vec<Message> {
    let mut reader = ChunkReader::new();
    reader.set_chunk_size(chunk_size).unwrap();
    std::iter::from_fn(|| reader.read(&mut data, Instant::now()).unwrap()).collect()
}

#[test]
fn what_is_written_reads_back_whatever_the_chunk_size_and_however_little_a_write_takes() {
    let writer = writer();
    for chunk_size in [128, 4_096, 65_536] {
        for step in [1, 7, 1_000, usize::MAX] {
            let mut outbox = Outbox::new(chunk_size, 1);
            let frames = [(0, 10), (40, 128), (80, 4_091), (80, 4_092), (200, 10_000)];
            for (time, length) in frames {
                outbox.media(TrackKind::Video, time, &writer.frame(time == 0, 40), &payload(length));
                outbox.media(TrackKind::Audio, time, &writer.frame(true, 0), &payload(3));
            }
            let messages = read(drain(&mut outbox, step), chunk_size);
            let video: Vec<_> = messages.iter().filter(|message| message.kind == MessageKind::Video).collect();
            for ((time, length), message) in frames.iter().zip(&video) {
                assert_eq!((message.timestamp, message.stream), (*time, 1));
                assert_eq!(message.payload[5..], payload(*length), "chunk size {chunk_size}, step {step}");
            }
            assert_eq!((video.len(), messages.len()), (5, 10));
        }
    }
}

#[test]
fn payloads_are_shared_not_copied() {
    let mut outbox = Outbox::new(65_536, 1);
    let frame = payload(5_000);
    outbox.media(TrackKind::Video, 0, &writer().frame(true, 0), &frame);
    let mut slices = [IoSlice::new(&[]); SLICES_MAX];
    let count = outbox.slices(&mut slices);
    assert_eq!((count, slices[1].as_ptr()), (2, frame.as_ptr()));
}

#[test]
fn time_runs_past_every_extended_timestamp_and_wrap_of_the_player() {
    let mut outbox = Outbox::new(128, 1);
    let times = [0xff_fff0_u32, 0x100_0010, 0x100_0038, 0xffff_fff0, 10, 0x00ff_ffff];
    for time in times {
        outbox.media(TrackKind::Video, time, &writer().frame(true, 0), &payload(300));
    }
    let messages = read(drain(&mut outbox, usize::MAX), 128);
    let seen: Vec<u32> = messages.iter().map(|message| message.timestamp).collect();
    assert_eq!(seen, times);
    assert!(messages.iter().all(|message| message.payload[5..] == payload(300)));
}

#[test]
fn the_buffers_of_a_steady_stream_are_reused() {
    let writer = writer();
    let frame = payload(5_000);
    let mut outbox = Outbox::new(65_536, 1);
    let mut capacity = None;
    for time in 0..100 {
        outbox.media(TrackKind::Video, time * 40, &writer.frame(false, 0), &frame);
        drain(&mut outbox, usize::MAX);
        let now = (outbox.headers.capacity(), outbox.parts.capacity());
        assert_eq!(*capacity.get_or_insert(now), now);
    }
}
