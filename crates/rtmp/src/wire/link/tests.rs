use std::time::Instant;

use bytes::{BufMut, Bytes, BytesMut};

use super::Link;
use crate::wire::{
    ChunkReader, Message, MessageKind, WireError,
    chunk::{self, write_message},
    control::{self, UserControl},
};

fn chunks(messages: &[Message]) -> BytesMut {
    let mut out = BytesMut::new();
    messages.iter().for_each(|message| write_message(message, 3, chunk::DEFAULT_CHUNK_SIZE, &mut out));
    out
}

fn answers(link: &mut Link) -> Vec<Message> {
    let mut reader = ChunkReader::new();
    let mut output = link.output().split();
    std::iter::from_fn(|| reader.read(&mut output, Instant::now()).unwrap()).collect()
}

fn read(link: &mut Link, messages: &[Message]) -> Result<Vec<Message>, WireError> {
    let mut input = chunks(messages);
    let mut read = Vec::new();
    while let Some(message) = link.read(&mut input, Instant::now())? {
        read.push(message);
    }
    Ok(read)
}

fn audio(length: usize) -> Message {
    Message { kind: MessageKind::Audio, stream: 1, timestamp: 0, payload: vec![0xaf; length].into() }
}

#[test]
fn pings_are_answered_with_their_own_time() {
    let mut link = Link::new();
    assert_eq!(read(&mut link, &[UserControl::PingRequest(77).message()]), Ok(vec![]));
    assert_eq!(answers(&mut link), [UserControl::PingResponse(77).message()]);
}

#[test]
fn a_peers_chunk_size_is_its_own_and_leaves_ours_alone() {
    let mut link = Link::new();
    let mut input = chunks(&[control::number_message(MessageKind::SetChunkSize, 4_096)]);
    write_message(&audio(4_000), 4, 4_096, &mut input);
    let message = link.read(&mut input, Instant::now()).unwrap().unwrap();
    assert_eq!((message.payload.len(), link.chunk_size()), (4_000, 128));
    link.send(&audio(300));
    assert_eq!(answers(&mut link), [audio(300)], "still written in chunks of 128");
}

#[test]
fn attack_r2_a_chunk_size_of_zero_ends_the_connection() {
    let mut link = Link::new();
    let zero = control::number_message(MessageKind::SetChunkSize, 0);
    assert_eq!(read(&mut link, &[zero]), Err(WireError::ChunkSize(0)));
}

#[test]
fn received_bytes_are_acknowledged_once_a_window() {
    let mut link = Link::new();
    read(&mut link, &[control::number_message(MessageKind::WindowSize, 50_000)]).unwrap();
    let mut count = 0;
    for _ in 0..100 {
        read(&mut link, &[audio(5_000)]).unwrap();
        count += answers(&mut link).iter().filter(|message| message.kind == MessageKind::Acknowledgement).count();
    }
    assert!((9..=10).contains(&count), "{count}");
}

#[test]
fn attack_r9_a_window_of_one_byte_does_not_make_us_chatter() {
    let mut link = Link::new();
    read(&mut link, &[control::number_message(MessageKind::WindowSize, 1)]).unwrap();
    for _ in 0..1_000 {
        read(&mut link, &[audio(1)]).unwrap();
    }
    assert!(answers(&mut link).len() <= 1);
}

#[test]
fn attack_r9_a_peer_that_acknowledges_nothing_or_nonsense_is_not_waited_for() {
    let mut link = Link::new();
    for number in [0, 1, u32::MAX] {
        read(&mut link, &[control::number_message(MessageKind::Acknowledgement, number)]).unwrap();
    }
    link.send(&audio(100_000));
    assert_eq!(answers(&mut link).len(), 1);
}

#[test]
fn a_bandwidth_message_is_answered_with_the_window() {
    let mut link = Link::new();
    read(&mut link, &[control::peer_bandwidth(9_000)]).unwrap();
    assert_eq!(answers(&mut link), [control::number_message(MessageKind::WindowSize, 9_000)]);
}

#[test]
fn an_aggregate_comes_out_as_its_parts_with_their_times() {
    let mut payload = BytesMut::new();
    for (kind, time, body) in [(8u8, 100u32, &b"\xaf\x01a"[..]), (9, 140, b"\x27\x01\0\0\0b"), (1, 150, b"\0\0\0\0")] {
        payload.put_u8(kind);
        payload.put_uint(body.len() as u64, 3);
        payload.put_slice(&time.to_be_bytes()[1..]);
        payload.put_slice(&[0; 4]);
        payload.put_slice(body);
        payload.put_u32(11 + body.len() as u32);
    }
    let whole = payload.freeze();
    let aggregate = |payload: Bytes| Message { kind: MessageKind::Aggregate, stream: 1, timestamp: 1_000, payload };
    let parts = read(&mut Link::new(), &[aggregate(whole.clone())]).unwrap();
    let seen: Vec<_> = parts.iter().map(|part| (part.kind, part.timestamp)).collect();
    assert_eq!(seen, [(MessageKind::Audio, 1_000), (MessageKind::Video, 1_040)], "and no control message in it counts");
    for length in 0..whole.len() {
        let _ = read(&mut Link::new(), &[aggregate(whole.slice(..length))]).unwrap();
    }
}

#[test]
fn shared_objects_and_unknown_messages_are_passed_over() {
    for number in [0, 7, 16, 19, 99] {
        let message = Message {
            kind: MessageKind::from_number(number),
            stream: 0,
            timestamp: 0,
            payload: Bytes::from_static(b"x"),
        };
        assert_eq!(read(&mut Link::new(), &[message]), Ok(vec![]));
    }
}
