//! Tracks to send through the payload formats: real ones of 66x50 pixels, and made-up ones with large frames.

use bytes::Bytes;
use headwater_codec::nal::{self, AnnexB, Nals};
use headwater_codec::{av1, h264, h265, parameters};
use headwater_media::{Codec, Frame, Packet, Ticks, TrackParameters};
use headwater_rtp::{Depacketized, Depacketizer, Packetizer, PacketizerOptions, depacketizer, packetizer};

/// A track and its frames.
pub(crate) struct Track {
    pub(crate) name: &'static str,
    pub(crate) parameters: TrackParameters,
    pub(crate) frames: Vec<Frame>,
}

const FRAME_TICKS: Ticks = 9_000;

/// Frames shown in the order in which they are coded.
fn video(name: &'static str, parameters: TrackParameters, frames: Vec<(bool, Bytes)>) -> Track {
    let frames = frames.into_iter().enumerate().map(|(index, (random_access, data))| {
        let time = index as Ticks * FRAME_TICKS;
        Frame { dts: time, pts: time, random_access, data }
    });
    Track { name, parameters, frames: frames.collect() }
}

/// Access units as a container has them: parameter sets in the record only.
fn units(stream: &[u8], is_delimiter: fn(&[u8]) -> bool, is_set: fn(&[u8]) -> bool) -> Vec<Bytes> {
    let mut frames: Vec<Vec<u8>> = Vec::new();
    for nal in AnnexB::new(stream) {
        match frames.last_mut() {
            _ if is_delimiter(nal) => frames.push(Vec::new()),
            Some(frame) if !is_set(nal) => nal::push(nal, frame),
            _ => {}
        }
    }
    frames.into_iter().map(Bytes::from).collect()
}

fn sets(stream: &[u8], kind: impl Fn(&[u8]) -> bool) -> Vec<Bytes> {
    AnnexB::new(stream).find(|nal| kind(nal)).map(Bytes::copy_from_slice).into_iter().collect()
}

fn h264_track(name: &'static str, stream: &[u8]) -> Track {
    let [sps, pps] = [7, 8].map(|kind| sets(stream, |nal| h264::unit_type(nal) == kind));
    let record = h264::AvcConfig::from_parameter_sets(sps, pps).unwrap().write();
    let frames = units(stream, |nal| h264::unit_type(nal) == 9, h264::is_parameter_set);
    let frames = frames.into_iter().map(|data| (h264::is_random_access(&data), data)).collect();
    video(name, parameters::from_config(Codec::H264, record).unwrap(), frames)
}

pub(crate) fn baseline() -> Track {
    h264_track("H.264", include_bytes!("../../../codec/fixtures/baseline.h264"))
}

/// B-frames, one of them referred to by others.
pub(crate) fn high_b() -> Track {
    let mut track = h264_track("H.264 with B-frames", include_bytes!("../../../codec/fixtures/high-b.h264"));
    // I P B b b, I B b b: place in the order of showing, by place in the order of coding.
    for (frame, shown) in track.frames.iter_mut().zip([0, 4, 2, 1, 3, 8, 6, 5, 7]) {
        frame.pts = (shown + 2) * FRAME_TICKS;
    }
    track
}

pub(crate) fn hevc() -> Track {
    let stream = include_bytes!("../../../codec/fixtures/hevc.h265");
    let [vps, sps, pps] = [32, 33, 34].map(|kind| sets(stream, |nal| h265::unit_type(nal) == kind));
    let record = h265::HevcConfig::from_parameter_sets(vps, sps, pps).unwrap().write();
    let frames = units(stream, |nal| h265::unit_type(nal) == 35, h265::is_parameter_set);
    let frames = frames.into_iter().map(|data| (h265::is_random_access(&data), data)).collect();
    video("H.265", parameters::from_config(Codec::H265, record).unwrap(), frames)
}

fn ivf(name: &'static str, codec: Codec, file: &[u8]) -> Track {
    let mut rest = &file[32..];
    let mut frames = Vec::new();
    while let Some((head, tail)) = rest.split_at_checked(12) {
        let (data, tail) = tail.split_at(u32::from_le_bytes(head[..4].try_into().unwrap()) as usize);
        frames.push((frames.len() % 5 == 0, Bytes::copy_from_slice(data)));
        rest = tail;
    }
    video(name, parameters::from_config(codec, Bytes::new()).unwrap(), frames)
}

pub(crate) fn vp8() -> Track {
    ivf("VP8", Codec::Vp8, include_bytes!("../../../codec/fixtures/vp8.ivf"))
}

pub(crate) fn vp9() -> Track {
    ivf("VP9", Codec::Vp9, include_bytes!("../../../codec/fixtures/vp9.ivf"))
}

pub(crate) fn av1() -> Track {
    let mut track = ivf("AV1", Codec::Av1, include_bytes!("../../../codec/fixtures/av1.ivf"));
    for frame in &mut track.frames {
        let mut data = Vec::new();
        for obu in av1::Obus::new(&frame.data).flatten().filter(|obu| obu.obu_type() != 2) {
            av1::write_sized(&obu, &mut data);
        }
        frame.data = data.into();
    }
    track
}

/// Bytes that look like nothing in particular.
pub(crate) fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

/// A frame of H.264 with slices of these sizes.
pub(crate) fn h264_frame(is_key: bool, slices: &[usize]) -> Bytes {
    let mut frame = Vec::new();
    for (index, size) in slices.iter().enumerate() {
        let mut slice = noise(*size, index as u64 + 1);
        slice[0] = if is_key { 0x65 } else { 0x41 };
        slice[1] = if index == 0 { 0x88 } else { 0x48 };
        nal::push(&slice, &mut frame);
    }
    frame.into()
}

/// A frame of H.265 with slices of these sizes.
pub(crate) fn h265_frame(is_key: bool, slices: &[usize]) -> Bytes {
    let mut frame = Vec::new();
    for (index, size) in slices.iter().enumerate() {
        let mut slice = noise(*size, index as u64 + 1);
        slice[0] = if is_key { 19 << 1 } else { 1 << 1 };
        slice[1] = 1;
        slice[2] = if index == 0 { 0x80 } else { 0x20 };
        nal::push(&slice, &mut frame);
    }
    frame.into()
}

/// Real frames, then larger ones with the same headers.
pub(crate) fn video_tracks() -> Vec<Track> {
    let mut tracks = vec![baseline(), hevc(), vp8(), vp9(), av1()];
    for track in &mut tracks {
        let last = track.frames.last().unwrap().pts;
        for (index, size) in [900, 1_172, 1_173, 5_000, 30_000, 70_000].into_iter().enumerate() {
            let time = last + (index as Ticks + 1) * FRAME_TICKS;
            let data = enlarge(track.parameters.codec, &track.frames[1].data, size);
            track.frames.push(Frame { dts: time, pts: time, random_access: false, data });
        }
    }
    tracks
}

/// A frame with the header of this one and about `size` bytes.
pub(crate) fn enlarge(codec: Codec, small: &[u8], size: usize) -> Bytes {
    match codec {
        Codec::H264 => h264_frame(false, &[size / 2, size / 4, 20, size / 4]),
        Codec::H265 => h265_frame(false, &[size / 2, size / 4, 20, size / 4]),
        Codec::Av1 => {
            let mut out = Vec::new();
            for obu in av1::Obus::new(small).flatten() {
                let payload = [obu.payload, &noise(size, 7)].concat();
                av1::write_sized(&av1::Obu { header: obu.header, payload: &payload }, &mut out);
            }
            out.into()
        }
        _ => [small, &noise(size, 7)].concat().into(),
    }
}

/// Audio tracks; each frame lasts 20 ms or so.
pub(crate) fn audio_tracks() -> Vec<Track> {
    let asc = Bytes::from_static(&[0x12, 0x10]);
    let cases = [
        ("Opus", Codec::Opus, Bytes::new(), 960, vec![3, 80, 160, 1_200]),
        ("AAC", Codec::Aac, asc, 1_024, vec![6, 300, 1_168, 1_169, 6_000]),
        ("PCMU", Codec::Pcmu, Bytes::new(), 160, vec![160; 4]),
        ("PCMA", Codec::Pcma, Bytes::new(), 240, vec![240; 4]),
        ("G722", Codec::G722, Bytes::new(), 160, vec![160; 4]),
    ];
    let make = |(name, codec, config, ticks, sizes): (_, _, _, Ticks, Vec<usize>)| {
        let frames = sizes.into_iter().enumerate().map(|(index, size)| {
            let mut data = noise(size, index as u64 + 1);
            data[0] = 0xfc; // for Opus: one frame of 20 ms
            let time = index as Ticks * ticks;
            Frame { dts: time, pts: time, random_access: true, data: data.into() }
        });
        Track { name, parameters: parameters::from_config(codec, config).unwrap(), frames: frames.collect() }
    };
    cases.into_iter().map(make).collect()
}

pub(crate) fn packets_of(track: &Track, options: PacketizerOptions) -> Vec<Vec<Packet>> {
    let mut packetizer = packetizer(&track.parameters, options).unwrap();
    track.frames.iter().map(|frame| packetize(&mut *packetizer, frame)).collect()
}

pub(crate) fn packetize(packetizer: &mut dyn Packetizer, frame: &Frame) -> Vec<Packet> {
    let mut out = Vec::new();
    packetizer.packetize(frame, &mut out);
    out
}

pub(crate) fn drain(depacketizer: &mut dyn Depacketizer) -> (Vec<Frame>, Vec<TrackParameters>) {
    let (mut frames, mut parameters) = (Vec::new(), Vec::new());
    while let Some(item) = depacketizer.pull() {
        match item {
            Depacketized::Frame(frame) => frames.push(frame),
            Depacketized::Parameters(found) => parameters.push(found),
        }
    }
    (frames, parameters)
}

/// The frames in packets that arrive in this order without any being lost.
pub(crate) fn frames_of<'a>(parameters: &TrackParameters, packets: impl IntoIterator<Item = &'a Packet>) -> Vec<Frame> {
    let mut depacketizer = depacketizer(parameters).unwrap();
    packets.into_iter().for_each(|packet| depacketizer.push(packet));
    drain(&mut *depacketizer).0
}

/// Nothing of the units of a frame but their types.
pub(crate) fn unit_types(frame: &[u8]) -> Vec<u8> {
    Nals::new(frame).map(|nal| h264::unit_type(nal.unwrap())).collect()
}
