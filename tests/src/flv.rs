//! Reading FLV files, written apart from the server's reader so that both cannot be wrong alike.
//!
//! Source: Adobe Flash Video File Format 10.1 annex E; Enhanced RTMP v2 for the FourCC headers.

use anyhow::{Result, bail, ensure};

/// What a tag carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Sound.
    Audio,
    /// Picture.
    Video,
    /// Metadata.
    Script,
}

/// One tag.
#[derive(Clone, Debug)]
pub struct Tag {
    /// What it carries.
    pub kind: Kind,
    /// Its time in milliseconds.
    pub milliseconds: u32,
    /// Its body.
    pub body: Vec<u8>,
}

/// The tags of a file; a tag that is cut at the end is left out, as when its writer was stopped.
///
/// # Errors
/// When this is no FLV file.
pub fn tags(file: &[u8]) -> Result<Vec<Tag>> {
    ensure!(file.starts_with(b"FLV\x01") && file.len() >= 13, "no FLV header in {} bytes", file.len());
    let mut rest = &file[13..];
    let mut tags = Vec::new();
    while let Some((head, after)) = rest.split_at_checked(11) {
        let size = number(&head[1..4]) as usize;
        let Some((body, after)) = after.split_at_checked(size) else {
            break;
        };
        let kind = match head[0] & 0x1f {
            8 => Kind::Audio,
            9 => Kind::Video,
            18 => Kind::Script,
            other => bail!("tag type {other} after {} tags", tags.len()),
        };
        let milliseconds = number(&head[4..7]) | u32::from(head[7]) << 24;
        tags.push(Tag { kind, milliseconds, body: body.to_vec() });
        let Some((back, after)) = after.split_at_checked(4) else {
            break;
        };
        ensure!(number(back) as usize == size + 11, "wrong back pointer after {} tags", tags.len());
        rest = after;
    }
    Ok(tags)
}

fn number(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte))
}

/// A coded picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Time of decoding in milliseconds.
    pub milliseconds: u32,
    /// How much later it is shown, in milliseconds.
    pub composition: i32,
    /// Whether the tag says that decoding can start here.
    pub key: bool,
    /// The NAL units without their lengths.
    pub nal_units: Vec<Vec<u8>>,
}

/// The H.264 and H.265 pictures among the tags; sequence headers are left out.
///
/// # Errors
/// When a NAL unit is cut.
pub fn pictures(tags: &[Tag]) -> Result<Vec<Picture>> {
    let mut pictures = Vec::new();
    for tag in tags.iter().filter(|tag| tag.kind == Kind::Video) {
        let Some((key, composition, data)) = coded_picture(&tag.body) else {
            continue;
        };
        pictures.push(Picture { milliseconds: tag.milliseconds, composition, key, nal_units: nal_units(data)? });
    }
    Ok(pictures)
}

/// Key or not, composition time and NAL units of a video tag that holds a picture.
fn coded_picture(body: &[u8]) -> Option<(bool, i32, &[u8])> {
    let first = *body.first()?;
    let key = first >> 4 & 7 == 1;
    let composition = |bytes: &[u8]| (number(bytes) as i32) << 8 >> 8;
    if first & 0x80 == 0 {
        let is_picture = first & 0x0f == 7 && body.get(1) == Some(&1);
        return is_picture.then(|| Some((key, composition(body.get(2..5)?), body.get(5..)?))).flatten();
    }
    match (first & 0x0f, body.get(1..5)?) {
        (1, b"hvc1" | b"avc1") => Some((key, composition(body.get(5..8)?), body.get(8..)?)),
        (3, b"hvc1" | b"avc1") => Some((key, 0, body.get(5..)?)),
        _ => None,
    }
}

fn nal_units(mut data: &[u8]) -> Result<Vec<Vec<u8>>> {
    let mut units = Vec::new();
    while !data.is_empty() {
        let Some((length, after)) = data.split_at_checked(4) else { bail!("a NAL unit's length is cut") };
        let Some((unit, after)) = after.split_at_checked(number(length) as usize) else { bail!("a NAL unit is cut") };
        units.push(unit.to_vec());
        data = after;
    }
    Ok(units)
}

/// The coded sound of the tags: AAC, and Opus in enhanced form; sequence headers are left out.
pub fn sounds(tags: &[Tag]) -> Vec<&[u8]> {
    let audio = tags.iter().filter(|tag| tag.kind == Kind::Audio);
    audio.filter_map(|tag| coded_sound(&tag.body)).collect()
}

fn coded_sound(body: &[u8]) -> Option<&[u8]> {
    match (body.first()? >> 4, body.get(1)?) {
        (10, 1) => body.get(2..),
        (9, _) if body[0] & 0x0f == 1 => body.get(5..),
        _ => None,
    }
}

/// Whether these sounds are an unbroken piece of those; a steady tone repeats itself, so every place is tried.
pub fn is_piece_of(got: &[&[u8]], sent: &[&[u8]]) -> bool {
    !got.is_empty() && sent.windows(got.len()).any(|piece| piece == got)
}

/// The file that holds these tags.
pub fn write(tags: &[Tag]) -> Vec<u8> {
    let mut file = b"FLV\x01\x05\0\0\0\x09\0\0\0\0".to_vec();
    for tag in tags {
        let size = tag.body.len() as u32;
        let [high, time @ ..] = tag.milliseconds.to_be_bytes();
        let kind = match tag.kind {
            Kind::Audio => 8,
            Kind::Video => 9,
            Kind::Script => 18,
        };
        file.push(kind);
        file.extend(&size.to_be_bytes()[1..]);
        file.extend(time);
        file.extend([high, 0, 0, 0]);
        file.extend(&tag.body);
        file.extend((size + 11).to_be_bytes());
    }
    file
}
