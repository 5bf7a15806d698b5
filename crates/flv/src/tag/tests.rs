use bytes::Bytes;
use headwater_media::limits;

use super::{Tag, TagKind, TagReader, back_pointer, file_header, tag_header};
use crate::FlvError;

fn tags() -> Vec<Tag> {
    let tag = |kind, timestamp, body: &'static [u8]| Tag { kind, timestamp, body: Bytes::from_static(body) };
    vec![
        tag(TagKind::Script, 0, b"\x02\x00\x01a"),
        tag(TagKind::Video, 0x0100_0001, b"\x17\x00\x00\x00\x00\x01"),
        tag(TagKind::Audio, u32::MAX, b"\xaf\x01\x02"),
        tag(TagKind::Audio, 7, b""),
    ]
}

fn file(tags: &[Tag]) -> Vec<u8> {
    let mut out = file_header(true, true).to_vec();
    for tag in tags {
        out.extend(tag_header(tag.kind, tag.body.len(), tag.timestamp).unwrap());
        out.extend(&tag.body);
        out.extend(back_pointer(tag.body.len()));
    }
    out
}

fn read(pieces: &[&[u8]]) -> Result<Vec<Tag>, FlvError> {
    let mut reader = TagReader::new();
    let mut tags = Vec::new();
    for piece in pieces {
        reader.push(piece);
        while let Some(tag) = reader.pull()? {
            tags.push(tag);
        }
    }
    Ok(tags)
}

#[test]
fn tags_written_read_back_equal_wherever_the_stream_is_cut() {
    let file = file(&tags());
    for at in 0..=file.len() {
        let (first, second) = file.split_at(at);
        assert_eq!(read(&[first, second]), Ok(tags()), "cut at {at}");
    }
    let bytes: Vec<&[u8]> = file.chunks(1).collect();
    assert_eq!(read(&bytes), Ok(tags()));
}

#[test]
fn tags_of_unknown_kinds_are_passed_over() {
    let mut data = file(&[]);
    data.extend([15, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 13]);
    data.extend(&file(&tags())[13..]);
    assert_eq!(read(&[&data]), Ok(tags()));
}

#[test]
fn what_is_no_flv_stream_is_refused() {
    assert!(read(&[b"GET / HTTP/1.1"]).is_err());
    assert!(read(&[b"FLV\x01\x05\x00\x00\x00\x00"]).is_err());
    assert!(read(&[b"FLV\x01\x05\xff\xff\xff\xff"]).is_err());
    let mut encrypted = file(&[]);
    encrypted.extend([0x29, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    assert!(read(&[&encrypted]).is_err());
}

#[test]
fn a_tag_over_the_limit_is_refused_by_its_header() {
    let mut data = file(&[]);
    data.extend([9, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0]);
    let before = limits::RTMP_MEDIA_MESSAGE_BYTES.hits();
    assert_eq!(read(&[&data]), Err(FlvError::Limit("size of an FLV tag")));
    assert!(limits::RTMP_MEDIA_MESSAGE_BYTES.hits() > before);
    assert!(tag_header(TagKind::Video, 1 << 24, 0).is_none());
}

#[test]
fn no_length_does_harm() {
    let file = file(&tags());
    for length in 0..=file.len() {
        for at in 0..length {
            let mut data = file[..length].to_vec();
            data[at] = 0xff;
            let _ = read(&[&data]);
        }
    }
}
