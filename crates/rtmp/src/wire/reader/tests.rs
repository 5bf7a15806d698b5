use std::time::{Duration, Instant};

use bytes::{BufMut, BytesMut};
use headwater_media::limits;

use super::ChunkReader;
use crate::wire::{
    Message, MessageKind, WireError,
    chunk::{MessageHeader, Time, write_message},
};

fn message(kind: MessageKind, timestamp: u32, length: usize) -> Message {
    let payload: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
    Message { kind, stream: 1, timestamp, payload: payload.into() }
}

/// Reads pieces; gives what came out, or the error.
fn read_with(reader: &mut ChunkReader, pieces: &[&[u8]]) -> Result<Vec<Message>, WireError> {
    let mut input = BytesMut::new();
    let mut messages = Vec::new();
    let now = Instant::now();
    for piece in pieces {
        input.extend_from_slice(piece);
        while let Some(message) = reader.read(&mut input, now)? {
            messages.push(message);
        }
    }
    Ok(messages)
}

fn read(data: &[u8]) -> Result<Vec<Message>, WireError> {
    read_with(&mut ChunkReader::new(), &[data])
}

fn timestamps(data: &[u8]) -> Vec<u32> {
    read(data).unwrap().iter().map(|message| message.timestamp).collect()
}

/// A header of type 0 on chunk stream 6: video of one byte unless said otherwise.
fn type0(timestamp: u32, length: usize) -> Vec<u8> {
    header(Time::Absolute(timestamp), length)
}

fn header(time: Time, length: usize) -> Vec<u8> {
    let mut out = Vec::new();
    MessageHeader { chunk_stream: 6, kind: MessageKind::Video, stream: 1, length: length as u32, time }.write(&mut out);
    out
}

#[test]
fn messages_written_read_back_equal_in_every_chunk_size_wherever_they_are_cut() {
    let messages = [
        message(MessageKind::Command0, 0, 300),
        message(MessageKind::Video, 0xff_fffe, 129),
        message(MessageKind::Audio, 0xff_ffff, 128),
        message(MessageKind::Video, 0x0100_0000, 257),
        message(MessageKind::Audio, u32::MAX, 1),
        message(MessageKind::Audio, 5, 0),
    ];
    for chunk_size in [1, 2, 127, 128, 129, 65_536] {
        let mut data = BytesMut::new();
        for message in &messages {
            write_message(message, (message.kind.number() % 60) + 2, chunk_size, &mut data);
        }
        for cut in 0..=data.len() {
            let mut reader = ChunkReader::new();
            reader.set_chunk_size(chunk_size).unwrap();
            let (first, second) = data.split_at(cut);
            assert_eq!(
                read_with(&mut reader, &[first, second]).unwrap(),
                messages,
                "chunk size {chunk_size}, cut {cut}"
            );
        }
        let mut reader = ChunkReader::new();
        reader.set_chunk_size(chunk_size).unwrap();
        let bytes: Vec<&[u8]> = data.chunks(1).collect();
        assert_eq!(read_with(&mut reader, &bytes).unwrap(), messages);
    }
}

#[test]
fn interleaved_messages_of_several_chunk_streams_come_out_whole() {
    let mut data = type0(10, 200);
    data.extend([1; 128]);
    data.extend([0x04, 0, 0, 12, 0, 0, 2, 8, 1, 0, 0, 0, 0xaf, 1]);
    data.push(0xc6);
    data.extend([2; 72]);
    let messages = read(&data).unwrap();
    assert_eq!((messages[0].kind, messages[0].payload.len()), (MessageKind::Audio, 2));
    assert_eq!((messages[1].kind, messages[1].payload.len()), (MessageKind::Video, 200));
}

#[test]
fn chunk_stream_ids_of_one_two_and_three_bytes_are_told_apart() {
    for basic in [&[0x06][..], &[0x00, 0], &[0x00, 255], &[0x01, 0, 0], &[0x01, 255, 255]] {
        let mut data = basic.to_vec();
        data.extend([0, 0, 7, 0, 0, 1, 9, 1, 0, 0, 0, 42]);
        // A message by type 3, which only the same id can begin.
        data.push(basic[0] | 0xc0);
        data.extend(&basic[1..]);
        data.push(43);
        assert_eq!(timestamps(&data), [7, 14], "{basic:x?}");
    }
}

#[test]
fn each_header_type_takes_from_the_one_before_what_it_leaves_out() {
    let mut data = type0(1_000, 1);
    data.push(1);
    data.extend([0x46, 0, 0, 40, 0, 0, 2, 9, 1, 2]);
    data.extend([0x86, 0, 0, 30, 1, 2]);
    data.extend([0xc6, 1, 2]);
    assert_eq!(timestamps(&data), [1_000, 1_040, 1_070, 1_100]);
    assert_eq!(read(&data).unwrap()[3].payload.len(), 2);
}

#[test]
fn a_message_begun_by_type_3_after_type_0_takes_its_timestamp_as_delta() {
    let mut data = type0(500, 1);
    data.extend([1, 0xc6, 2]);
    assert_eq!(timestamps(&data), [500, 1_000]);
}

#[test]
fn an_extended_timestamp_repeated_in_type_3_is_no_payload() {
    let mut data = type0(0x0123_4567, 200);
    data.extend([7; 128]);
    data.extend([0xc6, 0x01, 0x23, 0x45, 0x67]);
    data.extend([8; 72]);
    let messages = read(&data).unwrap();
    assert_eq!(messages[0].timestamp, 0x0123_4567);
    assert_eq!(messages[0].payload[128..], [8; 72]);
}

#[test]
fn senders_that_leave_the_repeated_extended_timestamp_out_are_understood() {
    for left in [1, 2, 3, 4, 5, 72] {
        let mut data = type0(0x0123_4567, 128 + left);
        data.extend([7; 128]);
        data.push(0xc6);
        data.extend(vec![8; left]);
        let messages = read(&data).unwrap();
        assert_eq!(messages.len(), 1, "{left} bytes left");
        assert_eq!(messages[0].payload[128..], vec![8; left]);
    }
}

#[test]
fn an_extended_field_of_types_1_and_2_is_a_delta() {
    let mut data = type0(1_000, 1);
    data.push(1);
    data.extend(header(Time::Delta(0x0100_0000), 1));
    data.push(2);
    data.extend([0x86, 0xff, 0xff, 0xff, 0x01, 0, 0, 0, 3]);
    // Type 3 repeats the delta, and its field.
    data.extend([0xc6, 0x01, 0, 0, 0, 4]);
    // Or leaves the field out.
    data.extend([0xc6, 5]);
    let step = 0x0100_0000;
    assert_eq!(timestamps(&data), [1_000, 1_000 + step, 1_000 + 2 * step, 1_000 + 3 * step, 1_000 + 4 * step]);
}

#[test]
fn a_timestamp_after_an_extended_one_may_be_short_again() {
    let mut data = type0(0x0100_0000, 1);
    data.push(1);
    data.extend(header(Time::Delta(40), 1));
    data.push(2);
    data.extend([0xc6, 3]);
    assert_eq!(timestamps(&data), [0x0100_0000, 0x0100_0028, 0x0100_0050]);
}

#[test]
fn a_chunk_stream_cannot_go_on_before_it_began() {
    assert_eq!(read(&[0xc6]), Err(WireError::NoEarlierMessage(6)));
    assert_eq!(read(&[0x86, 0, 0, 1]), Err(WireError::NoEarlierMessage(6)));
    assert_eq!(read(&[0x46, 0, 0, 1, 0, 0, 1, 9, 5]).unwrap()[0].timestamp, 1);
}

#[test]
fn a_new_message_in_the_middle_of_another_replaces_it() {
    let mut data = type0(1, 200);
    data.extend([1; 128]);
    data.extend(type0(2, 1));
    data.push(9);
    let messages = read(&data).unwrap();
    assert_eq!((messages.len(), messages[0].timestamp), (1, 2));
}

#[test]
fn an_aborted_message_is_forgotten() {
    let mut reader = ChunkReader::new();
    let mut begun = type0(1, 200);
    begun.extend([1; 128]);
    assert_eq!(read_with(&mut reader, &[&begun]), Ok(vec![]));
    reader.abort(6);
    reader.abort(60);
    assert_eq!(reader.partial, 0);
    let mut next = type0(2, 1);
    next.push(9);
    assert_eq!(read_with(&mut reader, &[&next]).unwrap()[0].timestamp, 2);
}

#[test]
fn a_payload_in_one_piece_is_not_copied_unless_it_is_small() {
    for (length, shared) in [(super::COPY_BELOW, true), (super::COPY_BELOW - 1, false)] {
        let mut reader = ChunkReader::new();
        reader.set_chunk_size(65_536).unwrap();
        let mut data = BytesMut::new();
        write_message(&message(MessageKind::Video, 0, length), 6, 65_536, &mut data);
        let payload = data[12..].as_ptr();
        let read = reader.read(&mut data, Instant::now()).unwrap().unwrap();
        assert_eq!(read.payload.as_ptr() == payload, shared, "{length}");
    }
}

#[test]
fn attack_r1_announcing_a_huge_message_allocates_nothing() {
    let before = limits::RTMP_MEDIA_MESSAGE_BYTES.hits();
    assert_eq!(read(&type0(0, 0xff_ffff)), Err(WireError::Limit("length of a message")));
    assert!(limits::RTMP_MEDIA_MESSAGE_BYTES.hits() > before);

    // The largest allowed, one byte of it, on as many chunk streams as allowed.
    let mut reader = ChunkReader::new();
    let length = limits::RTMP_MEDIA_MESSAGE_BYTES.get_usize();
    for id in 0..limits::RTMP_CHUNK_STREAMS.get() as u8 {
        let mut data = BytesMut::new();
        data.put_slice(&[0x00, id]);
        data.put_slice(&type0(0, length)[1..]);
        data.put_slice(&[1; 128]);
        assert_eq!(reader.read(&mut data, Instant::now()), Ok(None));
    }
    let allocated: usize = reader.streams.iter().map(|stream| stream.body.capacity()).sum();
    assert!(allocated <= 64 * 256, "{allocated} bytes for 64 announced messages of {length} bytes");
    let before = limits::RTMP_CHUNK_STREAMS.hits();
    let result = read_with(&mut reader, &[&[0x00, 200], &type0(0, 1)[1..]]);
    assert_eq!(result, Err(WireError::Limit("number of chunk streams")));
    assert!(limits::RTMP_CHUNK_STREAMS.hits() > before);
}

#[test]
fn attack_r1_a_command_is_held_shorter_than_media() {
    let mut data = type0(0, limits::RTMP_COMMAND_BYTES.get_usize() + 1);
    assert_eq!(read(&data), Ok(vec![]));
    data[7] = MessageKind::Command0.number();
    assert_eq!(read(&data), Err(WireError::Limit("length of a message")));
}

#[test]
fn attack_r1_unfinished_messages_are_bounded_together() {
    let mut reader = ChunkReader::new();
    reader.set_chunk_size(1 << 20).unwrap();
    let before = limits::RTMP_PARTIAL_BYTES.hits();
    let mut sent = 0;
    let mut feed = |id: u8| {
        let mut data = BytesMut::new();
        data.put_u8(id);
        data.put_slice(&type0(0, 2 << 20)[1..]);
        data.put_slice(&vec![0; 1 << 20]);
        reader.read(&mut data, Instant::now())
    };
    let result = (3..40).map(|id| {
        sent += 1;
        feed(id)
    });
    let error = result.into_iter().find_map(Result::err);
    assert_eq!(error, Some(WireError::Limit("messages begun and not ended")));
    assert_eq!(sent, 17, "sixteen of a mebibyte each are allowed");
    assert!(limits::RTMP_PARTIAL_BYTES.hits() > before);
}

#[test]
fn attack_r2_senseless_chunk_sizes_are_refused_and_huge_ones_clamped() {
    let mut reader = ChunkReader::new();
    for size in [0, 0x8000_0000, u32::MAX] {
        assert_eq!(reader.set_chunk_size(size), Err(WireError::ChunkSize(size)));
    }
    for (size, used) in [(1, 1), (0xff_ffff, 0xff_ffff), (0x0100_0000, 0xff_ffff), (0x7fff_ffff, 0xff_ffff)] {
        assert_eq!(reader.set_chunk_size(size), Ok(()));
        assert_eq!(reader.chunk_size, used);
    }
}

#[test]
fn attack_r2_chunks_of_one_byte_have_a_budget_in_time() {
    let budget = limits::RTMP_TINY_CHUNKS.get();
    let mut reader = ChunkReader::new();
    reader.set_chunk_size(1).unwrap();
    let mut data = BytesMut::new();
    for _ in 0..3 {
        write_message(&message(MessageKind::Video, 0, 50_000), 6, 1, &mut data);
    }
    let start = Instant::now();
    let mut first = data.clone();
    let before = limits::RTMP_TINY_CHUNKS.hits();
    let outcome = std::iter::from_fn(|| reader.read(&mut first, start).transpose()).find_map(Result::err);
    assert_eq!(outcome, Some(WireError::Limit("chunks of less than 64 bytes in a second")));
    assert!(limits::RTMP_TINY_CHUNKS.hits() > before);

    let mut reader = ChunkReader::new();
    reader.set_chunk_size(1).unwrap();
    let mut messages = 0;
    for (second, piece) in data.chunks(budget as usize).enumerate() {
        let mut piece = BytesMut::from(piece);
        let now = start + Duration::from_secs(2 * second as u64);
        while reader.read(&mut piece, now).unwrap().is_some() {
            messages += 1;
        }
    }
    assert_eq!(messages, 3, "the same at a calmer pace");
}

#[test]
fn no_stream_cut_or_bent_anywhere_does_harm() {
    let mut seed = BytesMut::new();
    write_message(&message(MessageKind::Command0, 0, 150), 3, 128, &mut seed);
    write_message(&message(MessageKind::Video, 0x0100_0000, 150), 6, 128, &mut seed);
    seed.extend_from_slice(&[0x46, 0, 0, 40, 0, 0, 2, 9, 1, 2, 0x86, 0, 0, 30, 1, 2, 0xc6, 1, 2]);
    for length in 0..=seed.len() {
        let _ = read(&seed[..length]);
    }
    for at in 0..seed.len() {
        for value in [0, 1, 0x3f, 0x40, 0x80, 0xc0, 0xff] {
            let mut data = seed.to_vec();
            data[at] = value;
            let _ = read(&data);
        }
    }
}
