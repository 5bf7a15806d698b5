//! Any bytes for the parsers of FLV, enhanced headers and AMF.

use bytes::{Bytes, BytesMut};
use headwater_flv::{
    Media, MediaReader, Metadata, Reader,
    amf::{self, Value},
    read_script,
    tag::{TagKind, TagReader},
};

/// AMF 0 values to the end; what is read and written reads back as what is written the same.
pub fn amf0(data: &[u8]) {
    let mut reader = Reader::new(Bytes::copy_from_slice(data));
    while let Ok(value) = amf::read_amf0(&mut reader) {
        let written = write(&value);
        // A limit may cut off what takes more room when written.
        if let Ok(again) = amf::read_amf0(&mut Reader::new(written.clone())) {
            assert_eq!(written, write(&again));
        }
    }
}

fn write(value: &Value) -> Bytes {
    let mut out = BytesMut::new();
    amf::write_amf0(value, &mut out);
    out.freeze()
}

/// AMF 3 values to the end.
pub fn amf3(data: &[u8]) {
    let mut reader = Reader::new(Bytes::copy_from_slice(data));
    while let Ok(value) = amf::read_amf3(&mut reader) {
        let mut out = BytesMut::new();
        amf::write_amf3(&value, &mut out);
        let _ = amf::read_amf3(&mut Reader::new(out.freeze()));
    }
}

/// An FLV file in pieces as the first byte says, and every tag body in it.
pub fn flv_tags(data: &[u8]) {
    let Some((piece, data)) = data.split_first() else { return };
    let mut tags = TagReader::new();
    let mut media = MediaReader::new();
    for piece in data.chunks(usize::from(*piece).max(1)) {
        tags.push(piece);
        loop {
            match tags.pull() {
                Ok(Some(tag)) => body(&mut media, tag.kind, tag.body),
                Ok(None) => break,
                Err(_) => return,
            }
        }
    }
}

/// Tag bodies, each behind two bytes of length whose top bits say what it is; ModEx and multitrack live here.
pub fn ertmp_ex_headers(mut data: &[u8]) {
    let mut media = MediaReader::new();
    while let Some(([high, low], rest)) = data.split_first_chunk() {
        let length = usize::from(high & 0x3f) << 8 | usize::from(*low);
        let (now, later) = rest.split_at(length.min(rest.len()));
        let kind = match high >> 6 {
            0 => TagKind::Script,
            1 => TagKind::Audio,
            _ => TagKind::Video,
        };
        body(&mut media, kind, Bytes::copy_from_slice(now));
        data = later;
    }
}

fn body(media: &mut MediaReader, kind: TagKind, body: Bytes) {
    let length = body.len();
    let events = match kind {
        TagKind::Audio => media.audio(body),
        TagKind::Video => media.video(body),
        TagKind::Script => {
            let object = read_script(body).ok().and_then(|(_, values)| values.into_iter().next());
            if let Some(object) = object.as_ref().and_then(Value::as_object) {
                let _ = Metadata::from_object(object);
            }
            return;
        }
    };
    for event in events.into_iter().flatten() {
        if let Media::Frame(frame) = event.media {
            assert!(frame.data.len() <= 4 * length + 4, "a frame grows with its tag only");
        }
    }
}
